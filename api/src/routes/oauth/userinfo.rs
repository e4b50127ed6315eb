//! `GET` and `POST /oauth/userinfo`: who the person is that let a client in (OpenID Connect Core 1.0, section 5.3).

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    auth::client::values::Scope,
    http::{
        caller::Caller,
        error::{ApiError, Forbidden},
    },
};

/// Who the person is.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserInfo {
    /// The person, as ID tokens name them.
    #[schema(example = "0198c5b4-5a0e-7000-8000-000000000001")]
    sub: String,
}

/// Say who let me in.
///
/// With a token that a person's consent gave for the scope `openid`.
#[utoipa::path(
    get,
    path = "/oauth/userinfo",
    tag = "tokens",
    responses((status = 200, description = "The person.", body = UserInfo)),
    security(("oauth" = ["openid"]))
)]
pub async fn get(caller: Result<Caller, ApiError>) -> Result<axum::Json<UserInfo>, ApiError> {
    told(caller)
}

/// Say who let me in.
///
/// The same as by `GET`.
#[utoipa::path(
    post,
    path = "/oauth/userinfo",
    tag = "tokens",
    responses((status = 200, description = "The person.", body = UserInfo)),
    security(("oauth" = ["openid"]))
)]
pub async fn post(caller: Result<Caller, ApiError>) -> Result<axum::Json<UserInfo>, ApiError> {
    told(caller)
}

fn told(caller: Result<Caller, ApiError>) -> Result<axum::Json<UserInfo>, ApiError> {
    match caller.map_err(|error| error.where_needed(Scope::OpenId.as_str()))? {
        Caller::Grant(grant) if grant.scopes.iter().any(|scope| scope == Scope::OpenId.as_str()) => {
            Ok(axum::Json(UserInfo {
                sub: grant.overseer.to_string(),
            }))
        }
        _ => Err(ApiError::Forbidden(Forbidden::OpenIdOnly)),
    }
}
