//! People, what is known of them, and their passwords.

use domain::{EmailAddress, OverseerId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::store::{PlatformTransaction, Scope, StoreError};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The id.
    pub id: OverseerId,
    /// The address, if one is known.
    pub email: Option<String>,
    /// The name.
    pub name: String,
    /// When the account was opened.
    pub created_at: Timestamp,
    /// Whether the person runs the platform.
    pub platform_admin: bool,
    /// Whether the account is blocked.
    pub blocked: bool,
}

/// What a login is judged by.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Whose.
    pub id: OverseerId,
    /// The password, if there is one.
    pub password: Option<Password>,
    /// Whether the account is blocked.
    pub blocked: bool,
}

/// A password, as it is stored.
#[derive(Debug, Clone)]
pub struct Password {
    /// Its hash.
    pub hash: String,
    /// Since when it is this one.
    pub changed_at: Timestamp,
}

/// A new person.
#[derive(Debug, Clone)]
pub struct NewPerson<'a> {
    /// The id.
    pub id: OverseerId,
    /// The address, if one is known.
    pub email: Option<&'a EmailAddress>,
    /// The name.
    pub name: &'a str,
    /// Whether the person runs the platform.
    pub platform_admin: bool,
    /// Now.
    pub at: Timestamp,
}

/// Stores a person; false if the address is somebody's.
pub async fn insert(tx: &mut impl Scope, new: &NewPerson<'_>) -> Result<bool, StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO overseers (id, kind, platform_admin, created_at)
        VALUES ($1, 'person', $2, $3)
        "#,
        new.id.uuid(),
        new.platform_admin,
        new.at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a person", source))?;
    let stored = sqlx::query!(
        r#"
        INSERT INTO profiles (overseer_id, email, email_key, name, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (email_key) DO NOTHING
        "#,
        new.id.uuid(),
        new.email.map(EmailAddress::as_str),
        new.email.map(EmailAddress::key),
        new.name,
        new.at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a profile", source))?;
    Ok(stored.rows_affected() == 1)
}

/// A person by id.
pub async fn find(tx: &mut impl Scope, id: OverseerId) -> Result<Option<Person>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            p.email,
            p.name,
            p.created_at AS "created_at: jiff_sqlx::Timestamp",
            o.platform_admin,
            o.blocked_at IS NOT NULL AS "blocked!"
        FROM overseers AS o
        JOIN profiles AS p ON p.overseer_id = o.id
        WHERE o.id = $1 AND o.deleted_at IS NULL
        "#,
        id.uuid(),
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("look for a person", source))?;
    Ok(row.map(|row| Person {
        id,
        email: row.email,
        name: row.name,
        created_at: row.created_at.to_jiff(),
        platform_admin: row.platform_admin,
        blocked: row.blocked,
    }))
}

/// People whose accounts have not ended, by id: those after one, and with an address if one is named.
pub async fn list(
    pool: &PgPool,
    after: Option<OverseerId>,
    email: Option<&EmailAddress>,
    limit: i64,
) -> Result<Vec<Person>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            o.id,
            p.email,
            p.name,
            p.created_at AS "created_at: jiff_sqlx::Timestamp",
            o.platform_admin,
            o.blocked_at IS NOT NULL AS "blocked!"
        FROM overseers AS o
        JOIN profiles AS p ON p.overseer_id = o.id
        WHERE o.deleted_at IS NULL
            AND ($1::uuid IS NULL OR o.id > $1)
            AND ($2::text IS NULL OR p.email_key = $2)
        ORDER BY o.id
        LIMIT $3
        "#,
        after.map(|id| id.uuid()),
        email.map(EmailAddress::key),
        limit,
    )
    .fetch_all(pool)
    .await
    .map_err(|source| StoreError::new("list people", source))?;
    let people = rows.into_iter().map(|row| Person {
        id: OverseerId::of_uuid(row.id),
        email: row.email,
        name: row.name,
        created_at: row.created_at.to_jiff(),
        platform_admin: row.platform_admin,
        blocked: row.blocked,
    });
    Ok(people.collect())
}

/// Blocks a person, or no longer; false if that is so already, or there is nobody.
pub async fn set_blocked(tx: &mut impl Scope, id: OverseerId, since: Option<Timestamp>) -> Result<bool, StoreError> {
    let changed = sqlx::query!(
        r#"
        UPDATE overseers
        SET blocked_at = $2
        WHERE id = $1 AND kind = 'person' AND deleted_at IS NULL AND (blocked_at IS NULL) = ($2::timestamptz IS NOT NULL)
        "#,
        id.uuid(),
        since.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("block a person", source))?;
    Ok(changed.rows_affected() == 1)
}

/// What a login with an address is judged by.
pub async fn credentials(pool: &PgPool, email: &EmailAddress) -> Result<Option<Credentials>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            p.overseer_id,
            w.hash AS "hash?",
            w.changed_at AS "changed_at?: jiff_sqlx::Timestamp",
            o.blocked_at IS NOT NULL AS "blocked!"
        FROM profiles AS p
        JOIN overseers AS o ON o.id = p.overseer_id
        LEFT JOIN passwords AS w ON w.overseer_id = p.overseer_id
        WHERE p.email_key = $1 AND o.deleted_at IS NULL
        "#,
        email.key(),
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for an account", source))?;
    Ok(row.map(|row| Credentials {
        id: OverseerId::of_uuid(row.overseer_id),
        password: row.hash.zip(row.changed_at).map(|(hash, changed_at)| Password {
            hash,
            changed_at: changed_at.to_jiff(),
        }),
        blocked: row.blocked,
    }))
}

/// Whether a person's password is still the one of a moment; then it stays so until the transaction ends.
pub async fn keep_password(tx: &mut impl Scope, id: OverseerId, changed_at: Timestamp) -> Result<bool, StoreError> {
    let kept = sqlx::query!(
        "SELECT overseer_id FROM passwords WHERE overseer_id = $1 AND changed_at = $2 FOR NO KEY UPDATE",
        id.uuid(),
        changed_at.to_sqlx() as _,
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("keep a password", source))?;
    Ok(kept.is_some())
}

/// The hash of a person's password.
pub async fn password(pool: &PgPool, id: OverseerId) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar!("SELECT hash FROM passwords WHERE overseer_id = $1", id.uuid())
        .fetch_optional(pool)
        .await
        .map_err(|source| StoreError::new("read a password's hash", source))
}

/// Whether a person's account has neither ended nor is blocked.
pub async fn is_open(pool: &PgPool, id: OverseerId) -> Result<bool, StoreError> {
    sqlx::query_scalar!(
        r#"
        SELECT EXISTS (
            SELECT FROM overseers WHERE id = $1 AND blocked_at IS NULL AND deleted_at IS NULL
        ) AS "open!"
        "#,
        id.uuid()
    )
    .fetch_one(pool)
    .await
    .map_err(|source| StoreError::new("look at an account", source))
}

/// Nobody else changes what proves a person until the transaction ends, if they lock the person as well.
pub async fn lock(tx: &mut impl Scope, id: OverseerId) -> Result<(), StoreError> {
    sqlx::query!("SELECT id FROM overseers WHERE id = $1 FOR NO KEY UPDATE", id.uuid())
        .fetch_optional(tx.connection())
        .await
        .map_err(|source| StoreError::new("wait for a person", source))?;
    Ok(())
}

/// Whether a person has a password.
pub async fn has_password(tx: &mut impl Scope, id: OverseerId) -> Result<bool, StoreError> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM passwords WHERE overseer_id = $1) AS "has!""#,
        id.uuid()
    )
    .fetch_one(tx.connection())
    .await
    .map_err(|source| StoreError::new("look for a password", source))
}

/// Stores the hash of a person's password.
pub async fn set_password(tx: &mut impl Scope, id: OverseerId, hash: &str, at: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        INSERT INTO passwords (overseer_id, hash, changed_at)
        VALUES ($1, $2, $3)
        ON CONFLICT (overseer_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at
        "#,
        id.uuid(),
        hash,
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a password's hash", source))?;
    Ok(())
}

/// Stores a better hash of the same password, unless the password was changed in the meantime.
pub async fn rehash(tx: &mut impl Scope, id: OverseerId, old: &str, new: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE passwords SET hash = $3 WHERE overseer_id = $1 AND hash = $2",
        id.uuid(),
        old,
        new,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a better hash", source))?;
    Ok(())
}

/// Ends a person's account: what says who they are is erased, every proof of them ends, and the id stays for what names it.
/// The transaction is of no tenant, as their own keys are. False if it has ended.
pub async fn erase(tx: &mut PlatformTransaction, id: OverseerId, at: Timestamp) -> Result<bool, StoreError> {
    let failed = |source| StoreError::new("erase an account", source);
    let ended = sqlx::query!(
        "UPDATE overseers SET deleted_at = $2, platform_admin = false WHERE id = $1 AND deleted_at IS NULL",
        id.uuid(),
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(failed)?;
    if ended.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        r#"
        DELETE FROM mail_links AS l
        USING profiles AS p
        WHERE p.overseer_id = $1 AND (l.overseer_id = $1 OR l.email_key = p.email_key)
        "#,
        id.uuid()
    )
    .execute(tx.connection())
    .await
    .map_err(failed)?;
    for statement in [
        sqlx::query!("DELETE FROM sessions WHERE overseer_id = $1", id.uuid()),
        sqlx::query!("DELETE FROM identities WHERE overseer_id = $1", id.uuid()),
        sqlx::query!("DELETE FROM passkey_challenges WHERE overseer_id = $1", id.uuid()),
        sqlx::query!("DELETE FROM passkeys WHERE overseer_id = $1", id.uuid()),
        sqlx::query!("DELETE FROM recovery_codes WHERE overseer_id = $1", id.uuid()),
        sqlx::query!("DELETE FROM authenticators WHERE overseer_id = $1", id.uuid()),
        sqlx::query!("DELETE FROM passwords WHERE overseer_id = $1", id.uuid()),
        sqlx::query!("DELETE FROM client_blocks WHERE overseer_id = $1", id.uuid()),
        sqlx::query!("DELETE FROM profiles WHERE overseer_id = $1", id.uuid()),
    ] {
        statement.execute(tx.connection()).await.map_err(failed)?;
    }
    sqlx::query!(
        r#"
        UPDATE api_keys
        SET revoked_at = coalesce(revoked_at, $2), name = 'erased'
        WHERE overseer_id = $1 AND tenant_id IS NULL
        "#,
        id.uuid(),
        at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(failed)?;
    Ok(true)
}
