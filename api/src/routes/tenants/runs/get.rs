//! `GET /v1/tenants/{tenant}/runs/{run}`.

use std::time::Duration;

use axum::{
    extract::{Path, State},
    response::Response,
};
use crds::sandbox_run::SandboxRun;

use crate::{
    app::AppState,
    auth::rights::{Needs, need},
    cluster::{Cluster, Namespace},
    http::{access::In, error::ApiError, query::Query},
    routes::tenants::runs::{self, Run, create::Wait, is_over},
};

/// See a run.
///
/// With `wait` the answer comes when the run is over, or after that time.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/runs/{run}",
    tag = "runs",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("run" = String, Path, description = "The run's name."),
        Wait
    ),
    responses((status = 200, description = "The run.", body = Run, headers(("ETag" = String, description = "Its version, for `If-Match`.")))),
    security(("access_token" = ["runs:read"]), ("api_key" = ["runs:read"]), ("session" = []))
)]
pub async fn get(
    State(state): State<AppState>,
    access: In<need::RunsRead>,
    path: Path<(String, String)>,
    Query(wait): Query<Wait>,
) -> Result<Response, ApiError> {
    let Path((_, name)) = path;
    let wait = wait.duration()?;
    let (cluster, namespace, run) = runs::read(&state, &access, &name).await?;
    let run = waited(&state, &access, &cluster, &namespace, run, wait).await?;
    runs::tagged(run)
}

/// The run when it is over, or after a time. Whoever may not see it any more in the meantime is told so.
pub async fn waited<R: Needs>(
    state: &AppState,
    access: &In<R>,
    cluster: &Cluster,
    namespace: &Namespace,
    run: SandboxRun,
    wait: Duration,
) -> Result<SandboxRun, ApiError> {
    if wait.is_zero() || is_over(&run) {
        return Ok(run);
    }
    let name = run.metadata.name.clone().unwrap_or_default();
    tokio::select! {
        over = cluster.wait_run(namespace, run, is_over) => over?.ok_or(ApiError::NotFound),
        () = access.lost(state) => Err(ApiError::REFUSED),
        () = state.stopping() => Err(ApiError::Unavailable("this replica is stopping".to_owned())),
        () = tokio::time::sleep(wait) => cluster.run(namespace, &name).await?.ok_or(ApiError::NotFound),
    }
}
