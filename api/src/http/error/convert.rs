//! What errors of other parts are to a client.

use std::time::Duration;

use axum::http::StatusCode;
use telemetry::logging::chain;

use crate::{
    auth::{possession::ProofError, random::NoRandom},
    cluster::ClusterError,
    http::error::ApiError,
    issuers::NoKeys,
    service::{hashing::HashingError, limiter::TooOften, namespaces::NamespaceError},
    store::StoreError,
};

impl From<NoRandom> for ApiError {
    fn from(error: NoRandom) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<TooOften> for ApiError {
    fn from(error: TooOften) -> Self {
        Self::TooMany(error.0)
    }
}

impl From<HashingError> for ApiError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Full => Self::TooMany(Duration::ZERO),
            HashingError::Failed(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<NoKeys> for ApiError {
    fn from(error: NoKeys) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<ProofError> for ApiError {
    fn from(error: ProofError) -> Self {
        Self::invalid(error.field, error.message)
    }
}

impl From<ClusterError> for ApiError {
    fn from(error: ClusterError) -> Self {
        let said = error.status().map_or("", |status| status.message.as_str());
        match (&error, error.code()) {
            (ClusterError::NoNamespace, _) => Self::Conflict {
                code: "tenant_not_ready",
                message: "the tenant's namespace is being made; come again in a moment".to_owned(),
            },
            (ClusterError::Foreign, _) => Self::Conflict {
                code: "name_taken",
                message: error.to_string(),
            },
            (ClusterError::PageToken, _) => {
                Self::invalid("page_token", "it has ended or is none of ours; begin again without one")
            }
            (ClusterError::Selector(what), _) => Self::invalid("labels", what.clone()),
            (_, Some(400 | 422)) => refused_field(&error),
            (_, Some(409)) => Self::Conflict {
                code: "name_taken",
                message: "there is one of this name already; choose another".to_owned(),
            },
            (_, Some(404)) => Self::NotFound,
            (_, Some(403)) if said.contains("exceeded quota") => Self::Conflict {
                code: "quota_exceeded",
                message: "the tenant has no room for more; delete some, or ask for a larger plan".to_owned(),
            },
            (_, Some(403)) if said.contains("because it is being terminated") => Self::NotFound,
            (_, None | Some(429 | 500..)) => Self::Unavailable(chain(&error)),
            _ => Self::Internal(chain(&error)),
        }
    }
}

/// What the API server finds wrong with a field, in the names that our callers use.
fn refused_field(error: &ClusterError) -> ApiError {
    let causes = error
        .status()
        .and_then(|s| s.details.as_ref())
        .map_or(&[][..], |details| &details.causes);
    match causes.first() {
        Some(cause) => ApiError::Invalid {
            field: snake_case(cause.field.strip_prefix("spec.").unwrap_or(&cause.field)),
            message: cause.message.clone(),
        },
        None => ApiError::Body {
            status: StatusCode::BAD_REQUEST,
            message: error.status().map_or_else(String::new, |status| status.message.clone()),
        },
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

impl From<NamespaceError> for ApiError {
    fn from(error: NamespaceError) -> Self {
        match error {
            NamespaceError::NoTenant => Self::NotFound,
            NamespaceError::Store(error) => error.into(),
            NamespaceError::Cluster(error) => error.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if error.is_transient() {
            Self::Unavailable(chain(&error))
        } else {
            Self::Internal(chain(&error))
        }
    }
}
