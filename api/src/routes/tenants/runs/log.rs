//! `GET /v1/tenants/{tenant}/runs/{run}/log`.

use axum::{
    extract::{Path, State},
    response::{Response, sse::Event},
};
use crds::sandbox_run::SandboxRun;
use futures::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use tokio::sync::mpsc;
use tracing::Instrument as _;
use utoipa::IntoParams;

use crate::{
    app::AppState,
    auth::rights::need,
    cluster::{Cluster, ClusterError, LogLines, Namespace},
    http::{access::In, error::ApiError, query::Query, sse},
    routes::tenants::runs::{self, is_over},
};

/// The most lines that can be asked for from the end.
const MOST: u32 = 100_000;

/// Lines that wait for a slow reader.
const WAITING: usize = 64;

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Whether to go on until the run is over. Default: false.
    #[serde(default)]
    follow: bool,
    /// Only so many lines from the end, 0 to 100,000. Default: all.
    #[param(minimum = 0, maximum = 100_000)]
    tail: Option<u32>,
}

/// Read a run's log.
///
/// Server-sent events: `line` with a line of output, then `end`. What the program wrote to both of its outputs, as long as
/// its pod exists; afterwards the end of its output, as the run has it. A line of more than 64 KiB comes in pieces, and what is not UTF-8 as U+FFFD.
/// `error` in place of `end` says that the log broke off. A run that waits is waited for if `follow` is set.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/runs/{run}/log",
    tag = "runs",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("run" = String, Path, description = "The run's name."),
        Which
    ),
    responses(
        (status = 200, description = "The lines.", content_type = "text/event-stream", body = String, example = "event: line\ndata: the answer is 42\n\nevent: end\ndata: Completed\n\n"),
    ),
    security(("access_token" = ["runs:read"]), ("api_key" = ["runs:read"]), ("session" = []))
)]
pub async fn log(
    State(state): State<AppState>,
    access: In<need::RunsRead>,
    path: Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    let Path((_, name)) = path;
    if which.tail.is_some_and(|lines| lines > MOST) {
        return Err(ApiError::invalid("tail", format!("write 0 to {MOST} lines")));
    }
    let (cluster, namespace, run) = runs::read(&state, &access, &name).await?;
    let (send, receive) = mpsc::channel(WAITING);
    let (closed, reading) = (send.clone(), read(cluster, namespace, run, which, send));
    tokio::spawn(
        async move {
            // Whatever ends first ends the stream.
            tokio::select! {
                () = reading => {}
                () = access.lost(&state) => {}
                () = state.stopping() => {}
                () = closed.closed() => {}
            }
        }
        .in_current_span(),
    );
    Ok(sse::of(receive))
}

/// Sends lines until there are no more, or nobody hears.
async fn read(cluster: Cluster, namespace: Namespace, run: SandboxRun, which: Which, send: mpsc::Sender<Event>) {
    let mut run = run;
    if which.follow {
        let begun = |run: &SandboxRun| is_over(run) || runs::holds(run, crds::sandbox_run::condition_type::STARTED);
        match cluster.wait_run(&namespace, run.clone(), begun).await {
            Ok(Some(now)) => run = now,
            _ => return,
        }
    }
    let tail = which.tail.map(i64::from);
    let follow = which.follow && !is_over(&run);
    let passed = match cluster.run_log(&namespace, &run, follow, tail).await {
        Ok(Some(lines)) => pass(lines, &send).await,
        Ok(None) => pass(kept(&run, which.tail), &send).await,
        Err(error) => Err(error),
    };
    if let Err(error) = passed {
        tracing::warn!(
            error = telemetry::logging::chain(&error),
            "a log was not read to its end"
        );
        let event = Event::default()
            .event("error")
            .data("the log cannot be read; come again");
        // Whoever went away needs no end.
        let _ = send.send(event).await;
        return;
    }
    // The run is over a little later than its program.
    let over = if which.follow {
        cluster.wait_run(&namespace, run, is_over).await.ok().flatten()
    } else {
        Some(run)
    };
    let reason = over.and_then(|run| run.status?.reason).unwrap_or_default();
    let _ = send.send(Event::default().event("end").data(reason)).await;
}

async fn pass(
    mut lines: impl Stream<Item = Result<String, ClusterError>> + Unpin,
    send: &mpsc::Sender<Event>,
) -> Result<(), ClusterError> {
    while let Some(line) = lines.next().await {
        let line = line?;
        // A carriage return would end the event's line.
        let event = Event::default().event("line").data(line.replace('\r', "\u{240d}"));
        if send.send(event).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// What the run itself has of its output.
fn kept(run: &SandboxRun, tail: Option<u32>) -> LogLines {
    let status = run.status.clone().unwrap_or_default();
    let all: Vec<String> = [status.stdout, status.stderr]
        .into_iter()
        .flatten()
        .flat_map(|output| output.text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let skipped = tail.map_or(0, |lines| {
        all.len().saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX))
    });
    stream::iter(all.into_iter().skip(skipped).map(Ok)).boxed()
}
