//! `POST /v1/tenants/{tenant}/invitations`.

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::In,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        parse,
        request_id::RequestId,
    },
    routes::tenants::{acting, invitations::Invitation, members},
    service::{members::invite, throttle::Letter},
};

/// Who is to be invited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InvitationRequest)]
pub struct Guest {
    /// Where the invitation is sent.
    #[schema(example = "bob@example.com", max_length = 254)]
    email: String,
    /// What the guest will be: `owner`, `admin`, `developer`, `billing` or `viewer`.
    #[schema(example = "developer")]
    role: String,
}

/// Invite somebody to a tenant.
///
/// A link is sent; whoever has it joins, within a week, with an account or a new one. An earlier invitation of the same address ends.
/// Nobody invites to a role with rights that they do not have.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/invitations",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name."), IdempotencyKey),
    request_body = Guest,
    responses(
        (status = 201, description = "Invited; a mail follows.", body = Invitation),
        (status = 409, description = "A member already (`already_member`), or there are 500 (`too_many_members`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["members:write"]), ("session" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::MembersWrite>,
    Once { body: guest, claim }: Once<Guest>,
) -> Result<Response, ApiError> {
    let email = parse::email(&guest.email)?;
    let role = members::role(&guest.role)?;
    state.throttle.mail(Letter::Invitation, email.key()).await?;
    let by = acting(&access, &request_id)?;
    let (tx, made) = invite(&state.database, access.tenant, &email, role, by, state.clock.now())
        .await
        .map_err(members::refused)?;
    let made = claim.commit(tx, StatusCode::CREATED, &Invitation::from(made)).await?;
    state.bell.ring();
    Ok(made)
}
