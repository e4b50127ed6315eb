//! `POST /v1/me/identities`.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::jws,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::me::{
        identities::{Identity, refused},
        password,
    },
    service::{members::By, outside},
};

/// What shows that an identity is the caller's.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIdentity {
    /// A token of an issuer that this service trusts, as it would stand in `Authorization`.
    #[schema(
        example = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJ1c2VyXzEifQ.c2lnbmF0dXJl",
        max_length = 8192
    )]
    token: String,
    /// The account's password, if it has one.
    #[schema(example = "a long password of your own", format = Password, max_length = 1024)]
    current_password: Option<String>,
}

impl std::fmt::Debug for NewIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewIdentity").finish_non_exhaustive()
    }
}

/// Link an identity to my account.
///
/// From then on tokens of that issuer with that subject are yours. One that is linked already stays so.
#[utoipa::path(
    post,
    path = "/v1/me/identities",
    tag = "people",
    params(IdempotencyKey),
    request_body = NewIdentity,
    responses(
        (status = 201, description = "It is linked.", body = Identity),
        (status = 409, description = "It is another account's (`identity_taken`), or ten are linked (`too_many_identities`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn link(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Once { body: new, claim }: Once<NewIdentity>,
) -> Result<Response, ApiError> {
    let worthless = || {
        ApiError::invalid(
            "token",
            "send a token of an issuer that this service trusts, which has not ended",
        )
    };
    password::proved(&state, &login, new.current_password.clone()).await?;
    let token = jws::parse(&new.token).ok_or_else(worthless)?;
    let issuer = state.issuers.of(&token).ok_or_else(worthless)?;
    let vouched = state.issuers.verify(issuer, &token).await?.ok_or_else(worthless)?;
    let by = By::person(login.overseer(), &request_id);
    let (tx, identity) = outside::link(&state.database, issuer, &vouched.subject, by, state.clock.now())
        .await
        .map_err(refused)?;
    claim.commit(tx, StatusCode::CREATED, &Identity::from(identity)).await
}
