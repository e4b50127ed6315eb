//! `GET /v1/tenants/{tenant}/audit/export`.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use domain::TenantId;
use futures::stream;
use serde_json::json;
use telemetry::logging::chain;
use tokio::sync::mpsc;

use tracing::Instrument as _;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{access::In, error::ApiError},
    store::{Database, StoreError, audit_chain},
};

/// Events that are read in one go.
const BATCH: i64 = 500;

/// Batches that wait for a slow reader.
const WAITING: usize = 2;

/// Export what was done in a tenant.
///
/// JSON lines (`application/jsonl`): one for each event, the oldest first, with its number, its hash and the event as it was hashed, as
/// text; then one with `head`, the signed end of the chain. docs/audit.md says how to check them. Without the last line the
/// export was cut off.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/audit/export",
    tag = "audit",
    params(("tenant" = String, Path, description = "The tenant's name.")),
    responses(
        (status = 200, description = "The events.", content_type = "application/jsonl", body = String),
    ),
    security(("api_key" = ["audit:read"]), ("session" = []))
)]
pub async fn export(State(state): State<AppState>, access: In<need::AuditRead>) -> Result<Response, ApiError> {
    // What is away is said before the first line.
    let head = {
        let mut tx = state.database.tenant(access.tenant).await?;
        audit_chain::head(&mut tx).await?.map(|(head, _)| head)
    };
    let count = head.as_ref().map_or(0, |head| head.count);
    let (send, receive) = mpsc::channel(WAITING);
    let database = state.database.clone();
    tokio::spawn(
        async move {
            let lines = async {
                write(&database, access.tenant, count, &send).await?;
                let end = json!({"head": head}).to_string() + "\n";
                // A reader that went away needs no end.
                let _ = send.send(Ok(Bytes::from(end))).await;
                Ok::<_, StoreError>(())
            };
            if let Err(error) = lines.await {
                tracing::warn!(error = chain(&error), "an export of the audit was cut off");
                let _ = send.send(Err(std::io::Error::other("cut off"))).await;
            }
        }
        .in_current_span(),
    );
    let lines = stream::unfold(receive, async |mut receive| {
        receive.recv().await.map(|lines| (lines, receive))
    });
    let kind = [(header::CONTENT_TYPE, "application/jsonl")];
    Ok((kind, Body::from_stream(lines)).into_response())
}

/// Writes the events up to a number. Each batch has a transaction of its own: a slow reader holds no connection.
async fn write(
    database: &Database,
    tenant: TenantId,
    count: i64,
    send: &mpsc::Sender<std::io::Result<Bytes>>,
) -> Result<(), StoreError> {
    let mut written = 0;
    while written < count {
        let places = {
            let mut tx = database.tenant(tenant).await?;
            audit_chain::after(&mut tx, written, BATCH.min(count - written)).await?
        };
        let Some(last) = places.last() else { return Ok(()) };
        written = last.sequence;
        let mut lines = String::new();
        for place in &places {
            let event = place.event.as_ref().map(|event| event.text(Some(tenant)));
            let line = json!({"sequence": place.sequence, "hash": place.link.to_string(), "event": event});
            lines += &line.to_string();
            lines.push('\n');
        }
        if send.send(Ok(Bytes::from(lines))).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
