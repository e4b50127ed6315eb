//! Those who prove nothing.

use crate::{auth::rights::Right, http::error::ApiError};

impl ApiError {
    /// Nobody came.
    pub const NOBODY: Self = Self::Unauthenticated {
        invalid_token: false,
        needed: None,
    };

    /// Something came that shows nothing.
    pub const REFUSED: Self = Self::Unauthenticated {
        invalid_token: true,
        needed: None,
    };

    /// The same, where a token would need this right: whoever is refused learns what to ask for (MCP authorization 2026-07-28, scope selection).
    pub fn where_needed(self, right: Right) -> Self {
        match self {
            Self::Unauthenticated { invalid_token, .. } => Self::Unauthenticated {
                invalid_token,
                needed: Some(right),
            },
            other => other,
        }
    }
}
