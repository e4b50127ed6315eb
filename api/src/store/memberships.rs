//! Who belongs to a tenant.

use domain::OverseerId;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;

use crate::{
    auth::rights::Role,
    store::{Scope as _, StoreError, TenantTransaction},
};

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub overseer: OverseerId,
    /// As what.
    pub role: Role,
    /// Since when.
    pub created_at: Timestamp,
    /// The address, unless it was erased.
    pub email: Option<String>,
    /// The name, unless it was erased.
    pub name: Option<String>,
}

/// Makes somebody a member; false if they are one already.
pub async fn insert(
    tx: &mut TenantTransaction,
    overseer: OverseerId,
    role: Role,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let stored = sqlx::query!(
        r#"
        INSERT INTO memberships (tenant_id, overseer_id, role, created_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id, overseer_id) DO NOTHING
        "#,
        tx.tenant.uuid(),
        overseer.uuid(),
        role.as_str(),
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a membership", source))?;
    Ok(stored.rows_affected() == 1)
}

/// The members, the first to join first.
pub async fn list(tx: &mut TenantTransaction) -> Result<Vec<Member>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            m.overseer_id,
            m.role,
            m.created_at AS "created_at: jiff_sqlx::Timestamp",
            p.email AS "email?",
            p.name AS "name?"
        FROM memberships AS m
        LEFT JOIN profiles AS p ON p.overseer_id = m.overseer_id
        ORDER BY m.created_at, m.overseer_id
        "#,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("read a tenant's members", source))?;
    rows.into_iter()
        .map(|row| {
            Ok(Member {
                overseer: OverseerId::of_uuid(row.overseer_id),
                role: Role::parse(&row.role).ok_or(StoreError::Row("memberships"))?,
                created_at: row.created_at.to_jiff(),
                email: row.email,
                name: row.name,
            })
        })
        .collect()
}

/// The owner of the tenant who joined first.
pub async fn first_owner(tx: &mut TenantTransaction) -> Result<Option<OverseerId>, StoreError> {
    let owner = sqlx::query_scalar!(
        "SELECT overseer_id FROM memberships WHERE role = 'owner' ORDER BY created_at, overseer_id LIMIT 1"
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("read a tenant's owner", source))?;
    Ok(owner.map(OverseerId::of_uuid))
}

/// Changes what a member is.
pub async fn set_role(tx: &mut TenantTransaction, overseer: OverseerId, role: Role) -> Result<bool, StoreError> {
    let changed = sqlx::query!(
        "UPDATE memberships SET role = $2 WHERE overseer_id = $1",
        overseer.uuid(),
        role.as_str(),
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("change a member's role", source))?;
    Ok(changed.rows_affected() == 1)
}

/// Removes a member.
pub async fn delete(tx: &mut TenantTransaction, overseer: OverseerId) -> Result<bool, StoreError> {
    let gone = sqlx::query!("DELETE FROM memberships WHERE overseer_id = $1", overseer.uuid())
        .execute(tx.connection())
        .await
        .map_err(|source| StoreError::new("remove a member", source))?;
    Ok(gone.rows_affected() == 1)
}
