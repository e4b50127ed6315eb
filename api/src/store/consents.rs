//! What people agreed to that OAuth clients do.

use domain::{ConsentId, OverseerId, TenantId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgPool;

use crate::{
    auth::client::values::Scope as Asked,
    store::{Scope as _, StoreError, TenantTransaction},
};

/// Something that a person agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Its id.
    pub id: ConsentId,
    /// The tenant that it is for.
    pub tenant: TenantId,
    /// What that is called.
    pub tenant_name: String,
    /// To whom.
    pub client_id: String,
    /// For what.
    pub scopes: Vec<Asked>,
    /// SHA-256 of what the person was shown of the client.
    pub shown: [u8; 32],
    /// When.
    pub created_at: Timestamp,
}

/// What a person agrees to now.
#[derive(Debug)]
pub struct NewConsent<'a> {
    /// Its id, if there is none of this client yet.
    pub id: ConsentId,
    /// Who.
    pub overseer: OverseerId,
    /// To whom.
    pub client_id: &'a str,
    /// For what.
    pub scopes: &'a [Asked],
    /// SHA-256 of what the person was shown of the client.
    pub shown: &'a [u8; 32],
    /// When.
    pub at: Timestamp,
}

/// Stores it, with what was agreed to before of the same client as it is.
pub async fn put(tx: &mut TenantTransaction, new: &NewConsent<'_>) -> Result<(), StoreError> {
    let scopes = Asked::names(new.scopes);
    sqlx::query!(
        r#"
        INSERT INTO oauth_consents (tenant_id, id, overseer_id, client_id, scopes, shown, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (tenant_id, overseer_id, client_id) DO UPDATE
        SET shown = EXCLUDED.shown,
            created_at = EXCLUDED.created_at,
            scopes = CASE
                WHEN oauth_consents.shown = EXCLUDED.shown
                    THEN ARRAY(SELECT DISTINCT unnest(oauth_consents.scopes || EXCLUDED.scopes))
                ELSE EXCLUDED.scopes
            END
        "#,
        tx.tenant.uuid(),
        new.id.uuid(),
        new.overseer.uuid(),
        new.client_id,
        &scopes,
        &new.shown[..],
        new.at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a consent", source))?;
    Ok(())
}

/// What a person agreed to, the newest first: after one or from the beginning, of one client or of all.
pub async fn list(
    pool: &PgPool,
    overseer: OverseerId,
    client_id: Option<&str>,
    after: Option<ConsentId>,
    limit: i64,
) -> Result<Vec<Consent>, StoreError> {
    let rows = sqlx::query!(
        r#"
        SELECT
            tenant_id AS "tenant_id!",
            tenant_name AS "tenant_name!",
            id AS "id!",
            client_id AS "client_id!",
            scopes AS "scopes!",
            shown AS "shown!",
            created_at AS "created_at!: jiff_sqlx::Timestamp"
        FROM lookup.oauth_consents_of($1)
        WHERE ($2::text IS NULL OR client_id = $2) AND ($3::uuid IS NULL OR id < $3)
        ORDER BY id DESC
        LIMIT $4
        "#,
        overseer.uuid(),
        client_id,
        after.map(|id| id.uuid()),
        limit,
    )
    .fetch_all(pool)
    .await
    .map_err(|source| StoreError::new("read consents", source))?;
    rows.into_iter()
        .map(|row| {
            Ok(Consent {
                id: ConsentId::of_uuid(row.id),
                tenant: TenantId::of_uuid(row.tenant_id),
                tenant_name: row.tenant_name,
                client_id: row.client_id,
                scopes: Asked::parse_all(&row.scopes),
                shown: row.shown.try_into().map_err(|_| StoreError::Row("oauth_consents"))?,
                created_at: row.created_at.to_jiff(),
            })
        })
        .collect()
}

/// Forgets what a person agreed to; says of which client, if there was something.
pub async fn delete(
    tx: &mut TenantTransaction,
    overseer: OverseerId,
    id: ConsentId,
) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar!(
        "DELETE FROM oauth_consents WHERE id = $1 AND overseer_id = $2 RETURNING client_id",
        id.uuid(),
        overseer.uuid(),
    )
    .fetch_optional(tx.connection())
    .await
    .map_err(|source| StoreError::new("delete a consent", source))
}

/// The tenant of something that a person agreed to.
pub async fn find(pool: &PgPool, overseer: OverseerId, id: ConsentId) -> Result<Option<TenantId>, StoreError> {
    let tenant = sqlx::query_scalar!(
        r#"SELECT tenant_id AS "tenant_id!" FROM lookup.oauth_consents_of($1) WHERE id = $2"#,
        overseer.uuid(),
        id.uuid(),
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for a consent", source))?;
    Ok(tenant.map(TenantId::of_uuid))
}

/// Keeps a consent from being taken back until the transaction ends; false if it was.
pub async fn hold(tx: &mut TenantTransaction, id: ConsentId) -> Result<bool, StoreError> {
    let held = sqlx::query_scalar!("SELECT id FROM oauth_consents WHERE id = $1 FOR SHARE", id.uuid())
        .fetch_optional(tx.connection())
        .await
        .map_err(|source| StoreError::new("hold a consent", source))?;
    Ok(held.is_some())
}
