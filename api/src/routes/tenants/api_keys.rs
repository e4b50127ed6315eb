//! `/v1/tenants/{tenant}/api-keys`: keys that act for the tenant. The bodies are those of `/v1/me/api-keys` as well.

use axum::response::Response;
use domain::{ApiKeyId, OverseerId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    auth::{
        api_key::{ApiKey, Kind},
        rights::Right,
    },
    http::{
        error::{ApiError, Forbidden},
        etag::{self, IfMatch},
        parse,
        query::Paging,
    },
    service::{self, api_keys::MOST, members::By},
    store::{Scope, api_keys},
};

pub mod create;
pub mod get;
pub mod list;
pub mod revoke;
pub mod update;

#[cfg(test)]
mod tests;

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApiKey)]
pub struct Wanted {
    /// What people call it: 1 to 100 characters.
    #[schema(example = "build server", min_length = 1, max_length = 100)]
    name: String,
    /// What it is for: `personal` for a person's own; `tenant`, or `e2b` for the E2B SDKs, for a tenant's. Default: the first that fits.
    #[schema(example = "tenant")]
    kind: Option<String>,
    /// What it may be used for; nobody gives a right that they do not have.
    #[schema(example = json!(["runs:read", "runs:write"]), min_items = 1)]
    scopes: Vec<String>,
    /// When it ends (RFC 3339); without, it ends when it is revoked.
    #[schema(example = "2028-01-15T08:00:00Z")]
    expires_at: Option<String>,
}

/// What was wanted, checked.
#[derive(Debug)]
pub struct Checked {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// What it may be used for.
    pub scopes: Vec<Right>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl Wanted {
    /// Checks it against the kinds that there are here and the rights that can be given.
    pub fn check(self, kinds: &[Kind], grantable: &[Right], now: Timestamp) -> Result<Checked, ApiError> {
        let name = parse::name("name", &self.name)?.to_owned();
        let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let kind = match &self.kind {
            None => kinds.first().copied(),
            Some(text) => Kind::parse(text).filter(|kind| kinds.contains(kind)),
        };
        let kind = kind.ok_or_else(|| ApiError::invalid("kind", format!("write {}", names.join(" or "))))?;
        if self.scopes.is_empty() {
            return Err(ApiError::invalid("scopes", "name at least one, as runs:read"));
        }
        let mut scopes = Vec::new();
        for (place, text) in self.scopes.iter().enumerate() {
            let field = format!("scopes[{place}]");
            let right = Right::parse(text)
                .ok_or_else(|| ApiError::invalid(&field, format!("{text:?} is no scope; docs/auth.md lists them")))?;
            if !grantable.contains(&right) {
                return Err(ApiError::Forbidden(Forbidden::Grant));
            }
            scopes.push(right);
        }
        scopes.sort_unstable();
        scopes.dedup();
        let expires_at = self.expires_at.as_deref().map(|text| moment(text, now)).transpose()?;
        Ok(Checked {
            name,
            kind,
            scopes,
            expires_at,
        })
    }
}

fn moment(text: &str, now: Timestamp) -> Result<Timestamp, ApiError> {
    match text.parse::<Timestamp>() {
        Ok(at) if at > now => Ok(at),
        Ok(_) => Err(ApiError::invalid("expires_at", "it has passed already")),
        Err(_) => Err(ApiError::invalid(
            "expires_at",
            "write a moment as RFC 3339 does: 2028-01-15T08:00:00Z",
        )),
    }
}

/// A key, without the secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct Key {
    /// Its id.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000f")]
    id: String,
    /// What it is for.
    #[schema(example = "tenant")]
    kind: &'static str,
    /// What people call it.
    #[schema(example = "build server")]
    name: String,
    /// Its first characters.
    #[schema(example = "pft_3f2a")]
    hint: String,
    /// Who made it.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000d")]
    overseer_id: String,
    /// What it may be used for.
    #[schema(example = json!(["runs:read", "runs:write"]))]
    scopes: Vec<&'static str>,
    /// When it was made (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
    /// When it ends (RFC 3339).
    expires_at: Option<String>,
    /// When it was last used, to the minute (RFC 3339).
    used_at: Option<String>,
    /// When it was revoked (RFC 3339); a revoked key stays in the list.
    revoked_at: Option<String>,
}

impl From<api_keys::Key> for Key {
    fn from(key: api_keys::Key) -> Self {
        Self {
            id: key.id.to_string(),
            kind: key.kind.as_str(),
            name: key.name,
            hint: key.hint,
            overseer_id: key.overseer.to_string(),
            scopes: key.scopes.iter().map(|right| right.as_str()).collect(),
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
            used_at: key.used_at.map(|at| at.to_string()),
            revoked_at: key.revoked_at.map(|at| at.to_string()),
        }
    }
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKeyWithSecret)]
pub struct Made {
    /// The key itself. It is shown this once: keep it like a password.
    #[schema(example = "pft_3f2a0c5b9e7d41688a1f0b2c3d4e5f60718293a4")]
    secret: String,
    /// What is known of it.
    #[serde(flatten)]
    key: Key,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Made {
    /// A key with its secret.
    pub fn new(secret: &ApiKey, key: api_keys::Key) -> Self {
        Self {
            secret: secret.text().to_owned(),
            key: key.into(),
        }
    }
}

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKeys)]
pub struct Keys {
    /// The newest first, revoked ones among them.
    keys: Vec<Key>,
    /// What asks for the next page; none on the last.
    next_page_token: Option<String>,
}

impl Keys {
    /// A page of the keys of the transaction's tenant, or of a person.
    pub async fn read(tx: &mut impl Scope, owner: Option<OverseerId>, which: &Paging) -> Result<Self, ApiError> {
        let limit = parse::limit(which.limit)?;
        let before = parse::page_token(which.page_token.as_deref())?;
        let mut found = api_keys::list(tx, owner, before, i64::from(limit) + 1).await?;
        let next_page_token = parse::next_page(&mut found, limit, |key| key.id.to_string());
        Ok(Self {
            keys: found.into_iter().map(Key::from).collect(),
            next_page_token,
        })
    }
}

/// What is to be changed of a key (RFC 7396); what is not named stays. What it may be used for is not for changing: make another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiKeyChange)]
pub struct Change {
    /// What people are to call it: 1 to 100 characters.
    #[schema(example = "build server", min_length = 1, max_length = 100)]
    name: Option<String>,
}

/// What is written of a key.
#[derive(Debug, Serialize)]
struct Writable<'a> {
    name: &'a str,
}

/// A key of the transaction's tenant, or of a person, with its version.
pub async fn read(tx: &mut impl Scope, owner: Option<OverseerId>, id: ApiKeyId) -> Result<Response, ApiError> {
    tagged(api_keys::get(tx, owner, id).await?.ok_or(ApiError::NotFound)?)
}

/// Changes a key of the transaction's tenant, or of a person, and ends the transaction.
pub async fn change(
    mut tx: impl Scope,
    by: By<'_>,
    id: ApiKeyId,
    version: &IfMatch,
    change: &Change,
    now: Timestamp,
) -> Result<Response, ApiError> {
    let owner = tx.tenant().is_none().then_some(by.overseer);
    let mut key = api_keys::get(&mut tx, owner, id).await?.ok_or(ApiError::NotFound)?;
    version.check(&Writable { name: &key.name })?;
    if let Some(name) = &change.name {
        let name = parse::name("name", name)?;
        key = service::api_keys::rename(&mut tx, by, key, name, now).await?;
    }
    tx.commit().await?;
    tagged(key)
}

fn tagged(key: api_keys::Key) -> Result<Response, ApiError> {
    let key = Key::from(key);
    etag::tagged_for(&key, &Writable { name: &key.name })
}

/// There is no room for another key.
pub fn too_many() -> ApiError {
    ApiError::Conflict {
        code: "too_many_keys",
        message: format!("{MOST} keys are in force; revoke one first"),
    }
}
