//! `GET /v1/tenants/{tenant}/clients/{client}`.

use axum::{
    extract::{Path, State},
    response::Response,
};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, etag, parse},
    routes::tenants::clients::Client,
    store::clients,
};

/// Read an OAuth client.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/clients/{client}",
    tag = "clients",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("client" = String, Path, format = "uuid", description = "The client's id.")
    ),
    responses((status = 200, description = "The client.", body = Client, headers(("ETag" = String, description = "Its version, for `If-Match`.")))),
    security(("api_key" = ["clients:read"]), ("session" = []))
)]
pub async fn get(
    State(state): State<AppState>,
    access: In<need::ClientsRead>,
    path: Path<(String, String)>,
) -> Result<Response, ApiError> {
    let Path((_, client)) = path;
    let id = parse::id("client", &client)?;
    let mut tx = state.database.tenant(access.tenant).await?;
    let client = clients::get(&mut tx, id).await?.ok_or(ApiError::NotFound)?;
    etag::tagged(&Client::from(client))
}
