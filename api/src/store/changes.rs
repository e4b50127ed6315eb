//! What changed of what replicas remember.

use sqlx::PgPool;
use uuid::Uuid;

use crate::store::StoreError;

/// Later than every transaction.
const NEVER: &str = "18446744073709551615";

/// A change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Its own number, which says nothing of the order.
    pub position: i64,
    /// Of what.
    pub subject: Uuid,
}

/// Changes as they stood at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Every transaction before this one had ended.
    pub horizon: i64,
    /// When the server was started, in microseconds.
    pub server_started: i64,
    /// The newest version of a run that a write through the API gave, of all tenants.
    pub runs_version: u64,
    /// The changes of transactions from the wanted one on, as far as these had been committed.
    pub changes: Vec<Change>,
}

/// Reads from a horizon on, or the horizon alone. Changes beyond the horizon are read again by who goes on from there: a
/// transaction that was open may still be committed, with changes between those that were read.
pub async fn read(pool: &PgPool, from: Option<i64>) -> Result<Reading, StoreError> {
    let rows = sqlx::query!(
        r#"
        WITH server AS MATERIALIZED (
            SELECT
                pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon,
                (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS started,
                lookup.newest_runs_version() AS runs_version
        )
        SELECT
            server.horizon AS "horizon!",
            server.started AS "server_started!",
            server.runs_version AS "runs_version!",
            c.position AS "position?",
            c.subject_id AS "subject?"
        FROM server
        LEFT JOIN changes AS c ON c.transaction_id >= $1::text::xid8
        "#,
        from.map_or(NEVER.to_owned(), |from| from.to_string()),
    )
    .fetch_all(pool)
    .await
    .map_err(|source| StoreError::new("read what changed", source))?;
    let first = rows.first().ok_or(StoreError::Row("changes"))?;
    Ok(Reading {
        horizon: first.horizon,
        server_started: first.server_started,
        runs_version: first.runs_version.cast_unsigned(),
        changes: rows
            .into_iter()
            .filter_map(|row| {
                Some(Change {
                    position: row.position?,
                    subject: row.subject?,
                })
            })
            .collect(),
    })
}

/// Forgets changes of yesterday and before: whoever reads has read them, or remembers nothing.
pub async fn forget(pool: &PgPool) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM changes WHERE at < now() - interval '24 hours'")
        .execute(pool)
        .await
        .map_err(|source| StoreError::new("forget old changes", source))?;
    Ok(())
}
