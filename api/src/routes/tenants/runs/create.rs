//! `POST /v1/tenants/{tenant}/runs`.

use std::time::Duration;

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    app::AppState,
    auth::rights::need,
    cluster::version,
    http::{
        access::In,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        query::Query,
        request_id::RequestId,
    },
    routes::tenants::{
        resources::{self, Asked},
        runs::{NewRun, Run, get},
    },
    store::tenants,
};

/// How the caller wants to be answered.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// For how many seconds to wait until the run is over, 0 to 60. Default: 0. If it is not over then, the answer says how far it is.
    #[param(minimum = 0, maximum = 60)]
    wait: Option<u32>,
}

impl Wait {
    /// How long to wait.
    pub fn duration(&self) -> Result<Duration, ApiError> {
        match self.wait.unwrap_or(0) {
            seconds @ 0..=60 => Ok(Duration::from_secs(seconds.into())),
            _ => Err(ApiError::invalid("wait", "write 0 to 60 seconds")),
        }
    }
}

/// Start a run.
///
/// The program runs once. Its result is the run's own, to be read until the run is deleted.
#[utoipa::path(
    post,
    path = "/v1/tenants/{tenant}/runs",
    tag = "runs",
    params(("tenant" = String, Path, description = "The tenant's name."), Wait, IdempotencyKey),
    request_body = NewRun,
    responses(
        (status = 201, description = "The run, as far as it was when the wait ended.", body = Run),
        (status = 409, description = "The name is taken (`name_taken`), there is no room for more runs (`quota_exceeded`), or the tenant's namespace is not there yet (`tenant_not_ready`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("access_token" = ["runs:write"]), ("api_key" = ["runs:write"]), ("session" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::RunsWrite>,
    Query(wait): Query<Wait>,
    Once { body: new, mut claim }: Once<NewRun>,
) -> Result<Response, ApiError> {
    let wait = wait.duration()?;
    let wanted = new.resource(claim.random()?)?;
    let name = wanted.metadata.name.clone().unwrap_or_default();
    let asked = Asked {
        action: "run.create",
        kind: "run",
        name: &name,
        request_id: &request_id,
    };
    let made = resources::make(&state, &access, &mut claim, &wanted, asked).await?;
    let (cluster, namespace) = resources::place(&state, &access).await?;
    let version = version(&made);
    let run = get::waited(&state, &access, cluster, &namespace, made, wait).await?;
    let mut tx = state.database.tenant(access.tenant).await?;
    tenants::note_runs_version(&mut tx, version).await?;
    let answer = claim.commit(tx, StatusCode::CREATED, &Run::from(run)).await?;
    state.standing.wrote(access.tenant, version).await;
    Ok(answer)
}
