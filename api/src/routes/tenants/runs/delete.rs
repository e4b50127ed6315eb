//! `DELETE /v1/tenants/{tenant}/runs/{run}`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, request_id::RequestId},
    routes::tenants::{
        resources::{self, Asked},
        runs,
    },
};

/// Delete a run.
///
/// What it still has running is ended.
#[utoipa::path(
    delete,
    path = "/v1/tenants/{tenant}/runs/{run}",
    tag = "runs",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("run" = String, Path, description = "The run's name.")
    ),
    responses((status = 204, description = "It is deleted.")),
    security(("access_token" = ["runs:write"]), ("api_key" = ["runs:write"]), ("session" = []))
)]
pub async fn delete(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::RunsWrite>,
    path: Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let Path((_, name)) = path;
    let (cluster, namespace, run) = runs::find(&state, &access, &name).await?;
    let asked = Asked {
        action: "run.delete",
        kind: "run",
        name: &name,
        request_id: &request_id,
    };
    let version = resources::delete(&state, &access, asked, &run, cluster.delete_run(&namespace, &run)).await?;
    runs::wrote(&state, &access, version).await?;
    Ok(StatusCode::NO_CONTENT)
}
