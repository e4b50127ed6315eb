//! The chains that audit events are numbered in. Row-level security shows the one of a transaction's tenant, or the one of no
//! tenant, and finds it by an index: no query here asks for it again.

#[cfg(test)]
mod tests;

use domain::TenantId;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    auth::chain::{self, Head, Link},
    store::{Scope, StoreError},
};

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its id.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// `agent`, `overseer` or `system`.
    pub actor_kind: String,
    /// Which.
    pub actor_id: Option<Uuid>,
    /// What.
    pub action: String,
    /// To what.
    pub target_id: Option<Uuid>,
    /// In which request.
    pub request_id: String,
    /// What else there is to say.
    pub detail: Value,
}

impl Stored {
    /// The event as it is hashed and exported: JSON without spaces, the members of every object by name.
    pub fn text(&self, of: Option<TenantId>) -> String {
        json!({
            "id": self.id,
            "chain": chain::name(of),
            "at": self.at.to_string(),
            "actor_kind": self.actor_kind,
            "actor_id": self.actor_id.map(|id| id.to_string()),
            "action": self.action,
            "target_id": self.target_id.map(|id| id.to_string()),
            "request_id": self.request_id,
            "detail": self.detail,
        })
        .to_string()
    }
}

/// A place in a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Its number.
    pub sequence: i64,
    /// The link that is stored.
    pub link: Link,
    /// The event, unless it is gone.
    pub event: Option<Stored>,
}

/// The chains with events that are not numbered yet. The one of no tenant is `None`.
pub async fn unsealed_chains(pool: &PgPool) -> Result<Vec<Option<TenantId>>, StoreError> {
    let rows = sqlx::query_scalar!(r#"SELECT tenant_id FROM lookup.audit_chains_unsealed()"#)
        .fetch_all(pool)
        .await
        .map_err(|source| StoreError::new("find audit events to number", source))?;
    Ok(named(rows))
}

/// Every chain of which something is there.
pub async fn chains(pool: &PgPool) -> Result<Vec<Option<TenantId>>, StoreError> {
    let rows = sqlx::query_scalar!(r#"SELECT tenant_id FROM lookup.audit_chains() ORDER BY tenant_id NULLS FIRST"#)
        .fetch_all(pool)
        .await
        .map_err(|source| StoreError::new("list the audit chains", source))?;
    Ok(named(rows))
}

fn named(rows: Vec<Option<Uuid>>) -> Vec<Option<TenantId>> {
    rows.into_iter().map(|id| id.map(TenantId::of_uuid)).collect()
}

/// Makes this transaction the only one that numbers its chain; `false` if another is. What was numbered since the table was last cleaned up is
/// found first whenever the queue is read; an index alone remembers that it is gone, and a bitmap of it does not.
pub async fn lock(tx: &mut impl Scope) -> Result<bool, StoreError> {
    let key = format!("audit/{}", chain::name(tx.tenant()));
    sqlx::query_scalar!(
        r#"
        SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS "held!"
        FROM (SELECT set_config('enable_bitmapscan', 'off', true) OFFSET 0) AS chosen
        "#,
        key
    )
    .fetch_one(tx.connection())
    .await
    .map_err(|source| StoreError::new("lock an audit chain", source))
}

/// The head as it is stored.
pub async fn head(tx: &mut impl Scope) -> Result<Option<(Head, Link)>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT count, hash, at AS "at: jiff_sqlx::Timestamp", signature FROM audit_heads
        "#
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("read the head of an audit chain", source))?;
    row.map(|row| {
        let link = link(&row.hash)?;
        let head = Head {
            chain: chain::name(tx.tenant()),
            count: row.count,
            hash: link.to_string(),
            at: row.at.to_jiff().as_microsecond(),
            signature: row.signature,
        };
        Ok((head, link))
    })
    .transpose()
}

/// The last place.
pub async fn last(tx: &mut impl Scope) -> Result<Option<(i64, Link)>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT sequence, hash FROM audit_seals ORDER BY sequence DESC LIMIT 1
        "#
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("read the end of an audit chain", source))?;
    row.map(|row| Ok((row.sequence, link(&row.hash)?))).transpose()
}

/// Takes events that are not numbered yet out of the queue, the oldest first, and gives the ids of those that are gone: so many, unless fewer wait, and
/// what was stored together with the last of them. Each is looked up by its id: of a long chain all events would be read to join them with some.
pub async fn take(tx: &mut impl Scope, enough: i64) -> Result<(Vec<Stored>, Vec<i64>), StoreError> {
    let rows = sqlx::query!(
        r#"
        WITH first AS (
            SELECT ctid, event_id, 1 + cardinality(others) AS events FROM audit_unsealed ORDER BY event_id LIMIT $1
        ), enough AS (
            SELECT ctid, sum(events) OVER (ORDER BY event_id) - events AS before FROM first
        ), moved AS (
            DELETE FROM audit_unsealed
            WHERE ctid = ANY (ARRAY(SELECT ctid FROM enough WHERE before < $1))
            RETURNING event_id, others
        ), taken AS (
            SELECT event_id AS id FROM moved UNION SELECT unnest(others) FROM moved
        )
        SELECT
            taken.id AS "taken!", e.id AS "id?", e.at AS "at?: jiff_sqlx::Timestamp", e.actor_kind AS "actor_kind?", e.actor_id,
            e.action AS "action?", e.target_id, e.request_id AS "request_id?", e.detail AS "detail?"
        FROM taken
        LEFT JOIN LATERAL (SELECT * FROM audit_events WHERE id = taken.id OFFSET 0) AS e ON true
        WHERE NOT EXISTS (SELECT FROM audit_seals AS s WHERE s.event_id = taken.id)
        ORDER BY taken.id
        "#,
        enough,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("read audit events to number", source))?;
    let (mut there, mut gone) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let joined = Joined {
            id: row.id,
            at: row.at,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id,
            action: row.action,
            target_id: row.target_id,
            request_id: row.request_id,
            detail: row.detail,
        };
        match joined.event() {
            Some(event) => there.push(event),
            None => gone.push(row.taken),
        }
    }
    Ok((there, gone))
}

/// Stores the places of events, and the head behind the last of them.
pub async fn seal(tx: &mut impl Scope, places: &[(i64, i64, Link)], head: &Head) -> Result<(), StoreError> {
    let ids: Vec<i64> = places.iter().map(|(id, ..)| *id).collect();
    let sequences: Vec<i64> = places.iter().map(|(_, sequence, _)| *sequence).collect();
    let links: Vec<Vec<u8>> = places.iter().map(|(.., link)| link.0.to_vec()).collect();
    let tenant = tx.tenant().map(|id| id.uuid());
    sqlx::query!(
        r#"
        INSERT INTO audit_seals (tenant_id, event_id, sequence, hash)
        SELECT $1, p.event_id, p.sequence, p.hash
        FROM UNNEST($2::bigint[], $3::bigint[], $4::bytea[]) AS p (event_id, sequence, hash)
        "#,
        tenant,
        &ids,
        &sequences,
        &links,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("number audit events", source))?;
    let Some((.., last)) = places.last() else {
        return Ok(());
    };
    put_head(tx, head, *last).await
}

/// Stores the end of the chain.
pub async fn put_head(tx: &mut impl Scope, head: &Head, last: Link) -> Result<(), StoreError> {
    let at = Timestamp::from_microsecond(head.at).unwrap_or_default();
    sqlx::query!(
        r#"
        INSERT INTO audit_heads (tenant_id, count, hash, at, signature)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (chain) DO UPDATE
        SET count = EXCLUDED.count, hash = EXCLUDED.hash, at = EXCLUDED.at, signature = EXCLUDED.signature
        "#,
        tx.tenant().map(|id| id.uuid()),
        head.count,
        &last.0[..],
        at.to_sqlx() as _,
        head.signature,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store the head of an audit chain", source))?;
    Ok(())
}

/// Places behind a number, in order.
pub async fn after(tx: &mut impl Scope, sequence: i64, most: i64) -> Result<Vec<Place>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            s.sequence, s.hash, e.id AS "id?", e.at AS "at?: jiff_sqlx::Timestamp", e.actor_kind AS "actor_kind?", e.actor_id,
            e.action AS "action?", e.target_id, e.request_id AS "request_id?", e.detail AS "detail?"
        FROM audit_seals AS s
        LEFT JOIN audit_events AS e ON e.id = s.event_id
        WHERE s.sequence > $1
        ORDER BY s.sequence
        LIMIT $2
        "#,
        sequence,
        most,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("read an audit chain", source))?;
    rows.into_iter()
        .map(|row| {
            let joined = Joined {
                id: row.id,
                at: row.at,
                actor_kind: row.actor_kind,
                actor_id: row.actor_id,
                action: row.action,
                target_id: row.target_id,
                request_id: row.request_id,
                detail: row.detail,
            };
            Ok(Place {
                sequence: row.sequence,
                link: link(&row.hash)?,
                event: joined.event(),
            })
        })
        .collect()
}

/// Which of a tenant's events.
#[derive(Debug, Clone, Copy)]
pub struct Filter<'a> {
    /// Before this number.
    pub before: i64,
    /// Only this action.
    pub action: Option<&'a str>,
    /// Only of this actor.
    pub actor: Option<Uuid>,
    /// Only what was done to this.
    pub target: Option<Uuid>,
    /// So many at most.
    pub most: i64,
}

/// Numbered events, the newest first.
pub async fn newest(tx: &mut impl Scope, filter: Filter<'_>) -> Result<Vec<(i64, Stored)>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            s.sequence, e.id, e.at AS "at: jiff_sqlx::Timestamp", e.actor_kind, e.actor_id, e.action, e.target_id, e.request_id,
            e.detail
        FROM audit_seals AS s
        JOIN audit_events AS e ON e.id = s.event_id
        WHERE s.sequence < $1
            AND ($2::text IS NULL OR e.action = $2)
            AND ($3::uuid IS NULL OR e.actor_id = $3)
            AND ($4::uuid IS NULL OR e.target_id = $4)
        ORDER BY s.sequence DESC
        LIMIT $5
        "#,
        filter.before,
        filter.action,
        filter.actor,
        filter.target,
        filter.most,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("list audit events", source))?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let event = Stored {
                id: row.id,
                at: row.at.to_jiff(),
                actor_kind: row.actor_kind,
                actor_id: row.actor_id,
                action: row.action,
                target_id: row.target_id,
                request_id: row.request_id,
                detail: row.detail,
            };
            (row.sequence, event)
        })
        .collect())
}

/// Has events numbered that have no number and wait for none: a replica of the release before knows of no queue, and somebody
/// may have taken them out of it.
pub async fn adopt(tx: &mut impl Scope) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        r#"
        WITH waiting AS (
            SELECT event_id AS id FROM audit_unsealed UNION ALL SELECT unnest(others) FROM audit_unsealed
        )
        INSERT INTO audit_unsealed (event_id, tenant_id)
        SELECT e.id, e.tenant_id
        FROM audit_events AS e
        WHERE NOT EXISTS (SELECT FROM audit_seals AS s WHERE s.event_id = e.id)
            AND NOT EXISTS (SELECT FROM waiting AS w WHERE w.id = e.id)
        "#
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("adopt audit events", source))?;
    Ok(done.rows_affected())
}

/// Events that have no number and wait for none: somebody took them out of the queue.
pub async fn lost(tx: &mut impl Scope) -> Result<Vec<i64>, StoreError> {
    sqlx::query_scalar!(
        r#"
        WITH waiting AS (
            SELECT event_id AS id FROM audit_unsealed UNION ALL SELECT unnest(others) FROM audit_unsealed
        )
        SELECT e.id
        FROM audit_events AS e
        WHERE NOT EXISTS (SELECT FROM audit_seals AS s WHERE s.event_id = e.id)
            AND NOT EXISTS (SELECT FROM waiting AS w WHERE w.id = e.id)
        ORDER BY e.id
        LIMIT 20
        "#
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("look for audit events without a number", source))
}

/// What is joined with an event that may be gone.
struct Joined {
    id: Option<i64>,
    at: Option<jiff_sqlx::Timestamp>,
    actor_kind: Option<String>,
    actor_id: Option<Uuid>,
    action: Option<String>,
    target_id: Option<Uuid>,
    request_id: Option<String>,
    detail: Option<Value>,
}

impl Joined {
    fn event(self) -> Option<Stored> {
        Some(Stored {
            id: self.id?,
            at: self.at?.to_jiff(),
            actor_kind: self.actor_kind?,
            actor_id: self.actor_id,
            action: self.action?,
            target_id: self.target_id,
            request_id: self.request_id?,
            detail: self.detail?,
        })
    }
}

fn link(bytes: &[u8]) -> Result<Link, StoreError> {
    bytes.try_into().map(Link).map_err(|_| StoreError::Row("audit_seals"))
}
