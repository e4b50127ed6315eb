//! Passkeys of people, and what authenticators are asked to sign.

use domain::{OverseerId, PasskeyId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::{
    auth::webauthn::{Asserted, Ceremony},
    store::{Scope, StoreError},
};

/// A passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// Our id of it.
    pub id: PasskeyId,
    /// What the person calls it.
    pub name: String,
    /// The authenticator's name of it.
    pub credential_id: Vec<u8>,
    /// Its key (`COSE_Key`).
    pub public_key: Vec<u8>,
    /// How often it was used, by the authenticator's count.
    pub uses: u32,
    /// Whether it is kept elsewhere, too.
    pub backed_up: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last.
    pub used_at: Option<Timestamp>,
}

const fn purpose(ceremony: Ceremony) -> &'static str {
    match ceremony {
        Ceremony::Create => "create",
        Ceremony::Get => "get",
    }
}

/// A person's passkeys, the oldest first.
pub async fn list(tx: &mut impl Scope, overseer: OverseerId) -> Result<Vec<Passkey>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            id,
            name,
            credential_id,
            public_key,
            uses,
            backed_up,
            created_at AS "created_at: jiff_sqlx::Timestamp",
            used_at AS "used_at: jiff_sqlx::Timestamp"
        FROM passkeys
        WHERE overseer_id = $1
        ORDER BY id
        "#,
        overseer.uuid(),
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("read a person's passkeys", source))?;
    let passkeys = rows.into_iter().map(|row| {
        Ok(Passkey {
            id: PasskeyId::of_uuid(row.id),
            name: row.name,
            credential_id: row.credential_id,
            public_key: row.public_key,
            uses: u32::try_from(row.uses).map_err(|_| StoreError::Row("passkeys"))?,
            backed_up: row.backed_up,
            created_at: row.created_at.to_jiff(),
            used_at: row.used_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
    });
    passkeys.collect()
}

/// Stores a passkey; false if its credential is known already.
pub async fn insert(tx: &mut impl Scope, overseer: OverseerId, passkey: &Passkey) -> Result<bool, StoreError> {
    let stored = sqlx::query!(
        r#"
        INSERT INTO passkeys (id, overseer_id, name, credential_id, public_key, uses, backed_up, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (credential_id) DO NOTHING
        "#,
        passkey.id.uuid(),
        overseer.uuid(),
        passkey.name,
        passkey.credential_id,
        passkey.public_key,
        i64::from(passkey.uses),
        passkey.backed_up,
        passkey.created_at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a passkey", source))?;
    Ok(stored.rows_affected() == 1)
}

/// Notes that a passkey was used; false if it was used with this count, or a later one, meanwhile.
pub async fn advance(
    tx: &mut impl Scope,
    passkey: PasskeyId,
    asserted: Asserted,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let advanced = sqlx::query!(
        r#"
        UPDATE passkeys
        SET uses = $2, backed_up = $3, used_at = $4
        WHERE id = $1 AND (uses < $2 OR uses = 0 AND $2 = 0)
        "#,
        passkey.uuid(),
        i64::from(asserted.counter),
        asserted.backed_up,
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("use a passkey", source))?;
    Ok(advanced.rows_affected() == 1)
}

/// Takes a person's passkey away; false if there is none of this id.
pub async fn delete(tx: &mut impl Scope, overseer: OverseerId, passkey: PasskeyId) -> Result<bool, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM passkeys WHERE id = $1 AND overseer_id = $2",
        passkey.uuid(),
        overseer.uuid(),
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("take a passkey away", source))?;
    Ok(gone.rows_affected() == 1)
}

/// Stores what an authenticator is asked to sign. For a new passkey one thing is asked at a time.
pub async fn ask(
    tx: &mut impl Scope,
    overseer: OverseerId,
    ceremony: Ceremony,
    challenge_hash: &[u8; 32],
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    if ceremony == Ceremony::Create {
        sqlx::query!(
            "DELETE FROM passkey_challenges WHERE overseer_id = $1 AND purpose = 'create'",
            overseer.uuid(),
        )
        .execute(tx.connection())
        .await
        .map_err(|source| StoreError::new("forget what was asked before", source))?;
    }
    sqlx::query!(
        "INSERT INTO passkey_challenges (challenge_hash, overseer_id, purpose, expires_at) VALUES ($1, $2, $3, $4)",
        &challenge_hash[..],
        overseer.uuid(),
        purpose(ceremony),
        expires_at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a challenge", source))?;
    Ok(())
}

/// Uses a challenge up: who was asked; nothing if it is none of ours, was answered, or has ended.
pub async fn spend(
    tx: &mut impl Scope,
    ceremony: Ceremony,
    challenge_hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<OverseerId>, StoreError> {
    let asked = sqlx::query_scalar!(
        r#"
        DELETE FROM passkey_challenges
        WHERE challenge_hash = $1 AND purpose = $2 AND expires_at > $3
        RETURNING overseer_id
        "#,
        &challenge_hash[..],
        purpose(ceremony),
        now.to_sqlx() as _,
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("use a challenge up", source))?;
    Ok(asked.map(OverseerId::of_uuid))
}

/// What was asked of a person is asked no more: their password is another.
pub async fn forget_asked(tx: &mut impl Scope, overseer: OverseerId) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM passkey_challenges WHERE overseer_id = $1", overseer.uuid())
        .execute(tx.connection())
        .await
        .map_err(|source| StoreError::new("forget challenges", source))?;
    Ok(())
}

/// Forgets challenges that have ended.
pub async fn forget(pool: &PgPool, now: Timestamp) -> Result<u64, StoreError> {
    let gone = sqlx::query!(
        "DELETE FROM passkey_challenges WHERE expires_at <= $1",
        now.to_sqlx() as _
    )
    .execute(pool)
    .await
    .map_err(|source| StoreError::new("forget ended challenges", source))?;
    Ok(gone.rows_affected())
}
