//! Authorization codes.

use domain::GrantId;
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::store::{PlatformTransaction, Scope, StoreError};

/// What a code is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The authorization.
    pub grant: GrantId,
    /// Whose it is.
    pub client_id: String,
    /// Where the browser brought it.
    pub redirect_uri: String,
    /// SHA-256 of what the client is to show besides.
    pub code_challenge: [u8; 32],
    /// The key that the client named beforehand.
    pub dpop_jkt: Option<String>,
    /// What the client wants to find in an ID token.
    pub nonce: Option<String>,
    /// Its end.
    pub expires_at: Timestamp,
}

/// What there is of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is the first time that it is shown.
    First(Code),
    /// It was shown before.
    Again(GrantId),
}

/// Stores a code.
pub async fn insert(tx: &mut impl Scope, hash: &[u8; 32], code: &Code) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO oauth_codes (hash, grant_id, client_id, redirect_uri, code_challenge, dpop_jkt, nonce, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        "#,
        &hash[..],
        code.grant.uuid(),
        code.client_id,
        code.redirect_uri,
        &code.code_challenge[..],
        code.dpop_jkt,
        code.nonce,
        code.expires_at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a code", source))?;
    Ok(())
}

/// Spends a code of a client's. Of those who show the same at once one is the first.
pub async fn spend(
    tx: &mut PlatformTransaction,
    hash: &[u8; 32],
    client_id: &str,
    now: Timestamp,
) -> Result<Option<Found>, StoreError> {
    let first = sqlx::query!(
        r#"
        UPDATE oauth_codes
        SET spent_at = $3
        WHERE hash = $1 AND client_id = $2 AND spent_at IS NULL
        RETURNING
            grant_id,
            redirect_uri,
            code_challenge,
            dpop_jkt,
            nonce,
            expires_at AS "expires_at: jiff_sqlx::Timestamp"
        "#,
        &hash[..],
        client_id,
        now.to_sqlx() as _,
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("spend a code", source))?;
    if let Some(row) = first {
        let challenge = row.code_challenge.try_into();
        return Ok(Some(Found::First(Code {
            grant: GrantId::of_uuid(row.grant_id),
            client_id: client_id.to_owned(),
            redirect_uri: row.redirect_uri,
            code_challenge: challenge.map_err(|_| StoreError::Row("oauth_codes"))?,
            dpop_jkt: row.dpop_jkt,
            nonce: row.nonce,
            expires_at: row.expires_at.to_jiff(),
        })));
    }
    let again = sqlx::query_scalar!(
        "SELECT grant_id FROM oauth_codes WHERE hash = $1 AND client_id = $2",
        &hash[..],
        client_id,
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("look for a code", source))?;
    Ok(again.map(|id| Found::Again(GrantId::of_uuid(id))))
}

/// Forgets what ended before.
pub async fn forget(pool: &PgPool, before: Timestamp) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM oauth_codes WHERE expires_at < $1", before.to_sqlx() as _)
        .execute(pool)
        .await
        .map_err(|source| StoreError::new("forget codes", source))?;
    Ok(())
}
