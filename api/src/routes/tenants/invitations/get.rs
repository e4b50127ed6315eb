//! `GET /v1/tenants/{tenant}/invitations/{invitation}`.

use axum::extract::{Path, State};
use domain::InvitationId;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, parse},
    routes::tenants::invitations::Invitation,
    store::invitations,
};

/// See an invitation that can still be accepted.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/invitations/{invitation}",
    tag = "tenants",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("invitation" = String, Path, format = "uuid", description = "The invitation.")
    ),
    responses((status = 200, description = "The invitation.", body = Invitation)),
    security(("api_key" = ["members:read"]), ("session" = []))
)]
pub async fn get(
    State(state): State<AppState>,
    access: In<need::MembersRead>,
    path: Path<(String, String)>,
) -> Result<axum::Json<Invitation>, ApiError> {
    let Path((_, invitation)) = path;
    let id: InvitationId = parse::id("invitation", &invitation)?;
    let mut tx = state.database.tenant(access.tenant).await?;
    let open = invitations::list(&mut tx, state.clock.now()).await?;
    let found = open.into_iter().find(|invitation| invitation.id == id);
    Ok(axum::Json(Invitation::from(found.ok_or(ApiError::NotFound)?)))
}
