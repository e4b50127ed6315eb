//! `POST /v1/invitations/accept`.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::{sign_ups::complete::link_ended, tenants::members},
    service::members::{self as service, Refused},
};

/// An invitation's link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InvitationToken)]
pub struct Token {
    /// What stands in the link after the `#`.
    #[schema(example = "FvAKd7FzQkGzFkUAoV6H1T2oG0sY0o1cQe9mA1cXh2E", max_length = 128)]
    token: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

/// Accept an invitation.
///
/// Whoever has no account yet opens one with the same token: `POST /v1/sign-ups/complete`.
#[utoipa::path(
    post,
    path = "/v1/invitations/accept",
    tag = "people",
    params(IdempotencyKey),
    request_body = Token,
    responses(
        (status = 204, description = "You are a member."),
        (status = 409, description = "The link was used, has ended, or is none (`link_ended`); or you are a member (`already_member`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn accept(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Once { body: shown, claim }: Once<Token>,
) -> Result<Response, ApiError> {
    let now = state.clock.now();
    let found = service::invitation(&state.database, &state.keys.mail_link, &shown.token, now).await?;
    let (tenant, invitation) = found.ok_or_else(link_ended)?;
    match service::accept(&state.database, tenant, &invitation, login.overseer(), &request_id, now).await {
        Ok(tx) => claim.commit(tx, StatusCode::NO_CONTENT, &()).await,
        Err(Refused::NotFound) => Err(link_ended()),
        Err(other) => Err(members::refused(other)),
    }
}
