//! Notes when a proof was last used, to the minute.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use telemetry::logging::chain;
use tracing::warn;

use crate::{
    app::AppState,
    store::{
        Scope as _, StoreError,
        api_keys::{self, Presented},
        sessions::{self, Session},
    },
};

/// How exactly it is noted.
const USED: SignedDuration = SignedDuration::from_mins(1);

/// How long a request waits for that.
const PATIENCE: Duration = Duration::from_secs(1);

/// A key came with a request.
pub async fn key(state: &AppState, key: &Presented, now: Timestamp) {
    if key.used_at.is_none_or(|at| at.duration_until(now) > USED) {
        state.standing.saw_key(&key.hash, now);
        noted(store(state, key, now)).await;
    }
}

async fn store(state: &AppState, key: &Presented, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = state.database.any(key.tenant).await?;
    api_keys::see(&mut tx, key.id, now).await?;
    tx.commit().await
}

/// A session's cookie came with a request.
pub async fn session(state: &AppState, session: &Session, token_hash: &[u8; 32], now: Timestamp) {
    if session.seen_at.duration_until(now) > USED {
        state.standing.saw_session(token_hash, now);
        noted(sessions::see(state.database.pool(), session.id, now)).await;
    }
}

/// That it is not known when a proof was used keeps nobody out, nor up for long.
async fn noted(storing: impl Future<Output = Result<(), StoreError>>) {
    match tokio::time::timeout(PATIENCE, storing).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(error = chain(&error), "it was not noted when a proof was used"),
        Err(_) => warn!("it was not noted in time when a proof was used"),
    }
}
