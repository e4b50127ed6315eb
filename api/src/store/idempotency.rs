//! Requests that are done once, however often they are sent.

use jiff::{SignedDuration, Timestamp};
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::store::{Scope, StoreError};

/// How long an answer is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(25);

/// A request that may be sent again.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whose.
    pub principal: String,
    /// Method and path.
    pub route: String,
    /// The hash of its key.
    pub key_hash: [u8; 32],
}

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It is the caller's to do, under this lease. `request_id` is the first request's.
    Held {
        /// Which lease this is; from 2 on somebody was at it before and did not come to the end.
        epoch: i64,
        /// The id of the first request.
        request_id: String,
        /// Whether it was done outside of the database, and only the answer is missing.
        done: bool,
    },
    /// It was answered.
    Answered {
        /// The status.
        status: u16,
        /// The sealed body.
        answer: Vec<u8>,
    },
    /// Somebody else is at it.
    UnderWay,
    /// The key was used for another request.
    Other,
}

/// Takes a request, or tells what became of it.
pub async fn take(
    pool: &PgPool,
    request: &Request,
    request_hash: &[u8; 32],
    request_id: &str,
    now: Timestamp,
    lease: SignedDuration,
) -> Result<Known, StoreError> {
    let failed = |source| StoreError::new("take an idempotent request", source);
    let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
    let held = sqlx::query!(
        r#"
        INSERT INTO idempotency_keys AS k
            (principal, route, key_hash, request_hash, request_id, leased_until, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (principal, route, key_hash) DO UPDATE
        SET epoch = k.epoch + 1, leased_until = EXCLUDED.leased_until
        WHERE k.status IS NULL AND k.leased_until <= $7 AND k.request_hash = EXCLUDED.request_hash
        RETURNING epoch, request_id, done
        "#,
        request.principal,
        request.route,
        &request.key_hash[..],
        &request_hash[..],
        request_id,
        until.to_sqlx() as _,
        now.to_sqlx() as _,
    )
    .fetch_optional(pool)
    .await
    .map_err(failed)?;
    if let Some(held) = held {
        return Ok(Known::Held {
            epoch: held.epoch,
            request_id: held.request_id,
            done: held.done,
        });
    }
    let found = sqlx::query!(
        r#"
        SELECT request_hash, status, answer
        FROM idempotency_keys
        WHERE principal = $1 AND route = $2 AND key_hash = $3
        "#,
        request.principal,
        request.route,
        &request.key_hash[..],
    )
    .fetch_optional(pool)
    .await
    .map_err(failed)?;
    Ok(match found {
        Some(row) if row.request_hash != request_hash[..] => Known::Other,
        Some(row) => match (row.status.and_then(|status| u16::try_from(status).ok()), row.answer) {
            (Some(status), Some(answer)) => Known::Answered { status, answer },
            _ => Known::UnderWay,
        },
        // Given back just now.
        None => Known::UnderWay,
    })
}

/// Stores that a request was done outside of the database.
pub async fn done(pool: &PgPool, request: &Request, epoch: i64) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        UPDATE idempotency_keys
        SET done = true
        WHERE principal = $1 AND route = $2 AND key_hash = $3 AND epoch = $4
        "#,
        request.principal,
        request.route,
        &request.key_hash[..],
        epoch,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("store that an idempotent request was done", source))?;
    Ok(())
}

/// Stores the answer; false if the lease is somebody else's by now: then nothing of the transaction may stay.
pub async fn answer(
    tx: &mut impl Scope,
    request: &Request,
    epoch: i64,
    status: u16,
    answer: &[u8],
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        r#"
        UPDATE idempotency_keys
        SET status = $5, answer = $6
        WHERE principal = $1 AND route = $2 AND key_hash = $3 AND epoch = $4 AND status IS NULL
        "#,
        request.principal,
        request.route,
        &request.key_hash[..],
        epoch,
        i16::try_from(status).unwrap_or(0),
        answer,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store an idempotent answer", source))?;
    Ok(done.rows_affected() == 1)
}

/// Gives a request back of which nothing was done.
pub async fn give_back(pool: &PgPool, request: &Request, epoch: i64) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        DELETE FROM idempotency_keys
        WHERE principal = $1 AND route = $2 AND key_hash = $3 AND epoch = $4 AND status IS NULL
        "#,
        request.principal,
        request.route,
        &request.key_hash[..],
        epoch,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("give an idempotent request back", source))?;
    Ok(())
}

/// Lets the next who sends a request go on with it.
pub async fn pass_on(pool: &PgPool, request: &Request, epoch: i64, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        UPDATE idempotency_keys
        SET leased_until = $5
        WHERE principal = $1 AND route = $2 AND key_hash = $3 AND epoch = $4 AND status IS NULL
        "#,
        request.principal,
        request.route,
        &request.key_hash[..],
        epoch,
        now.to_sqlx() as _,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("pass an idempotent request on", source))?;
    Ok(())
}

/// Forgets what is older than it is kept.
pub async fn forget(pool: &PgPool, now: Timestamp) -> Result<(), StoreError> {
    let before = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    sqlx::query!(
        "DELETE FROM idempotency_keys WHERE created_at < $1 AND leased_until < $2",
        before.to_sqlx() as _,
        now.to_sqlx() as _,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("forget idempotent requests", source))?;
    Ok(())
}
