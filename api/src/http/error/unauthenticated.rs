//! Those who prove nothing, or not enough: which scope they would need.

use crate::{
    auth::client::values::Scope,
    http::error::{ApiError, Forbidden},
    service::tokens::SELF,
};

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

    /// The same, where a token would need this scope: whoever is refused learns what to ask for (MCP authorization 2026-07-28, scope selection).
    pub fn where_needed(self, scope: &'static str) -> Self {
        match self {
            Self::Unauthenticated { invalid_token, .. } => Self::Unauthenticated {
                invalid_token,
                needed: Some(scope),
            },
            other => other,
        }
    }
}

impl Forbidden {
    /// The scope of another token that would do.
    pub(super) const fn scope(self) -> Option<&'static str> {
        match self {
            Self::Scope(right) => Some(right.as_str()),
            Self::OpenIdOnly => Some(Scope::OpenId.as_str()),
            Self::NotOneself => Some(SELF),
            _ => None,
        }
    }
}
