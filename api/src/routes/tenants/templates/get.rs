//! `GET /v1/tenants/{tenant}/templates/{template}`.

use axum::{
    extract::{Path, State},
    response::Response,
};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, etag},
    routes::tenants::{resources, templates::Template},
};

/// See a template.
///
/// The one that a run of the tenant gets by this name.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/templates/{template}",
    tag = "templates",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("template" = String, Path, description = "The template's name.")
    ),
    responses((status = 200, description = "The template.", body = Template, headers(("ETag" = String, description = "Its version, for `If-Match`.")))),
    security(("access_token" = ["templates:read"]), ("api_key" = ["templates:read"]), ("session" = []))
)]
pub async fn get(
    State(state): State<AppState>,
    access: In<need::TemplatesRead>,
    path: Path<(String, String)>,
) -> Result<Response, ApiError> {
    let Path((_, name)) = path;
    let (cluster, namespace) = resources::place(&state, &access).await?;
    resources::ensure_name(&name)?;
    if let Some(own) = cluster.get(&namespace, &name).await? {
        return etag::tagged(&Template::own(own));
    }
    let built_in = cluster
        .get(cluster.built_in(), &name)
        .await?
        .ok_or(ApiError::NotFound)?;
    etag::tagged(&Template::of(built_in, true))
}
