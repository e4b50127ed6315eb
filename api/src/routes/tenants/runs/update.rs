//! `PATCH /v1/tenants/{tenant}/runs/{run}`.

use std::collections::BTreeMap;

use axum::{
    extract::{Path, State},
    response::Response,
};
use crds::sandbox_run::SandboxRun;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::need,
    cluster::version,
    http::{
        access::In,
        error::{ApiError, Problem},
        etag::{IfMatch, IfMatchHeader},
        json::Json,
        merge::merged,
        request_id::RequestId,
    },
    routes::tenants::{
        resources::{self, Asked},
        runs::{self, wanted},
    },
};

/// What can be changed of a run (RFC 7396): what is not named stays, null takes away.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RunChange, example = json!({"labels": {"team": "search", "stage": null}}))]
pub struct Writable {
    /// Its labels.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// How long the run is kept after it has finished, in seconds. Without, until somebody deletes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 31_536_000)]
    ttl_seconds_after_finished: Option<i32>,
    /// Whether its end is asked for; that cannot be taken back.
    #[serde(default)]
    cancel: bool,
}

/// Change a run.
///
/// Its labels, how long it is kept, and that its end is asked for. What it runs is settled when it is made.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant}/runs/{run}",
    tag = "runs",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("run" = String, Path, description = "The run's name."),
        IfMatchHeader
    ),
    request_body = Writable,
    responses(
        (status = 200, description = "The run as it is now.", body = runs::Run, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 412, description = "It was changed since (`precondition_failed`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("access_token" = ["runs:write"]), ("api_key" = ["runs:write"]), ("session" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::RunsWrite>,
    path: Path<(String, String)>,
    if_match: IfMatch,
    Json(change): Json<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let Path((_, name)) = path;
    let asked = Asked {
        action: "run.update",
        kind: "run",
        name: &name,
        request_id: &request_id,
    };
    let changed = |there| changed(there, &change);
    let run = resources::change(&state, &access, asked, &if_match, runs::content, changed).await?;
    runs::wrote(&state, &access, version(&run)).await?;
    runs::tagged(run)
}

/// What becomes of the version that was read.
fn changed(mut there: SandboxRun, change: &Map<String, Value>) -> Result<SandboxRun, ApiError> {
    let now = Writable {
        labels: there.metadata.labels.clone().unwrap_or_default(),
        ttl_seconds_after_finished: there.spec.ttl_seconds_after_finished,
        cancel: there.spec.cancel,
    };
    let wanted: Writable = merged(&now, change)?;
    wanted::own_labels(&wanted.labels)?;
    there.metadata.labels = Some(wanted.labels);
    there.spec.ttl_seconds_after_finished = wanted.ttl_seconds_after_finished;
    there.spec.cancel = wanted.cancel;
    Ok(there)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(patch: Value) -> Result<SandboxRun, ApiError> {
        let spec = json!({"image": "i", "ttlSecondsAfterFinished": 60});
        let mut run = SandboxRun::new("answer", serde_json::from_value(spec).unwrap());
        run.metadata.labels = Some(
            [("team", "search"), ("stage", "test")]
                .map(|(k, v)| (k.into(), v.into()))
                .into(),
        );
        let Value::Object(patch) = patch else { unreachable!() };
        changed(run, &patch)
    }

    #[test]
    fn changes_what_is_named_and_takes_away_what_is_null() {
        let run =
            patched(json!({"labels": {"stage": null, "owner": "ada"}, "ttl_seconds_after_finished": null})).unwrap();
        let labels = [("owner", "ada"), ("team", "search")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(run.metadata.labels, Some(labels.into()));
        assert_eq!((run.spec.ttl_seconds_after_finished, run.spec.cancel), (None, false));
        let run = patched(json!({"cancel": true})).unwrap();
        assert_eq!((run.spec.ttl_seconds_after_finished, run.spec.cancel), (Some(60), true));
        assert_eq!(run.metadata.labels.unwrap().len(), 2);
    }

    #[test]
    fn refuses_what_is_settled_and_what_is_pinfolds() {
        let refused = |patch| match patched(patch) {
            Err(ApiError::Invalid { field, message }) => format!("{field}: {message}"),
            Err(ApiError::Body { message, .. }) => message,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            refused(json!({"image": "other"})),
            "image: unknown field `image`, expected one of `labels`, `ttl_seconds_after_finished`, `cancel`"
        );
        assert_eq!(
            refused(json!({"labels": {"pinfold.dev/run": "x"}})),
            "labels: \"pinfold.dev/run\" is set by Pinfold alone; use a label of your own"
        );
    }
}
