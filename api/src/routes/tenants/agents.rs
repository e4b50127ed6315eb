//! `/v1/tenants/{tenant}/agents`: agents that belong to a tenant.

use serde::Serialize;
use utoipa::ToSchema;

use crate::store::agents;

pub mod list;
pub mod register;

/// An agent of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agent {
    /// The agent.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000a")]
    id: String,
    /// What people call it.
    #[schema(example = "scout")]
    name: String,
    /// The person who owns it.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000d")]
    owner_id: String,
    /// When it was registered (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
}

impl From<agents::Agent> for Agent {
    fn from(agent: agents::Agent) -> Self {
        Self {
            id: agent.id.to_string(),
            name: agent.name,
            owner_id: agent.owner.to_string(),
            created_at: agent.created_at.to_string(),
        }
    }
}
