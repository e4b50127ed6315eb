//! `POST /v1/admin/overseers/{overseer}/unblock`.

use axum::{
    extract::{Path, State},
    response::Response,
};

use crate::{
    app::AppState,
    http::{
        caller::Admin,
        error::ApiError,
        once::{Bare, IdempotencyKey},
        parse,
        request_id::RequestId,
    },
    routes::admin::overseers::{self, Overseer},
};

/// Unblock a person.
///
/// For those who run the platform. They can log in again; what ended stays ended.
#[utoipa::path(
    post,
    path = "/v1/admin/overseers/{overseer}/unblock",
    tag = "admin",
    params(("overseer" = String, Path, format = "uuid", description = "The person."), IdempotencyKey),
    responses((status = 200, description = "The person, who is not blocked.", body = Overseer)),
    security(("session" = []))
)]
pub async fn unblock(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Admin(login): Admin,
    Path(overseer): Path<String>,
    Bare(claim): Bare,
) -> Result<Response, ApiError> {
    let id = parse::id("overseer", &overseer)?;
    overseers::set_blocked(&state, &login, &request_id, id, false, claim).await
}
