//! Errors of the token endpoint (RFC 6749, section 5.2).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use telemetry::logging::chain;
use tracing::error;
use utoipa::ToSchema;

use crate::{
    auth::authorization::Parameters,
    http::{
        dpop,
        error::{ApiError, RETRY_AFTER, seldom},
    },
    service::{
        client_credentials, grants,
        tokens::{self, Refused},
        workloads,
    },
    store::{StoreError, devices::Found},
};

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthError {
    status: StatusCode,
    code: &'static str,
    description: String,
    /// In how many seconds it is worth coming again.
    retry_after: Option<u64>,
    /// Whether a client may prove itself in the header.
    challenge: bool,
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody<'a> {
    /// The RFC's code.
    #[schema(example = "invalid_grant")]
    error: &'a str,
    /// What is wrong and what to do about it.
    #[schema(example = "the answer proves nothing; ask for a new challenge and sign that")]
    error_description: &'a str,
}

impl OAuthError {
    /// An error with the RFC's code and the status 400.
    pub fn new(code: &'static str, description: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            description: description.into(),
            retry_after: None,
            challenge: false,
        }
    }

    /// Nobody proved which client they are (RFC 6749, section 5.2).
    pub fn client() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            challenge: true,
            ..Self::new(
                "invalid_client",
                "the client is not proved: send its client_id and secret in the way that it is registered for, and in no other",
            )
        }
    }
}

impl From<dpop::Refused> for OAuthError {
    fn from(refused: dpop::Refused) -> Self {
        match refused {
            dpop::Refused::Store(store) => tokens::Refused::from(store).into(),
            other => Self::new(other.code(), other.to_string()),
        }
    }
}

impl From<client_credentials::Refused> for OAuthError {
    fn from(refused: client_credentials::Refused) -> Self {
        match refused {
            client_credentials::Refused::Grant => Self::new(
                "unauthorized_client",
                "grant_type: the client is not registered for client_credentials; name it in its grant_types",
            ),
            client_credentials::Refused::Unbound => Self::new(
                "invalid_dpop_proof",
                "the client is registered for bound tokens (dpop_bound_access_tokens): send a DPoP proof",
            ),
            client_credentials::Refused::Token(refused) => refused.into(),
        }
    }
}

impl From<grants::tokens::Refused> for OAuthError {
    fn from(refused: grants::tokens::Refused) -> Self {
        match refused {
            grants::tokens::Refused::Unproven | grants::tokens::Refused::Reused => Self::new(
                "invalid_grant",
                "the code or the token is not good for this client, or not with these parameters, or not any more; begin again",
            ),
            // RFC 8693, section 2.2.2.
            grants::tokens::Refused::Subject => Self::new(
                "invalid_request",
                "subject_token or actor_token is worth nothing here, or not to whoever shows it, or not any more",
            ),
            grants::tokens::Refused::Grant => Self::new(
                "unauthorized_client",
                "grant_type: the client is not registered for it; name it in its grant_types",
            ),
            grants::tokens::Refused::Waiting(found) => {
                let (code, description) = match found {
                    Found::TooSoon => (
                        "slow_down",
                        "wait five seconds longer between two questions, from now on",
                    ),
                    Found::Expired => ("expired_token", "the device waited too long; begin again"),
                    Found::Denied => ("access_denied", "the person said no"),
                    Found::Pending | Found::First(_) | Found::Again(_) => {
                        ("authorization_pending", "the person has not answered yet")
                    }
                };
                Self::new(code, description)
            }
            grants::tokens::Refused::Unbound => client_credentials::Refused::Unbound.into(),
            grants::tokens::Refused::Token(refused) => refused.into(),
        }
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        Refused::from(error).into()
    }
}

impl From<Refused> for OAuthError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unproven => Self::new(
                "invalid_grant",
                "the answer proves nothing; ask for a new challenge and sign that",
            ),
            Refused::Scope => Self::new(
                "invalid_scope",
                "scope: not all of these can be given; leave it out for all that can",
            ),
            Refused::Proof(why) => dpop::Refused::from(why).into(),
            Refused::NoKey => {
                error!("no signing key is in force");
                Self::unavailable()
            }
            Refused::Unsigned(failed) => {
                error!(error = chain(&failed), "a token was not issued");
                Self::internal()
            }
            Refused::Store(store) if store.is_transient() => {
                seldom::warn(&chain(&store), "a token was not issued");
                Self::unavailable()
            }
            Refused::Store(store) => {
                error!(error = chain(&store), "a token was not issued");
                Self::internal()
            }
        }
    }
}

impl From<workloads::Refused> for OAuthError {
    fn from(refused: workloads::Refused) -> Self {
        match refused {
            workloads::Refused::Unproven => Self::new(
                "invalid_grant",
                "assertion: it proves nothing; send the token that the pod finds at /var/run/pinfold/workload/token, read anew",
            ),
            workloads::Refused::NoTenant => Self::new(
                "invalid_grant",
                "the Tenant of this pod belongs to nobody here; who runs the platform links it to a person (docs/auth.md)",
            ),
            workloads::Refused::Ended => Self::new(
                "invalid_grant",
                "the agent was deleted here, and its Agent resource is still there; delete that, and make another",
            ),
            workloads::Refused::TooOften(error) => Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                code: "temporarily_unavailable",
                description: "this pod asks too often; use the token that it has until that ends".to_owned(),
                retry_after: Some(error.0.as_secs().max(1)),
                challenge: false,
            },
            workloads::Refused::Cluster(error) => {
                seldom::warn(&chain(&error), "a pod's token was not judged");
                Self::unavailable()
            }
            workloads::Refused::Token(refused) => refused.into(),
        }
    }
}

impl OAuthError {
    /// Pods prove themselves where there is a cluster.
    pub fn no_cluster() -> Self {
        Self {
            description: "this service has no cluster, and so no pods; use another grant".to_owned(),
            ..Self::unavailable()
        }
    }

    /// The same once an assertion was spent: whoever is told to use a nonce has used nothing up, so this is told to come again.
    pub fn after_assertion(self, form: &Parameters) -> Self {
        if self.code == "use_dpop_nonce" && form.contains_key("client_assertion") {
            Self::unavailable()
        } else {
            self
        }
    }

    /// What is switched off here.
    pub fn closed(description: &str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            ..Self::new("access_denied", description)
        }
    }

    fn internal() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Self::new(
                "server_error",
                "something went wrong on our side; the request id helps to find it",
            )
        }
    }

    pub(super) fn unavailable() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "temporarily_unavailable",
            description: "the service cannot answer at the moment; come again".to_owned(),
            retry_after: Some(RETRY_AFTER),
            challenge: false,
        }
    }
}

impl From<ApiError> for OAuthError {
    /// What the body's reader says, for which RFC 6749 knows one code, and that something is away.
    fn from(error: ApiError) -> Self {
        let status = match &error {
            ApiError::Body { status, .. } => *status,
            ApiError::Unavailable(why) => {
                seldom::warn(why, "an OAuth client was not answered");
                return Self::unavailable();
            }
            ApiError::Internal(why) => {
                error!(error = why, "an OAuth client was not answered");
                return Self::internal();
            }
            _ => StatusCode::BAD_REQUEST,
        };
        Self {
            status,
            code: "invalid_request",
            description: error.to_string(),
            retry_after: None,
            challenge: false,
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.code,
            error_description: &self.description,
        };
        let headers = [(header::CACHE_CONTROL, "no-store")];
        let mut response = (self.status, headers, axum::Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.challenge {
            let challenge = HeaderValue::from_static(r#"Basic realm="pinfold", charset="UTF-8""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
