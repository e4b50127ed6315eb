//! Agents, their owners and their keys.

use domain::{AgentId, AgentKeyId, OverseerId, TenantId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::store::{StoreError, TenantTransaction, tenants::Named};

/// A new agent.
#[derive(Debug, Clone)]
pub struct NewAgent {
    /// Its id.
    pub id: AgentId,
    /// Who owns it.
    pub owner: OverseerId,
    /// What people call it.
    pub name: String,
    /// When it goes if nobody claims it.
    pub expires_at: Option<Timestamp>,
    /// Now.
    pub at: Timestamp,
}

/// An agent as its key knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The agent.
    pub id: AgentId,
    /// The key.
    pub key: AgentKeyId,
    /// What people call it.
    pub name: String,
    /// When it goes if nobody claims it.
    pub expires_at: Option<Timestamp>,
    /// Whether the key was revoked.
    pub revoked: bool,
}

/// Whose a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The agent's tenant.
    pub tenant: TenantId,
    /// The agent's owner.
    pub owner: OverseerId,
    /// The key.
    pub public_key: [u8; 32],
    /// When the agent goes.
    pub expires_at: Option<Timestamp>,
    /// Whether the key was revoked, or the agent's owner is blocked.
    pub revoked: bool,
    /// The tenant whose name was asked for besides, if it has not ended.
    pub beside: Option<Named>,
}

impl Registered {
    /// Whether the agent can be proved by this key: it was not revoked and the agent has not ended.
    pub fn stands(&self, now: Timestamp) -> bool {
        stands(self.revoked, self.expires_at, now)
    }
}

impl Holder {
    /// The same.
    pub fn stands(&self, now: Timestamp) -> bool {
        stands(self.revoked, self.expires_at, now)
    }
}

fn stands(revoked: bool, expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    !revoked && expires_at.is_none_or(|end| now < end)
}

/// Makes sure that the stand-in of an owner is there.
pub async fn ensure_shadow_owner(tx: &mut TenantTransaction, id: OverseerId, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO overseers (id, kind, created_at)
        VALUES ($1, 'shadow', $2)
        ON CONFLICT (id) DO NOTHING
        "#,
        id.uuid(),
        at.to_sqlx() as _,
    )
    .execute(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("store a shadow overseer", source))?;
    Ok(())
}

/// Stores an agent.
pub async fn insert(tx: &mut TenantTransaction, new: &NewAgent) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO agents (tenant_id, id, owner_id, name, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        "#,
        tx.tenant.uuid(),
        new.id.uuid(),
        new.owner.uuid(),
        new.name,
        new.at.to_sqlx() as _,
        new.expires_at.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
    )
    .execute(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("store an agent", source))?;
    Ok(())
}

/// A new agent that is a resource's.
#[derive(Debug, Clone, Copy)]
pub struct OfResource<'a> {
    /// The resource's UID.
    pub id: AgentId,
    /// Who owns it.
    pub owner: OverseerId,
    /// The resource's name.
    pub name: &'a str,
    /// Now.
    pub at: Timestamp,
}

/// Stores a resource's agent; false if it is there.
pub async fn insert_of_resource(tx: &mut TenantTransaction, new: &OfResource<'_>) -> Result<bool, StoreError> {
    let stored = sqlx::query!(
        r#"
        INSERT INTO agents (tenant_id, id, owner_id, name, resource_name, created_at)
        VALUES ($1, $2, $3, left($4, 100), $4, $5)
        ON CONFLICT (id) DO NOTHING
        "#,
        tx.tenant.uuid(),
        new.id.uuid(),
        new.owner.uuid(),
        new.name,
        new.at.to_sqlx() as _,
    )
    .execute(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("store a resource's agent", source))?;
    Ok(stored.rows_affected() == 1)
}

/// The owner of the tenant's agent that is a resource's, whether or not it has ended.
pub async fn owner_of_resource(tx: &mut TenantTransaction, id: AgentId) -> Result<Option<OverseerId>, StoreError> {
    let owner = sqlx::query_scalar!(
        "SELECT owner_id FROM agents WHERE id = $1 AND resource_name IS NOT NULL",
        id.uuid()
    )
    .fetch_optional(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("look for a resource's agent", source))?;
    Ok(owner.map(OverseerId::of_uuid))
}

/// An agent that is a resource's, of any tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its tenant.
    pub tenant: TenantId,
    /// The agent.
    pub id: AgentId,
    /// The resource's name.
    pub name: String,
}

/// The agents of resources that have not ended, of all tenants.
pub async fn of_resources(pool: &PgPool) -> Result<Vec<Resource>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT tenant_id AS "tenant_id!", id AS "id!", resource_name AS "resource_name!"
        FROM lookup.agents_of_resources()
        "#
    )
    .fetch_all(pool)
    .await
    .map_err(|source| StoreError::new("read the agents of resources", source))?;
    Ok(rows
        .into_iter()
        .map(|row| Resource {
            tenant: TenantId::of_uuid(row.tenant_id),
            id: AgentId::of_uuid(row.id),
            name: row.resource_name,
        })
        .collect())
}

/// Whose an agent is, by its id alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its owner.
    pub owner: OverseerId,
    /// When it goes.
    pub expires_at: Option<Timestamp>,
    /// Whether it has ended.
    pub ended: bool,
}

impl Standing {
    /// Whether the agent has not ended.
    pub fn stands(&self, now: Timestamp) -> bool {
        stands(self.ended, self.expires_at, now)
    }
}

/// How an agent stands, before the tenant is known.
pub async fn find_standing(pool: &PgPool, agent: AgentId) -> Result<Option<Standing>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            tenant_id AS "tenant_id!",
            owner_id AS "owner_id!",
            expires_at AS "expires_at: jiff_sqlx::Timestamp",
            ended_at IS NOT NULL AS "ended!"
        FROM lookup.agent_of_id($1)
        "#,
        agent.uuid(),
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for an agent", source))?;
    Ok(row.map(|row| Standing {
        tenant: TenantId::of_uuid(row.tenant_id),
        owner: OverseerId::of_uuid(row.owner_id),
        expires_at: row.expires_at.map(jiff_sqlx::Timestamp::to_jiff),
        ended: row.ended,
    }))
}

/// The agent of the tenant that has a key.
pub async fn find_by_thumbprint(
    tx: &mut TenantTransaction,
    thumbprint: &str,
) -> Result<Option<Registered>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            a.id,
            a.name,
            a.expires_at AS "expires_at: jiff_sqlx::Timestamp",
            k.id AS key_id,
            k.revoked_at IS NOT NULL AS "revoked!"
        FROM agent_keys AS k
        JOIN agents AS a ON a.tenant_id = k.tenant_id AND a.id = k.agent_id
        WHERE k.thumbprint = $1
        "#,
        thumbprint,
    )
    .fetch_optional(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("look for a key", source))?;
    Ok(row.map(|row| Registered {
        id: AgentId::of_uuid(row.id),
        key: AgentKeyId::of_uuid(row.key_id),
        name: row.name,
        expires_at: row.expires_at.map(jiff_sqlx::Timestamp::to_jiff),
        revoked: row.revoked,
    }))
}

/// An agent as its tenant sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The agent.
    pub id: AgentId,
    /// What people call it.
    pub name: String,
    /// Who owns it.
    pub owner: OverseerId,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// An agent that has not ended.
pub async fn find(tx: &mut TenantTransaction, id: AgentId) -> Result<Option<Agent>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT name, owner_id, created_at AS "created_at: jiff_sqlx::Timestamp"
        FROM agents
        WHERE id = $1 AND ended_at IS NULL
        "#,
        id.uuid(),
    )
    .fetch_optional(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("read an agent", source))?;
    Ok(row.map(|row| Agent {
        id,
        name: row.name,
        owner: OverseerId::of_uuid(row.owner_id),
        created_at: row.created_at.to_jiff(),
    }))
}

/// Changes what people call an agent.
pub async fn rename(tx: &mut TenantTransaction, id: AgentId, name: &str) -> Result<(), StoreError> {
    sqlx::query!("UPDATE agents SET name = $2 WHERE id = $1", id.uuid(), name)
        .execute(&mut *tx.inner)
        .await
        .map_err(|source| StoreError::new("rename an agent", source))?;
    Ok(())
}

/// Ends an agent with all its keys. Both stay known, so no key of it is ever taken again.
pub async fn end(tx: &mut TenantTransaction, id: AgentId, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        WITH ended AS (
            UPDATE agents SET ended_at = $2, claim_hash = NULL, claim_expires_at = NULL WHERE id = $1 RETURNING id
        ), unseen AS (
            DELETE FROM oversights WHERE agent_id = $1
        )
        UPDATE agent_keys SET revoked_at = $2 FROM ended WHERE agent_id = ended.id AND revoked_at IS NULL
        "#,
        id.uuid(),
        at.to_sqlx() as _,
    )
    .execute(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("end an agent", source))?;
    Ok(())
}

/// The tenant's agents after one of them, in the order of their ids.
pub async fn list(
    tx: &mut TenantTransaction,
    owner: Option<OverseerId>,
    after: Option<AgentId>,
    most: i64,
) -> Result<Vec<Agent>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT id, name, owner_id, created_at AS "created_at: jiff_sqlx::Timestamp"
        FROM agents
        WHERE ended_at IS NULL AND ($1::uuid IS NULL OR id > $1) AND ($3::uuid IS NULL OR owner_id = $3)
        ORDER BY id
        LIMIT $2
        "#,
        after.map(|id| id.uuid()),
        most,
        owner.map(|id| id.uuid()),
    )
    .fetch_all(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("read a tenant's agents", source))?;
    Ok(rows
        .into_iter()
        .map(|row| Agent {
            id: AgentId::of_uuid(row.id),
            name: row.name,
            owner: OverseerId::of_uuid(row.owner_id),
            created_at: row.created_at.to_jiff(),
        })
        .collect())
}

/// Whose a key is, before the tenant is known, and besides, in the same question, whose a name is that a request has.
pub async fn find_holder(
    pool: &PgPool,
    agent: AgentId,
    key: AgentKeyId,
    beside: Option<&str>,
) -> Result<Option<Holder>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            tenant_id AS "tenant_id!",
            owner_id AS "owner_id!",
            public_key AS "public_key!",
            expires_at AS "expires_at: jiff_sqlx::Timestamp",
            revoked_at IS NOT NULL OR o.id IS NOT NULL AS "revoked!",
            named_id,
            runs_version
        FROM lookup.agent_of_key_beside_tenant($1, $2, $3)
        LEFT JOIN overseers AS o ON o.id = owner_id AND o.blocked_at IS NOT NULL AND NOT of_resource
        "#,
        agent.uuid(),
        key.uuid(),
        beside,
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for a key's agent", source))?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Holder {
        tenant: TenantId::of_uuid(row.tenant_id),
        owner: OverseerId::of_uuid(row.owner_id),
        public_key: row.public_key.try_into().map_err(|_| StoreError::Row("agent_keys"))?,
        expires_at: row.expires_at.map(jiff_sqlx::Timestamp::to_jiff),
        revoked: row.revoked,
        beside: row.named_id.zip(row.runs_version).map(|(id, version)| Named {
            tenant: TenantId::of_uuid(id),
            runs_version: version.cast_unsigned(),
        }),
    }))
}
