//! What is to be done outside the database: stored with what it follows from, taken by one worker at a time.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use serde_json::Value;
use sqlx::{PgPool, postgres::PgListener};
use uuid::Uuid;

use crate::store::{Scope, StoreError};

/// The channel on which new jobs are announced.
pub const CHANNEL: &str = "pinfold_jobs";

/// A job to be done.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// What: the kind of thing and the verb, `tenant.apply`.
    pub kind: &'static str,
    /// On what: jobs of one subject and kind are done in order. Who adds one holds the subject's row, or has just made it.
    pub subject: Uuid,
    /// What else the worker needs; ids, never secrets.
    pub payload: Value,
    /// Now.
    pub at: Timestamp,
}

/// A job that this worker holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Its place.
    pub position: i64,
    /// What.
    pub kind: String,
    /// On what.
    pub subject: Uuid,
    /// What else there is to know.
    pub payload: Value,
    /// How often it was tried, this time included.
    pub attempts: i32,
    /// Which lease this is.
    pub epoch: i64,
}

/// How many jobs there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// That are to be done.
    pub waiting: i64,
    /// That were given up.
    pub dead: i64,
}

/// Adds a job.
pub async fn insert(tx: &mut impl Scope, job: &NewJob) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO jobs (kind, subject_id, payload, created_at, due_at)
        VALUES ($1, $2, $3, $4, $4)
        "#,
        job.kind,
        job.subject,
        job.payload,
        job.at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a job", source))?;
    Ok(())
}

/// Takes jobs that are due and that nobody holds, the first of each subject.
pub async fn take(pool: &PgPool, most: i64, lease: SignedDuration, now: Timestamp) -> Result<Vec<Held>, StoreError> {
    let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
    let rows = sqlx::query!(
        r#"
        UPDATE jobs
        SET attempts = attempts + 1, epoch = epoch + 1, leased_until = $3
        WHERE position IN (
            SELECT position
            FROM jobs AS j
            WHERE dead_at IS NULL
                AND due_at <= $1
                AND (leased_until IS NULL OR leased_until <= $1)
                AND NOT EXISTS (
                    SELECT FROM jobs AS earlier
                    WHERE earlier.subject_id = j.subject_id
                        AND earlier.kind = j.kind
                        AND earlier.position < j.position
                        AND earlier.dead_at IS NULL
                )
            ORDER BY due_at, position
            LIMIT $2
            FOR UPDATE SKIP LOCKED
        )
        RETURNING position, kind, subject_id, payload, attempts, epoch
        "#,
        now.to_sqlx() as _,
        most,
        until.to_sqlx() as _,
    )
    .fetch_all(pool)
    .await
    .map_err(|source| StoreError::new("take jobs", source))?;
    Ok(rows
        .into_iter()
        .map(|row| Held {
            position: row.position,
            kind: row.kind,
            subject: row.subject_id,
            payload: row.payload,
            attempts: row.attempts,
            epoch: row.epoch,
        })
        .collect())
}

/// Whoever is at a job holds it for longer. False if the lease was lost.
pub async fn renew(pool: &PgPool, job: &Held, lease: SignedDuration, now: Timestamp) -> Result<bool, StoreError> {
    let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
    let renewed = sqlx::query!(
        "UPDATE jobs SET leased_until = $3 WHERE position = $1 AND epoch = $2",
        job.position,
        job.epoch,
        until.to_sqlx() as _,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("hold a job for longer", source))?;
    Ok(renewed.rows_affected() == 1)
}

/// A job is done. False if the lease was lost: then somebody else does it again.
pub async fn finish(pool: &PgPool, job: &Held) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM jobs WHERE position = $1 AND epoch = $2",
        job.position,
        job.epoch,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("end a job", source))?;
    Ok(done.rows_affected() == 1)
}

/// A job failed and is tried again later, or never.
pub async fn fail(
    pool: &PgPool,
    job: &Held,
    error: &str,
    again: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let short: String = error.chars().take(1000).collect();
    sqlx::query!(
        r#"
        UPDATE jobs
        SET last_error = $3,
            leased_until = NULL,
            due_at = coalesce($4, due_at),
            dead_at = CASE WHEN $4::timestamptz IS NULL THEN $5::timestamptz END
        WHERE position = $1 AND epoch = $2
        "#,
        job.position,
        job.epoch,
        short,
        again.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
        now.to_sqlx() as _,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("put a job off", source))?;
    Ok(())
}

/// Tells workers that there is something to do.
pub async fn announce(pool: &PgPool) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_notify($1, '')", CHANNEL)
        .execute(pool)
        .await
        .map_err(|source| StoreError::new("announce jobs", source))?;
    Ok(())
}

/// Hears of jobs that other processes stored.
#[derive(Debug)]
pub struct Listener(PgListener);

/// Begins to listen, over a connection of its own.
pub async fn listen(pool: &PgPool) -> Result<Listener, StoreError> {
    let failed = |source| StoreError::new("listen for jobs", source);
    let mut listener = PgListener::connect_with(pool).await.map_err(failed)?;
    listener.listen(CHANNEL).await.map_err(failed)?;
    Ok(Listener(listener))
}

impl Listener {
    /// Waits for the next announcement.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        let heard = self.0.recv().await;
        heard
            .map(drop)
            .map_err(|source| StoreError::new("listen for jobs", source))
    }
}

/// How many jobs there are.
pub async fn count(pool: &PgPool) -> Result<Counts, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            count(*) FILTER (WHERE dead_at IS NULL) AS "waiting!",
            count(*) FILTER (WHERE dead_at IS NOT NULL) AS "dead!"
        FROM jobs
        "#
    )
    .fetch_one(pool)
    .await
    .map_err(|source| StoreError::new("count jobs", source))?;
    Ok(Counts {
        waiting: row.waiting,
        dead: row.dead,
    })
}
