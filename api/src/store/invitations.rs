//! Invitations to a tenant.

use domain::{EmailAddress, InvitationId, OverseerId, TenantId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::{
    auth::rights::Role,
    store::{Scope as _, StoreError, TenantTransaction},
};

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Where it was sent.
    pub email: String,
    /// What the invited will be.
    pub role: Role,
    /// Who invited.
    pub invited_by: OverseerId,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
}

/// Stores an invitation; an earlier one of the same address is replaced, and its link ends.
pub async fn put(tx: &mut TenantTransaction, new: &Invitation, email: &EmailAddress) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO invitations (tenant_id, id, email, email_key, role, invited_by, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (tenant_id, email_key) DO UPDATE
        SET id = excluded.id,
            email = excluded.email,
            role = excluded.role,
            invited_by = excluded.invited_by,
            created_at = excluded.created_at,
            expires_at = excluded.expires_at
        "#,
        tx.tenant.uuid(),
        new.id.uuid(),
        email.as_str(),
        email.key(),
        new.role.as_str(),
        new.invited_by.uuid(),
        new.created_at.to_sqlx() as _,
        new.expires_at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store an invitation", source))?;
    Ok(())
}

/// The invitations that can be accepted, the newest first.
pub async fn list(tx: &mut TenantTransaction, now: Timestamp) -> Result<Vec<Invitation>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            id,
            email,
            role,
            invited_by,
            created_at AS "created_at: jiff_sqlx::Timestamp",
            expires_at AS "expires_at: jiff_sqlx::Timestamp"
        FROM invitations
        WHERE expires_at > $1
        ORDER BY created_at DESC, id DESC
        "#,
        now.to_sqlx() as _,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("read a tenant's invitations", source))?;
    rows.into_iter()
        .map(|row| {
            Ok(Invitation {
                id: InvitationId::of_uuid(row.id),
                email: row.email,
                role: Role::parse(&row.role).ok_or(StoreError::Row("invitations"))?,
                invited_by: OverseerId::of_uuid(row.invited_by),
                created_at: row.created_at.to_jiff(),
                expires_at: row.expires_at.to_jiff(),
            })
        })
        .collect()
}

/// Takes an invitation away, accepted or withdrawn; nothing if there is none.
pub async fn take(tx: &mut TenantTransaction, id: InvitationId) -> Result<bool, StoreError> {
    let gone = sqlx::query!("DELETE FROM invitations WHERE id = $1", id.uuid())
        .execute(tx.connection())
        .await
        .map_err(|source| StoreError::new("take an invitation away", source))?;
    Ok(gone.rows_affected() == 1)
}

/// Takes away what somebody invited to.
pub async fn take_of(tx: &mut TenantTransaction, inviter: OverseerId) -> Result<u64, StoreError> {
    let gone = sqlx::query!("DELETE FROM invitations WHERE invited_by = $1", inviter.uuid())
        .execute(tx.connection())
        .await
        .map_err(|source| StoreError::new("take a member's invitations away", source))?;
    Ok(gone.rows_affected())
}

/// The tenant of an invitation.
pub async fn find_tenant(pool: &PgPool, id: InvitationId) -> Result<Option<TenantId>, StoreError> {
    let tenant = sqlx::query_scalar!("SELECT lookup.tenant_of_invitation($1)", id.uuid())
        .fetch_one(pool)
        .await
        .map_err(|source| StoreError::new("look for an invitation", source))?;
    Ok(tenant.map(TenantId::of_uuid))
}
