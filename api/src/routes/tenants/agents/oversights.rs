//! `/v1/tenants/{tenant}/agents/{agent}/oversights`: who oversees an agent besides its owner.

use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::oversight::Edge;

pub mod close;
pub mod grant;
pub mod list;

/// A relation that somebody has to an agent, by somebody's leave.
#[derive(Debug, Serialize, ToSchema)]
pub struct Oversight {
    /// Who has it.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000d")]
    overseer_id: String,
    /// `owner`, `delegate` or `viewer`.
    #[schema(example = "delegate")]
    relation: &'static str,
    /// Who gave it.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000e")]
    granted_by: String,
    /// When it was first given (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
}

impl From<Edge> for Oversight {
    fn from(edge: Edge) -> Self {
        Self {
            overseer_id: edge.overseer.to_string(),
            relation: edge.relation.as_str(),
            granted_by: edge.granted_by.to_string(),
            created_at: edge.created_at.to_string(),
        }
    }
}
