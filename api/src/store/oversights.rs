//! Who oversees an agent besides its owner, by whose leave.

use domain::{AgentId, OverseerId};
use jiff_sqlx::ToSqlx as _;
use uuid::Uuid;

use crate::{
    auth::oversight::{Edge, Relation},
    store::{StoreError, TenantTransaction},
};

struct Row {
    agent_id: Uuid,
    overseer_id: Uuid,
    relation: String,
    granted_by: Uuid,
    created_at: jiff_sqlx::Timestamp,
}

impl TryFrom<Row> for Edge {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            agent: AgentId::of_uuid(row.agent_id),
            overseer: OverseerId::of_uuid(row.overseer_id),
            relation: Relation::parse(&row.relation).ok_or(StoreError::Row("oversights"))?,
            granted_by: OverseerId::of_uuid(row.granted_by),
            created_at: row.created_at.to_jiff(),
        })
    }
}

/// The edges of an agent, the oldest first.
pub async fn list(tx: &mut TenantTransaction, agent: AgentId) -> Result<Vec<Edge>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT agent_id, overseer_id, relation, granted_by, created_at AS "created_at: jiff_sqlx::Timestamp"
        FROM oversights
        WHERE agent_id = $1
        ORDER BY created_at, overseer_id, granted_by
        "#,
        agent.uuid(),
    )
    .fetch_all(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("read an agent's oversight", source))?;
    rows.into_iter().map(Edge::try_from).collect()
}

/// Draws an edge, or changes what it gives.
pub async fn put(tx: &mut TenantTransaction, edge: &Edge) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO oversights (tenant_id, agent_id, overseer_id, relation, granted_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (tenant_id, agent_id, overseer_id, granted_by) DO UPDATE SET relation = excluded.relation
        "#,
        tx.tenant.uuid(),
        edge.agent.uuid(),
        edge.overseer.uuid(),
        edge.relation.as_str(),
        edge.granted_by.uuid(),
        edge.created_at.to_sqlx() as _,
    )
    .execute(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("store an agent's oversight", source))?;
    Ok(())
}

/// Closes what somebody gave to somebody, or what everybody did.
pub async fn delete(
    tx: &mut TenantTransaction,
    agent: AgentId,
    overseer: OverseerId,
    granted_by: Option<OverseerId>,
) -> Result<Vec<Edge>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        DELETE FROM oversights
        WHERE agent_id = $1 AND overseer_id = $2 AND ($3::uuid IS NULL OR granted_by = $3)
        RETURNING agent_id, overseer_id, relation, granted_by, created_at AS "created_at: jiff_sqlx::Timestamp"
        "#,
        agent.uuid(),
        overseer.uuid(),
        granted_by.map(|id| id.uuid()),
    )
    .fetch_all(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("close an agent's oversight", source))?;
    rows.into_iter().map(Edge::try_from).collect()
}

/// Closes every edge of the tenant whose giver is no owner of the agent any more, or whose holder is no member, and answers
/// which. Owners are the agent's own, if they are a member, the tenant's owners and admins, and whoever one of them made one.
pub async fn prune(tx: &mut TenantTransaction) -> Result<Vec<Edge>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        WITH RECURSIVE owners (agent_id, overseer_id) AS (
            SELECT a.id, m.overseer_id
            FROM agents AS a
            JOIN memberships AS m ON m.overseer_id = a.owner_id OR m.role IN ('owner', 'admin')
            WHERE EXISTS (SELECT FROM oversights AS o WHERE o.agent_id = a.id)
            UNION
            SELECT o.agent_id, o.overseer_id
            FROM oversights AS o
            JOIN owners AS w ON w.agent_id = o.agent_id AND w.overseer_id = o.granted_by
            JOIN memberships AS m ON m.overseer_id = o.overseer_id
            WHERE o.relation = 'owner'
        )
        DELETE FROM oversights AS o
        WHERE NOT EXISTS (SELECT FROM owners AS w WHERE w.agent_id = o.agent_id AND w.overseer_id = o.granted_by)
            OR NOT EXISTS (SELECT FROM memberships AS m WHERE m.overseer_id = o.overseer_id)
        RETURNING
            o.agent_id,
            o.overseer_id,
            o.relation,
            o.granted_by,
            o.created_at AS "created_at: jiff_sqlx::Timestamp"
        "#,
    )
    .fetch_all(&mut *tx.inner)
    .await
    .map_err(|source| StoreError::new("close what an agent's oversight hung on", source))?;
    rows.into_iter().map(Edge::try_from).collect()
}
