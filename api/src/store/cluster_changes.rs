//! Changes of the cluster's resources on their way into the audit, and who asked for them.

use std::collections::BTreeMap;

use domain::TenantId;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;
use uuid::Uuid;

use crate::store::{PlatformTransaction, Scope, StoreError};

/// The version of a request that is a deletion.
pub const DELETION: u64 = 0;

/// A change that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Of which resource: its UID.
    pub resource: Uuid,
    /// Since which version the change shows.
    pub version: u64,
    /// The kind of the resource.
    pub kind: String,
    /// `create`, `update` or `delete`.
    pub verb: String,
    /// Where the resource is, unless it is the cluster's own.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The tenant whose row it says that it stands for.
    pub account: Option<TenantId>,
    /// The number of its specification since.
    pub generation: i64,
    /// Whether it was found after a time in which nobody watched.
    pub was_missed: bool,
    /// When it was seen.
    pub seen_at: Timestamp,
}

/// Who asked for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Of which resource.
    pub resource: Uuid,
    /// The version that it made, or [`DELETION`].
    pub version: u64,
    /// Who; nobody else than this service if nothing.
    pub by: Option<By>,
    /// Which request it was: the cluster's id, or ours.
    pub request_id: String,
    /// When.
    pub at: Timestamp,
}

/// A user of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who proved who they are.
    pub user: String,
    /// As whom they acted, if as another.
    pub acting_as: Option<String>,
}

/// A time in which nobody watched a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Which kind.
    pub kind: String,
    /// The last version that was seen.
    pub after: u64,
    /// From which version on was looked again.
    pub version: u64,
    /// When.
    pub seen_at: Timestamp,
}

/// Stores changes.
pub async fn add(tx: &mut PlatformTransaction, changes: &[Change]) -> Result<(), StoreError> {
    for change in changes {
        sqlx::query!(
            r#"
            INSERT INTO cluster_changes
                (resource_id, version, kind, verb, namespace, name, made_at, account_id, generation, was_missed, seen_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            "#,
            change.resource,
            change.version.cast_signed(),
            change.kind,
            change.verb,
            change.namespace,
            change.name,
            change.made_at.to_sqlx() as _,
            change.account.map(|id| id.uuid()),
            change.generation,
            change.was_missed,
            change.seen_at.to_sqlx() as _,
        )
        .execute(tx.connection())
        .await
        .map_err(|source| StoreError::new("store a change of a resource", source))?;
    }
    Ok(())
}

/// Stores that nobody watched for a time.
pub async fn add_gap(tx: &mut PlatformTransaction, gap: &Gap) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO cluster_gaps (kind, after_version, version, seen_at) VALUES ($1, $2, $3, $4)",
        gap.kind,
        gap.after.cast_signed(),
        gap.version.cast_signed(),
        gap.seen_at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a gap", source))?;
    Ok(())
}

/// The times in which nobody watched and that are in no audit yet.
pub async fn gaps(pool: &PgPool) -> Result<Vec<Gap>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT kind, after_version, version, seen_at AS "seen_at: jiff_sqlx::Timestamp" FROM cluster_gaps ORDER BY version"#
    )
    .fetch_all(pool)
    .await
    .map_err(|source| StoreError::new("read gaps", source))?;
    Ok(rows
        .into_iter()
        .map(|row| Gap {
            kind: row.kind,
            after: row.after_version.cast_unsigned(),
            version: row.version.cast_unsigned(),
            seen_at: row.seen_at.to_jiff(),
        })
        .collect())
}

/// Takes a gap out; false if somebody else has.
pub async fn take_gap(tx: &mut impl Scope, gap: &Gap) -> Result<bool, StoreError> {
    let taken = sqlx::query!(
        "DELETE FROM cluster_gaps WHERE kind = $1 AND version = $2",
        gap.kind,
        gap.version.cast_signed()
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("take a gap", source))?;
    Ok(taken.rows_affected() == 1)
}

/// Changes of which it is known who asked for them, or that were seen before a moment; in the order of their versions.
pub async fn due(
    pool: &PgPool,
    seen_before: Timestamp,
    most: i64,
) -> Result<Vec<(Change, Option<Request>)>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            c.resource_id, c.version, c.kind, c.verb, c.namespace, c.name, c.made_at AS "made_at: jiff_sqlx::Timestamp",
            c.account_id, c.generation, c.was_missed, c.seen_at AS "seen_at: jiff_sqlx::Timestamp",
            r.is_own AS "is_own?", r.version AS "asked_version?", r.user_name, r.acting_as, r.request_id AS "request_id?",
            r.at AS "at?: jiff_sqlx::Timestamp"
        FROM cluster_changes AS c
        LEFT JOIN cluster_requests AS r
            ON r.resource_id = c.resource_id AND r.version = CASE c.verb WHEN 'delete' THEN 0 ELSE c.version END
            -- The version at which an update was found may be that of a later write.
            AND NOT (c.was_missed AND c.verb = 'update')
        WHERE r.resource_id IS NOT NULL OR c.seen_at <= $1
        ORDER BY c.version
        LIMIT $2
        "#,
        seen_before.to_sqlx() as _,
        most,
    )
    .fetch_all(pool)
    .await
    .map_err(|source| StoreError::new("read changes of resources", source))?;
    rows.into_iter()
        .map(|row| {
            let change = Change {
                resource: row.resource_id,
                version: row.version.cast_unsigned(),
                kind: row.kind,
                verb: row.verb,
                namespace: row.namespace,
                name: row.name,
                made_at: row.made_at.to_jiff(),
                account: row.account_id.map(TenantId::of_uuid),
                generation: row.generation,
                was_missed: row.was_missed,
                seen_at: row.seen_at.to_jiff(),
            };
            let (Some(is_own), Some(version), Some(request_id), Some(at)) =
                (row.is_own, row.asked_version, row.request_id, row.at)
            else {
                return Ok((change, None));
            };
            let by = match (is_own, row.user_name) {
                (true, _) => None,
                (false, Some(user)) => Some(By {
                    user,
                    acting_as: row.acting_as,
                }),
                (false, None) => return Err(StoreError::Row("cluster_requests")),
            };
            let request = Request {
                resource: change.resource,
                version: version.cast_unsigned(),
                by,
                request_id,
                at: at.to_jiff(),
            };
            Ok((change, Some(request)))
        })
        .collect()
}

/// Takes a change out; false if somebody else has.
pub async fn take(tx: &mut impl Scope, change: &Change) -> Result<bool, StoreError> {
    let taken = sqlx::query!(
        "DELETE FROM cluster_changes WHERE resource_id = $1 AND version = $2",
        change.resource,
        change.version.cast_signed()
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("take a change of a resource", source))?;
    Ok(taken.rows_affected() == 1)
}

/// Stores who asked for changes. What this service asked for is its own, whatever the cluster says; otherwise the first counts: a request
/// that changes nothing is answered with the version that was there.
pub async fn ask(tx: &mut impl Scope, requests: &[Request]) -> Result<(), StoreError> {
    // Each once, and in one order: two that store the same do not wait for each other in turn.
    let mut first: BTreeMap<(Uuid, u64), &Request> = BTreeMap::new();
    for request in requests {
        let known = first.entry((request.resource, request.version)).or_insert(request);
        if known.by.is_some() && (request.by.is_none() || request.at < known.at) {
            *known = request;
        }
    }
    let all: Vec<&Request> = first.into_values().collect();
    let resources: Vec<Uuid> = all.iter().map(|one| one.resource).collect();
    let versions: Vec<i64> = all.iter().map(|one| one.version.cast_signed()).collect();
    let own: Vec<bool> = all.iter().map(|one| one.by.is_none()).collect();
    let users: Vec<Option<&str>> = all.iter().map(|one| Some(one.by.as_ref()?.user.as_str())).collect();
    let acting: Vec<Option<&str>> = all.iter().map(|one| one.by.as_ref()?.acting_as.as_deref()).collect();
    let ids: Vec<&str> = all.iter().map(|one| one.request_id.as_str()).collect();
    let times: Vec<jiff_sqlx::Timestamp> = all.iter().map(|one| one.at.to_sqlx()).collect();
    sqlx::query!(
        r#"
        INSERT INTO cluster_requests AS r (resource_id, version, is_own, user_name, acting_as, request_id, at)
        SELECT a.resource_id, a.version, a.is_own, a.user_name, a.acting_as, a.request_id, a.at
        FROM UNNEST($1::uuid[], $2::bigint[], $3::boolean[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
            AS a (resource_id, version, is_own, user_name, acting_as, request_id, at)
        ON CONFLICT (resource_id, version) DO UPDATE
        SET is_own = EXCLUDED.is_own, user_name = EXCLUDED.user_name, acting_as = EXCLUDED.acting_as,
            request_id = EXCLUDED.request_id, at = EXCLUDED.at
        WHERE NOT r.is_own AND (EXCLUDED.is_own OR EXCLUDED.at < r.at)
        "#,
        &resources,
        &versions,
        &own,
        &users as _,
        &acting as _,
        &ids as _,
        &times as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store who asked for changes", source))?;
    Ok(())
}

/// Takes back that this service asks for a resource's deletion: the cluster said no.
pub async fn unask(pool: &PgPool, resource: Uuid) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM cluster_requests WHERE resource_id = $1 AND version = 0 AND is_own",
        resource
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("take back a deletion", source))?;
    Ok(())
}

/// Forgets who asked for what before a moment; true if there may be more.
pub async fn forget(pool: &PgPool, before: Timestamp) -> Result<bool, StoreError> {
    const MOST: i64 = 5000;
    let forgotten = sqlx::query!(
        r#"
        DELETE FROM cluster_requests
        WHERE (resource_id, version) IN (SELECT resource_id, version FROM cluster_requests WHERE at < $1 LIMIT $2)
        "#,
        before.to_sqlx() as _,
        MOST,
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("forget who asked for changes", source))?;
    Ok(forgotten.rows_affected() == MOST.cast_unsigned())
}

/// Whether there are changes that are not in the audit yet.
pub async fn is_any(pool: &PgPool) -> Result<bool, StoreError> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM cluster_changes) OR EXISTS (SELECT FROM cluster_gaps) AS "any!""#)
        .fetch_one(pool)
        .await
        .map_err(|source| StoreError::new("look for changes of resources", source))
}

/// The id of a user of the cluster, made the first time.
pub async fn user(pool: &PgPool, name: &str) -> Result<Uuid, StoreError> {
    let failed = |source| StoreError::new("find a user of the cluster", source);
    sqlx::query!(
        "INSERT INTO cluster_users (id, name) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        Uuid::now_v7(),
        name
    )
    .execute(pool)
    .await
    .map_err(failed)?;
    sqlx::query_scalar!("SELECT id FROM cluster_users WHERE name = $1", name)
        .fetch_one(pool)
        .await
        .map_err(failed)
}

/// The names of users of the cluster.
pub async fn names(tx: &mut impl Scope, ids: &[Uuid]) -> Result<Vec<(Uuid, String)>, StoreError> {
    let rows = sqlx::query!("SELECT id, name FROM cluster_users WHERE id = ANY($1)", ids)
        .fetch_all(tx.connection())
        .await
        .map_err(|source| StoreError::new("name users of the cluster", source))?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}
