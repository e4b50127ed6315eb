//! OAuth clients that tenants registered.

use domain::{ClientId, OverseerId};
use jiff::Timestamp;
use jiff_sqlx::ToSqlx as _;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    auth::{
        client::{
            Keys, Metadata,
            values::{ApplicationType, AuthMethod, GrantType, Scope},
        },
        signing::Algorithm,
    },
    store::{Scope as _, StoreError, TenantTransaction},
};

/// A client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its registration.
    pub id: ClientId,
    /// What it calls itself by.
    pub client_id: String,
    /// What was registered of it.
    pub metadata: Metadata,
    /// Who registered it; nobody, if it did itself.
    pub created_by: Option<OverseerId>,
    /// When.
    pub created_at: Timestamp,
    /// When its secret was made, if it has one.
    pub secret_created_at: Option<Timestamp>,
    /// Until when the secret before is good as well.
    pub previous_secret_expires_at: Option<Timestamp>,
}

/// A secret that takes the place of another.
#[derive(Debug, Clone, Copy)]
pub struct NewSecret {
    /// What it is stored as.
    pub hash: [u8; 32],
    /// When it was made.
    pub at: Timestamp,
    /// Until when the one before is good as well.
    pub previous_until: Option<Timestamp>,
}

mod named;

pub use named::{Named, Registration, find};

const UNREAD: StoreError = StoreError::Row("oauth_clients");

struct Row {
    id: Uuid,
    client_id: String,
    name: String,
    application_type: String,
    token_endpoint_auth_method: String,
    grant_types: Vec<String>,
    redirect_uris: Vec<String>,
    scopes: Vec<String>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    dpop_bound_access_tokens: bool,
    access_token_signed_response_alg: String,
    id_token_signed_response_alg: String,
    secret_created_at: Option<jiff_sqlx::Timestamp>,
    previous_secret_expires_at: Option<jiff_sqlx::Timestamp>,
    created_by: Option<Uuid>,
    created_at: jiff_sqlx::Timestamp,
}

/// Stores a client; false if another calls itself so.
pub async fn insert(
    tx: &mut TenantTransaction,
    client: &Client,
    secret_hash: Option<&[u8; 32]>,
) -> Result<bool, StoreError> {
    let columns = Columns::of(&client.metadata);
    let stored = sqlx::query!(
        r#"
        INSERT INTO oauth_clients
            (tenant_id, id, client_id, name, application_type, token_endpoint_auth_method, grant_types, redirect_uris,
                scopes, jwks, jwks_uri, dpop_bound_access_tokens, access_token_signed_response_alg,
                id_token_signed_response_alg, secret_hash, secret_created_at, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        ON CONFLICT (client_id) DO NOTHING
        "#,
        tx.tenant.uuid(),
        client.id.uuid(),
        client.client_id,
        client.metadata.name,
        client.metadata.application_type.as_str(),
        client.metadata.auth_method.as_str(),
        &columns.grant_types,
        &client.metadata.redirect_uris,
        &columns.scopes,
        columns.jwks,
        columns.jwks_uri,
        client.metadata.dpop_bound,
        client.metadata.access_token_algorithm.as_str(),
        client.metadata.id_token_algorithm.as_str(),
        secret_hash.map(<[u8; 32]>::as_slice),
        client.secret_created_at.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
        client.created_by.map(|id| id.uuid()),
        client.created_at.to_sqlx() as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("store a client", source))?;
    Ok(stored.rows_affected() == 1)
}

/// How many clients there are that registered themselves, or that somebody registered.
pub async fn count(tx: &mut TenantTransaction, themselves: bool) -> Result<i64, StoreError> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM oauth_clients WHERE (created_by IS NULL) = $1"#,
        themselves
    )
    .fetch_one(tx.connection())
    .await
    .map_err(|source| StoreError::new("count clients", source))
}

/// The clients after one, the first to be registered first.
pub async fn list(tx: &mut TenantTransaction, after: Option<ClientId>, limit: i64) -> Result<Vec<Client>, StoreError> {
    read(tx, None, after, limit).await
}

/// A client.
pub async fn get(tx: &mut TenantTransaction, id: ClientId) -> Result<Option<Client>, StoreError> {
    Ok(read(tx, Some(id), None, 1).await?.pop())
}

async fn read(
    tx: &mut TenantTransaction,
    only: Option<ClientId>,
    after: Option<ClientId>,
    limit: i64,
) -> Result<Vec<Client>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        SELECT
            id,
            client_id,
            name,
            application_type,
            token_endpoint_auth_method,
            grant_types,
            redirect_uris,
            scopes,
            jwks,
            jwks_uri,
            dpop_bound_access_tokens,
            access_token_signed_response_alg,
            id_token_signed_response_alg,
            secret_created_at AS "secret_created_at: jiff_sqlx::Timestamp",
            previous_secret_expires_at AS "previous_secret_expires_at: jiff_sqlx::Timestamp",
            created_by,
            created_at AS "created_at: jiff_sqlx::Timestamp"
        FROM oauth_clients
        WHERE ($1::uuid IS NULL OR id = $1) AND ($2::uuid IS NULL OR id > $2)
        ORDER BY id
        LIMIT $3
        "#,
        only.map(|id| id.uuid()),
        after.map(|id| id.uuid()),
        limit,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("read clients", source))?;
    rows.into_iter().map(Client::try_from).collect()
}

/// Changes what was registered of a client. Secrets that no longer prove it go.
pub async fn update(tx: &mut TenantTransaction, id: ClientId, metadata: &Metadata) -> Result<(), StoreError> {
    let columns = Columns::of(metadata);
    sqlx::query!(
        r#"
        UPDATE oauth_clients
        SET name = $2,
            application_type = $3,
            token_endpoint_auth_method = $4,
            grant_types = $5,
            redirect_uris = $6,
            scopes = $7,
            jwks = $8,
            jwks_uri = $9,
            dpop_bound_access_tokens = $10,
            access_token_signed_response_alg = $11,
            id_token_signed_response_alg = $12,
            secret_hash = CASE WHEN $13 THEN secret_hash END,
            secret_created_at = CASE WHEN $13 THEN secret_created_at END,
            previous_secret_hash = CASE WHEN $13 THEN previous_secret_hash END,
            previous_secret_expires_at = CASE WHEN $13 THEN previous_secret_expires_at END
        WHERE id = $1
        "#,
        id.uuid(),
        metadata.name,
        metadata.application_type.as_str(),
        metadata.auth_method.as_str(),
        &columns.grant_types,
        &metadata.redirect_uris,
        &columns.scopes,
        columns.jwks,
        columns.jwks_uri,
        metadata.dpop_bound,
        metadata.access_token_algorithm.as_str(),
        metadata.id_token_algorithm.as_str(),
        metadata.auth_method.has_secret(),
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("change a client", source))?;
    Ok(())
}

/// Gives a client another secret.
pub async fn set_secret(tx: &mut TenantTransaction, id: ClientId, new: &NewSecret) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        UPDATE oauth_clients
        SET previous_secret_hash = CASE WHEN $4::timestamptz IS NOT NULL THEN secret_hash END,
            previous_secret_expires_at = CASE WHEN secret_hash IS NOT NULL THEN $4::timestamptz END,
            secret_hash = $2,
            secret_created_at = $3
        WHERE id = $1
        "#,
        id.uuid(),
        &new.hash[..],
        new.at.to_sqlx() as _,
        new.previous_until.map(jiff_sqlx::ToSqlx::to_sqlx) as _,
    )
    .execute(tx.connection())
    .await
    .map_err(|source| StoreError::new("give a client another secret", source))?;
    Ok(())
}

/// The clients of the tenant that registered themselves before a moment, and that nobody has let in since.
pub async fn unused(tx: &mut TenantTransaction, before: Timestamp) -> Result<Vec<ClientId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM lookup.oauth_clients_that_nobody_uses($1, $2)"#,
        tx.tenant.uuid(),
        before.to_sqlx() as _,
    )
    .fetch_all(tx.connection())
    .await
    .map_err(|source| StoreError::new("look for clients that nobody uses", source))?;
    Ok(ids.into_iter().map(ClientId::of_uuid).collect())
}

/// Deletes a client; false if there is none of this id.
pub async fn delete(tx: &mut TenantTransaction, id: ClientId) -> Result<bool, StoreError> {
    let gone = sqlx::query!("DELETE FROM oauth_clients WHERE id = $1", id.uuid())
        .execute(tx.connection())
        .await
        .map_err(|source| StoreError::new("delete a client", source))?;
    Ok(gone.rows_affected() == 1)
}

/// What is not stored as it is.
struct Columns {
    grant_types: Vec<String>,
    scopes: Vec<String>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
}

impl Columns {
    fn of(metadata: &Metadata) -> Self {
        let (jwks, jwks_uri) = match &metadata.keys {
            Keys::None => (None, None),
            Keys::Set(set) => (Some(Value::Object(set.clone())), None),
            Keys::Uri(uri) => (None, Some(uri.clone())),
        };
        Self {
            grant_types: metadata.grant_types.iter().map(|g| g.as_str().to_owned()).collect(),
            scopes: Scope::names(&metadata.scopes),
            jwks,
            jwks_uri,
        }
    }
}

impl TryFrom<Row> for Client {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: ClientId::of_uuid(row.id),
            client_id: row.client_id,
            metadata: metadata(Stored {
                name: row.name,
                application_type: &row.application_type,
                auth_method: &row.token_endpoint_auth_method,
                grant_types: &row.grant_types,
                redirect_uris: row.redirect_uris,
                scopes: &row.scopes,
                jwks: row.jwks,
                jwks_uri: row.jwks_uri,
                dpop_bound: row.dpop_bound_access_tokens,
                access_token_algorithm: &row.access_token_signed_response_alg,
                id_token_algorithm: &row.id_token_signed_response_alg,
            })?,
            created_by: row.created_by.map(OverseerId::of_uuid),
            created_at: row.created_at.to_jiff(),
            secret_created_at: row.secret_created_at.map(jiff_sqlx::Timestamp::to_jiff),
            previous_secret_expires_at: row.previous_secret_expires_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
    }
}

/// What is stored of a registration.
struct Stored<'a> {
    name: String,
    application_type: &'a str,
    auth_method: &'a str,
    grant_types: &'a [String],
    redirect_uris: Vec<String>,
    scopes: &'a [String],
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    dpop_bound: bool,
    access_token_algorithm: &'a str,
    id_token_algorithm: &'a str,
}

fn metadata(row: Stored<'_>) -> Result<Metadata, StoreError> {
    let keys = match (row.jwks, row.jwks_uri) {
        (Some(Value::Object(set)), None) => Keys::Set(set),
        (None, Some(uri)) => Keys::Uri(uri),
        (None, None) => Keys::None,
        _ => return Err(UNREAD),
    };
    Ok(Metadata {
        name: row.name,
        application_type: ApplicationType::parse(row.application_type).ok_or(UNREAD)?,
        auth_method: AuthMethod::parse(row.auth_method).ok_or(UNREAD)?,
        grant_types: row
            .grant_types
            .iter()
            .filter_map(|name| GrantType::parse(name))
            .collect(),
        redirect_uris: row.redirect_uris,
        scopes: Scope::parse_all(row.scopes),
        keys,
        dpop_bound: row.dpop_bound,
        access_token_algorithm: Algorithm::parse(row.access_token_algorithm).ok_or(UNREAD)?,
        id_token_algorithm: Algorithm::parse(row.id_token_algorithm).ok_or(UNREAD)?,
    })
}
