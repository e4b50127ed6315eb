//! A client that names itself, before it is known whose it is.

use domain::{ClientId, OverseerId, TenantId};
use jiff::Timestamp;
use sqlx::PgPool;

use super::{Stored, metadata};
use crate::{auth::client::Metadata, store::StoreError};

/// A client as it names itself, and what proves that it is that client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What it calls itself by.
    pub client_id: String,
    /// What was registered of it, or it says of itself.
    pub metadata: Metadata,
    /// Its registration; none of one that describes itself where its name leads.
    pub registered: Option<Registration>,
}

/// By whom a client was registered, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The registration.
    pub id: ClientId,
    /// The tenant that registered it.
    pub tenant: TenantId,
    /// What that is called.
    pub tenant_name: String,
    /// The person whose own that tenant is, if it is one's.
    pub personal_owner: Option<OverseerId>,
    /// Whether the client did it itself, and nobody vouches for it.
    pub by_itself: bool,
    /// What its secret is stored as.
    pub secret_hash: Option<[u8; 32]>,
    /// What the one before is stored as, and until when it is good.
    pub previous_secret: Option<([u8; 32], Timestamp)>,
}

impl Named {
    /// The tenant that vouches for it: one of its people registered it.
    pub fn voucher(&self) -> Option<&str> {
        let registered = self.registered.as_ref().filter(|known| !known.by_itself);
        registered.map(|known| known.tenant_name.as_str())
    }

    /// What the secrets are stored as that prove it now.
    pub fn secrets(&self, now: Timestamp) -> impl Iterator<Item = [u8; 32]> + use<> {
        let (current, previous) = match &self.registered {
            Some(registered) => (registered.secret_hash, registered.previous_secret),
            None => (None, None),
        };
        let previous = previous.filter(|(_, until)| now < *until);
        current.into_iter().chain(previous.map(|(hash, _)| hash))
    }
}

/// The client that calls itself so, if its tenant has not ended and is not the own one of a person who is blocked.
pub async fn find(pool: &PgPool, client_id: &str) -> Result<Option<Named>, StoreError> {
    let row = sqlx::query!(
        r#"
        SELECT
            c.tenant_id AS "tenant_id!",
            c.tenant_name AS "tenant_name!",
            c.id AS "id!",
            c.personal_owner,
            c.name AS "name!",
            application_type AS "application_type!",
            token_endpoint_auth_method AS "token_endpoint_auth_method!",
            grant_types AS "grant_types!",
            redirect_uris AS "redirect_uris!",
            scopes AS "scopes!",
            jwks,
            jwks_uri,
            dpop_bound_access_tokens AS "dpop_bound_access_tokens!",
            access_token_signed_response_alg AS "access_token_signed_response_alg!",
            id_token_signed_response_alg AS "id_token_signed_response_alg!",
            secret_hash,
            previous_secret_hash,
            previous_secret_expires_at AS "previous_secret_expires_at: jiff_sqlx::Timestamp",
            registered_itself AS "registered_itself!"
        FROM lookup.oauth_client($1) AS c
        LEFT JOIN overseers AS o ON o.id = c.personal_owner
        WHERE c.personal_owner IS NULL OR (o.blocked_at IS NULL AND o.deleted_at IS NULL)
        "#,
        client_id,
    )
    .fetch_optional(pool)
    .await
    .map_err(|source| StoreError::new("look for a client", source))?;
    let Some(row) = row else { return Ok(None) };
    let hash = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| bytes.try_into().ok());
    let previous = hash(row.previous_secret_hash).zip(row.previous_secret_expires_at);
    Ok(Some(Named {
        client_id: client_id.to_owned(),
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
        registered: Some(Registration {
            id: ClientId::of_uuid(row.id),
            tenant: TenantId::of_uuid(row.tenant_id),
            tenant_name: row.tenant_name,
            personal_owner: row.personal_owner.map(OverseerId::of_uuid),
            by_itself: row.registered_itself,
            secret_hash: hash(row.secret_hash),
            previous_secret: previous.map(|(hash, until)| (hash, until.to_jiff())),
        }),
    }))
}
