//! Links that were sent by mail.

use domain::{EmailAddress, MailLinkId, OverseerId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::{
    auth::mail_link::Purpose,
    store::{Scope, StoreError},
};

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its id.
    pub id: MailLinkId,
    /// Where it was sent.
    pub email: String,
    /// Whose account it is for.
    pub overseer: Option<OverseerId>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A new link.
#[derive(Debug, Clone)]
pub struct NewLink<'a> {
    /// Its id.
    pub id: MailLinkId,
    /// What it is good for.
    pub purpose: Purpose,
    /// Where it is sent.
    pub email: &'a EmailAddress,
    /// Whose account it is for.
    pub overseer: Option<OverseerId>,
    /// Now.
    pub at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Stores a link.
pub async fn insert(tx: &mut impl Scope, new: &NewLink<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO mail_links (id, purpose, email, email_key, overseer_id, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        "#,
        new.id.uuid(),
        new.purpose.as_str(),
        new.email.as_str(),
        new.email.key(),
        new.overseer.map(|id| id.uuid()),
        new.at.to_sqlx() as _,
        new.expires_at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a link", source))?;
    Ok(())
}

/// A link that can still be used.
pub async fn find(pool: &PgPool, purpose: Purpose, id: MailLinkId, now: Timestamp) -> Result<Option<Link>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT email, overseer_id, expires_at AS "expires_at: jiff_sqlx::Timestamp"
        FROM mail_links
        WHERE id = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3
        "#,
        id.uuid(),
        purpose.as_str(),
        now.to_sqlx() as _,
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for a link", source))?;
    Ok(row.map(|row| Link {
        id,
        email: row.email,
        overseer: row.overseer_id.map(OverseerId::of_uuid),
        expires_at: row.expires_at.to_jiff(),
    }))
}

/// Uses a link up, and with it all others of its address and purpose; false if it was used up before.
pub async fn spend(tx: &mut impl Scope, purpose: Purpose, id: MailLinkId, at: Timestamp) -> Result<bool, StoreError> {
    let used = sqlx::query_scalar!(
        r#"
        UPDATE mail_links
        SET used_at = $3
        WHERE id = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3
        RETURNING email_key
        "#,
        id.uuid(),
        purpose.as_str(),
        at.to_sqlx() as _,
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("use a link up", source))?;
    let Some(email_key) = used else { return Ok(false) };
    sqlx::query!(
        "UPDATE mail_links SET used_at = $3 WHERE email_key = $1 AND purpose = $2 AND used_at IS NULL",
        email_key,
        purpose.as_str(),
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("use an address's links up", source))?;
    Ok(true)
}

/// Forgets links that have ended.
pub async fn forget(pool: &PgPool, now: Timestamp) -> Result<u64, StoreError> {
    let gone = sqlx::query!("DELETE FROM mail_links WHERE expires_at <= $1", now.to_sqlx() as _)
        .execute(pool)
        .await
        .map_err(|source| StoreError::new("forget ended links", source))?;
    Ok(gone.rows_affected())
}
