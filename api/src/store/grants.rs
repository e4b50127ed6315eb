//! What people let OAuth clients do: authorizations, each with all tokens that come of it.

use domain::{AgentId, GrantId, OverseerId, TenantId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use crate::{
    auth::client::values::Scope as Asked,
    store::{Scope, StoreError, TenantTransaction},
};

/// An authorization in force, of a person who may be bound by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// The tenant that it is for.
    pub tenant: TenantId,
    /// Who gave it.
    pub overseer: OverseerId,
    /// To whom.
    pub client_id: String,
    /// For what.
    pub scopes: Vec<Asked>,
    /// When the person had proved themselves.
    pub authenticated_at: Timestamp,
    /// Its end.
    pub expires_at: Timestamp,
    /// The agents: the one that acts now, and whom it acts for.
    pub actors: Vec<AgentId>,
}

/// An authorization, as who gave it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Its id.
    pub id: GrantId,
    /// The tenant that it is for.
    pub tenant: TenantId,
    /// What that is called.
    pub tenant_name: String,
    /// To whom.
    pub client_id: String,
    /// For what.
    pub scopes: Vec<Asked>,
    /// When.
    pub created_at: Timestamp,
    /// When a token was last got by it.
    pub used_at: Option<Timestamp>,
    /// Its end.
    pub expires_at: Timestamp,
    /// The agents, if one acts: the one that acts now, and whom it acts for.
    pub actors: Vec<AgentId>,
}

/// Stores an authorization, and what it was made of if it is an agent's.
pub async fn insert(
    tx: &mut TenantTransaction,
    grant: &Grant,
    parent: Option<GrantId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let scopes = Asked::names(&grant.scopes);
    let actors: Vec<Uuid> = grant.actors.iter().map(AgentId::uuid).collect();
    sqlx::query!(
        r#"
        INSERT INTO oauth_grants
            (tenant_id, id, overseer_id, client_id, scopes, authenticated_at, created_at, expires_at, parent_id, actors)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        "#,
        tx.tenant.uuid(),
        grant.id.uuid(),
        grant.overseer.uuid(),
        grant.client_id,
        &scopes,
        grant.authenticated_at.to_sqlx() as _,
        now.to_sqlx() as _,
        grant.expires_at.to_sqlx() as _,
        parent.map(|id| id.uuid()),
        &actors,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a grant", source))?;
    Ok(())
}

/// An authorization that was not taken back, of a person who is not blocked, belongs to the tenant, and has not blocked the client.
pub async fn find(executor: impl PgExecutor<'_>, id: GrantId) -> Result<Option<Grant>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            g.tenant_id AS "tenant_id!",
            g.overseer_id AS "overseer_id!",
            g.client_id AS "client_id!",
            g.scopes AS "scopes!",
            g.authenticated_at AS "authenticated_at!: jiff_sqlx::Timestamp",
            g.expires_at AS "expires_at!: jiff_sqlx::Timestamp",
            g.actors AS "actors!"
        FROM lookup.oauth_grant($1) AS g
        JOIN overseers AS o ON o.id = g.overseer_id
        WHERE o.blocked_at IS NULL
            AND o.deleted_at IS NULL
            AND NOT EXISTS (
                SELECT FROM client_blocks AS b WHERE b.overseer_id = g.overseer_id AND b.client_id = g.client_id
            )
        "#,
        id.uuid(),
    )
    .fetch_optional(executor)
    .await
    .map_err(|source| StoreError::new("look for a grant", source))?;
    Ok(row.map(|row| Grant {
        id,
        tenant: TenantId::of_uuid(row.tenant_id),
        overseer: OverseerId::of_uuid(row.overseer_id),
        client_id: row.client_id,
        scopes: Asked::parse_all(&row.scopes),
        authenticated_at: row.authenticated_at.to_jiff(),
        expires_at: row.expires_at.to_jiff(),
        actors: row.actors.into_iter().map(AgentId::of_uuid).collect(),
    }))
}

/// The same in a transaction, with what that has stored.
pub async fn find_in(tx: &mut impl Scope, id: GrantId) -> Result<Option<Grant>, StoreError> {
    find(tx.connection(), id).await
}

/// The tenant of an authorization, in force or not.
pub async fn tenant(pool: &PgPool, id: GrantId) -> Result<Option<TenantId>, StoreError> {
    let tenant = sqlx::query_scalar!("SELECT lookup.tenant_of_oauth_grant($1)", id.uuid())
        .fetch_one(pool)
        .await
        .map_err(|source| StoreError::new("look for the tenant of a grant", source))?;
    Ok(tenant.map(TenantId::of_uuid))
}

/// A person's authorizations that are in force, the newest first: after one, or from the beginning.
pub async fn list(
    pool: &PgPool,
    overseer: OverseerId,
    after: Option<GrantId>,
    limit: i64,
    now: Timestamp,
) -> Result<Vec<Given>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            tenant_id AS "tenant_id!",
            tenant_name AS "tenant_name!",
            id AS "id!",
            client_id AS "client_id!",
            scopes AS "scopes!",
            created_at AS "created_at!: jiff_sqlx::Timestamp",
            used_at AS "used_at: jiff_sqlx::Timestamp",
            expires_at AS "expires_at!: jiff_sqlx::Timestamp",
            actors AS "actors!"
        FROM lookup.oauth_grants_of($1)
        WHERE ($2::uuid IS NULL OR id < $2) AND expires_at > $4
        ORDER BY id DESC
        LIMIT $3
        "#,
        overseer.uuid(),
        after.map(|id| id.uuid()),
        limit,
        now.to_sqlx() as _,
    )
    .fetch_all(pool)
    .await
    .map_err(|source| StoreError::new("read grants", source))?;
    let given = rows.into_iter().map(|row| Given {
        id: GrantId::of_uuid(row.id),
        tenant: TenantId::of_uuid(row.tenant_id),
        tenant_name: row.tenant_name,
        client_id: row.client_id,
        scopes: Asked::parse_all(&row.scopes),
        created_at: row.created_at.to_jiff(),
        used_at: row.used_at.map(jiff_sqlx::Timestamp::to_jiff),
        expires_at: row.expires_at.to_jiff(),
        actors: row.actors.into_iter().map(AgentId::of_uuid).collect(),
    });
    Ok(given.collect())
}

/// Remembers that a token was got.
pub async fn see(tx: &mut TenantTransaction, id: GrantId, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE oauth_grants SET used_at = $2 WHERE id = $1",
        id.uuid(),
        at.to_sqlx() as _
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("remember that a grant was used", source))?;
    Ok(())
}

/// Takes an authorization back; false if it is taken back, or there is none.
pub async fn revoke(tx: &mut TenantTransaction, id: GrantId, at: Timestamp) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE oauth_grants SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        id.uuid(),
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("revoke a grant", source))?;
    Ok(done.rows_affected() == 1)
}

/// Takes all of a person's authorizations of a client in a tenant back; says which.
pub async fn revoke_all(
    tx: &mut TenantTransaction,
    overseer: OverseerId,
    client_id: &str,
    at: Timestamp,
) -> Result<Vec<GrantId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"
        UPDATE oauth_grants
        SET revoked_at = $3
        WHERE overseer_id = $1 AND client_id = $2 AND revoked_at IS NULL
        RETURNING id
        "#,
        overseer.uuid(),
        client_id,
        at.to_sqlx() as _,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("revoke grants", source))?;
    Ok(ids.into_iter().map(GrantId::of_uuid).collect())
}

/// The tenant of an authorization in force that a person gave.
pub async fn find_given(pool: &PgPool, overseer: OverseerId, id: GrantId) -> Result<Option<TenantId>, StoreError> {
    let tenant = sqlx::query_scalar!(
        r#"SELECT tenant_id AS "tenant_id!" FROM lookup.oauth_grants_of($1) WHERE id = $2"#,
        overseer.uuid(),
        id.uuid(),
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for a person's grant", source))?;
    Ok(tenant.map(TenantId::of_uuid))
}

/// Forgets what ended before.
pub async fn forget(pool: &PgPool, before: Timestamp) -> Result<(), StoreError> {
    sqlx::query!("SELECT lookup.forget_oauth_grants($1)", before.to_sqlx() as _)
        .execute(pool)
        .await
        .map_err(|source| StoreError::new("forget grants", source))?;
    Ok(())
}
