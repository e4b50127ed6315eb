//! `DELETE /v1/tenants/{tenant}/templates/{template}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use crds::sandbox_template::SandboxTemplate;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, request_id::RequestId},
    routes::tenants::resources::{self, Asked},
};

/// Delete a template.
///
/// Runs that have a pod go on. One that comes with the platform is not the tenant's to delete (404).
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/templates/{template}",
    tag = "templates",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("template" = String, Path, description = "The template's name.")
    ),
    responses((status = 204, description = "It is deleted.")),
    security(("api_key" = ["templates:write"]), ("session" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::TemplatesWrite>,
    path: Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let Path((_, name)) = path;
    let (cluster, namespace) = resources::place(&state, &access).await?;
    resources::ensure_name(&name)?;
    let template: SandboxTemplate = cluster.get(&namespace, &name).await?.ok_or(ApiError::NotFound)?;
    let asked = Asked {
        action: "template.delete",
        kind: "template",
        name: &name,
        request_id: &request_id,
    };
    resources::delete(&state, &access, asked, &template, cluster.delete(&namespace, &template)).await?;
    Ok(StatusCode::NO_CONTENT)
}
