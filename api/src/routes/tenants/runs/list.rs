//! `GET /v1/tenants/{tenant}/runs`.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError, parse, query::Query},
    routes::tenants::{resources, runs::Run},
};

/// The states of a run.
const STATES: [&str; 4] = ["pending", "running", "succeeded", "failed"];

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// How many at most, 1 to 500. Default: 100.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// What the page before gave as `next_page_token`; it ends after some minutes.
    page_token: Option<String>,
    /// Only runs with these labels, as Kubernetes selects them: `team=search,stage!=test`.
    labels: Option<String>,
    /// Only runs in this state. A page may then have fewer than `limit`, or none, and there are more as long as it has a `next_page_token`.
    #[param(example = "running")]
    state: Option<String>,
}

/// A page of runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Runs {
    /// The runs, by name.
    runs: Vec<Run>,
    /// What asks for the next page; none on the last. All pages show the same moment.
    next_page_token: Option<String>,
}

/// List runs.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/runs",
    tag = "runs",
    params(("tenant" = String, Path, description = "The tenant's name."), Which),
    responses((status = 200, description = "The runs.", body = Runs)),
    security(("access_token" = ["runs:read"]), ("api_key" = ["runs:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::RunsRead>,
    Query(which): Query<Which>,
) -> Result<axum::Json<Runs>, ApiError> {
    let limit = parse::limit(which.limit)?;
    if which
        .state
        .as_ref()
        .is_some_and(|state| !STATES.contains(&state.as_str()))
    {
        return Err(ApiError::invalid("state", format!("write {}", STATES.join(", "))));
    }
    let (cluster, namespace) = resources::place(&state, &access).await?;
    let page = cluster
        .list_runs(&namespace, limit, which.page_token.as_deref(), which.labels.as_deref())
        .await?;
    Ok(axum::Json(Runs {
        runs: page
            .items
            .into_iter()
            .map(Run::from)
            .filter(|run| which.state.as_ref().is_none_or(|state| run.state == state))
            .collect(),
        next_page_token: page.next,
    }))
}
