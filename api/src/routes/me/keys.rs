//! `/v1/me/keys`: the keys that an agent proves itself with.

use serde::Serialize;
use utoipa::ToSchema;

use crate::store::agent_keys;

pub mod add;
pub mod list;
pub mod revoke;

#[cfg(test)]
mod tests;

/// A key of the caller.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AgentKey)]
pub struct Key {
    /// Its id.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000b")]
    id: String,
    /// Its thumbprint (RFC 7638, SHA-256).
    #[schema(example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
    thumbprint: String,
    /// When it was added (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
    /// When it was revoked (RFC 3339); a revoked key stays in the list.
    revoked_at: Option<String>,
}

impl From<agent_keys::Key> for Key {
    fn from(key: agent_keys::Key) -> Self {
        Self {
            id: key.id.to_string(),
            thumbprint: key.thumbprint,
            created_at: key.created_at.to_string(),
            revoked_at: key.revoked_at.map(|at| at.to_string()),
        }
    }
}
