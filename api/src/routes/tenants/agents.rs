//! `/v1/tenants/{tenant}/agents`: agents that belong to a tenant.

use domain::AgentId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{oversight::Relation, rights::Needs},
    http::{
        access::In,
        error::{ApiError, Forbidden},
    },
    service::oversight::{self, Overseen, Refused},
    store::agents,
};

pub mod claim;
pub mod client_blocks;
pub mod delete;
pub mod get;
pub mod keys;
pub mod list;
pub mod oversights;
pub mod register;
pub mod update;

#[cfg(test)]
mod tests;

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

/// An agent of the tenant, for a caller who is at least this to it.
pub async fn enter<R: Needs>(
    state: &AppState,
    access: &In<R>,
    agent: AgentId,
    needed: Relation,
) -> Result<Overseen, ApiError> {
    oversight::enter(&state.database, access.tenant, agent, access.asker()?, needed)
        .await
        .map_err(refused)
}

/// Why nothing was done with an agent, to a client.
pub fn refused(why: Refused) -> ApiError {
    let conflict = |code, message: &str| ApiError::Conflict {
        code,
        message: message.to_owned(),
    };
    match why {
        Refused::NotFound => ApiError::NotFound,
        Refused::Relation(needed) => ApiError::Forbidden(Forbidden::Relation(needed)),
        Refused::NoMember => ApiError::invalid("overseer", "invite the person into the tenant first"),
        Refused::Owner => conflict(
            "already_owner",
            "the agent's owner and you yourself need no relation from you",
        ),
        Refused::LastKey => conflict(
            "last_key",
            "this is the last key in force, without which the agent could not prove itself again; delete the agent instead",
        ),
        Refused::Store(error) => error.into(),
    }
}
