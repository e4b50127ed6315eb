//! What every part of Pinfold means by an id, a tenant's name, a quantity and the time.
//!
//! Plain types that are built by parsing. Nothing here knows Kubernetes clients, databases or HTTP; those
//! convert at their own border.

pub mod clock;
pub mod display_name;
pub mod email;
pub mod id;
pub mod quantity;
pub mod tenant_name;

pub use clock::{Clock, SystemClock};
pub use email::EmailAddress;
pub use id::{
    AgentId, AgentKeyId, ApiKeyId, ClientBlockId, ClientId, ConsentId, GrantId, IdError, IdentityId, InvitationId,
    MailLinkId, OverseerId, PasskeyId, RunId, SessionId, TenantId,
};
pub use quantity::Quantity;
pub use tenant_name::TenantName;
