//! `POST /v1/admin/overseers/{overseer}/block`.

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

/// Block a person.
///
/// For those who run the platform. Logins and API keys end with the next request, and nobody logs in as them.
#[utoipa::path(
    post,
    path = "/v1/admin/overseers/{overseer}/block",
    tag = "admin",
    params(("overseer" = String, Path, format = "uuid", description = "The person."), IdempotencyKey),
    responses((status = 200, description = "The person, who is blocked.", body = Overseer)),
    security(("session" = []))
)]
pub async fn block(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Admin(login): Admin,
    Path(overseer): Path<String>,
    Bare(claim): Bare,
) -> Result<Response, ApiError> {
    let id = parse::id("overseer", &overseer)?;
    if id == login.overseer() {
        return Err(ApiError::invalid(
            "overseer",
            "nobody shuts themselves out; ask somebody else who runs the platform",
        ));
    }
    overseers::set_blocked(&state, &login, &request_id, id, true, claim).await
}
