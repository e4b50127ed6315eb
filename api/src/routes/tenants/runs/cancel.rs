//! `POST /v1/tenants/{tenant}/runs/{run}/cancel`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};

use crate::{
    app::AppState,
    auth::rights::need,
    cluster::version,
    http::{
        access::In,
        error::ApiError,
        once::{Bare, IdempotencyKey},
        request_id::RequestId,
    },
    routes::tenants::{
        resources::{self, Asked},
        runs::{self, Run},
    },
};

/// Cancel a run.
///
/// The program gets SIGTERM and, ten seconds later, SIGKILL. What is over stays as it ended.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/runs/{run}/cancel",
    tag = "runs",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("run" = String, Path, description = "The run's name."),
        IdempotencyKey
    ),
    responses((status = 200, description = "Its end is asked for.", body = Run)),
    security(("access_token" = ["runs:write"]), ("api_key" = ["runs:write"]), ("session" = []))
)]
pub async fn cancel(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::RunsWrite>,
    path: Path<(String, String)>,
    Bare(claim): Bare,
) -> Result<Response, ApiError> {
    let Path((_, name)) = path;
    let (cluster, namespace, run) = runs::find(&state, &access, &name).await?;
    let asked = Asked {
        action: "run.cancel",
        kind: "run",
        name: &name,
        request_id: &request_id,
    };
    resources::record(&state, &access, asked).await?;
    let run = cluster.cancel_run(&namespace, &run).await?;
    runs::wrote(&state, &access, version(&run)).await?;
    let tx = state.database.tenant(access.tenant).await?;
    claim.commit(tx, StatusCode::OK, &Run::from(run)).await
}
