//! `GET /v1/tenants/{tenant}/events`.

use axum::{
    extract::State,
    response::{Response, sse::Event},
};
use futures::StreamExt as _;
use serde::Serialize;
use tokio::sync::mpsc;

use tracing::Instrument as _;

use crate::{
    app::AppState,
    auth::rights::need,
    cluster::Change,
    http::{access::In, error::ApiError, sse},
    routes::tenants::{resources, runs::Run},
};

/// Events that wait for a slow reader.
const WAITING: usize = 64;

/// Follow the tenant's runs.
///
/// Server-sent events, from now on: `run` with a run as it is now, whenever one is made or changes; `deleted` with one as it
/// was last; `missed` when some may be missing (the reader was too slow, or the cluster could not be watched for a while): list
/// the runs then. Begin the other way round: follow, wait for the first `missed`, list, and go on with what is told.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/events",
    tag = "runs",
    params(("tenant" = String, Path, description = "The tenant's name.")),
    responses(
        (status = 200, description = "The events.", content_type = "text/event-stream", body = String, example = "event: missed\ndata: list the runs\n\nevent: run\ndata: {\"name\":\"answer\",\"state\":\"succeeded\"}\n\n"),
    ),
    security(("access_token" = ["runs:read"]), ("api_key" = ["runs:read"]), ("session" = []))
)]
pub async fn events(State(state): State<AppState>, access: In<need::RunsRead>) -> Result<Response, ApiError> {
    let (cluster, namespace) = resources::place(&state, &access).await?;
    let mut changes = Box::pin(cluster.changes(&namespace));
    let (send, receive) = mpsc::channel(WAITING);
    tokio::spawn(
        async move {
            let telling = async {
                let mut next = event(Change::Missed);
                while send.send(next).await.is_ok() {
                    match changes.next().await {
                        Some(change) => next = event(change),
                        None => return,
                    }
                }
            };
            // Whatever ends first ends the stream.
            tokio::select! {
                () = telling => {}
                () = access.lost(&state) => {}
                () = state.stopping() => {}
                () = send.closed() => {}
            }
        }
        .in_current_span(),
    );
    Ok(sse::of(receive))
}

fn event(change: Change) -> Event {
    match change {
        Change::Now(run) => data("run", &Run::from((*run).clone())),
        Change::Gone(run) => data("deleted", &Run::from((*run).clone())),
        Change::Missed => Event::default().event("missed").data("list the runs"),
    }
}

fn data(kind: &str, what: &impl Serialize) -> Event {
    // A run always is JSON.
    let text = serde_json::to_string(what).unwrap_or_default();
    Event::default().event(kind).data(text)
}
