//! Keys that programs send.

use domain::{ApiKeyId, OverseerId};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    auth::{
        api_key::{ApiKey, Kind},
        random::random,
        rights::Right,
    },
    service::members::By,
    store::{
        Scope, StoreError,
        api_keys::{self, Key},
        audit::{self, Actor, Event},
    },
};

/// How many keys in force a tenant, or a person, has at most.
pub const MOST: i64 = 100;

/// A key to be made.
#[derive(Debug)]
pub struct NewKey<'a> {
    /// What it is for.
    pub kind: Kind,
    /// What people call it.
    pub name: &'a str,
    /// What it may be used for.
    pub scopes: Vec<Right>,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Who makes it.
    pub overseer: OverseerId,
    /// The request's id.
    pub request_id: &'a str,
}

/// Makes a key of the transaction's tenant, or of a person; none if there are too many. What is returned of it is shown once.
pub async fn create(tx: &mut impl Scope, new: NewKey<'_>, now: Timestamp) -> Result<Option<(ApiKey, Key)>, StoreError> {
    let owner = tx.tenant().is_none().then_some(new.overseer);
    if api_keys::count(tx, owner, now).await? >= MOST {
        return Ok(None);
    }
    let secret = ApiKey::new(new.kind, random()?);
    let key = Key {
        id: ApiKeyId::new(now, random()?),
        kind: new.kind,
        name: new.name.to_owned(),
        hint: secret.hint(),
        overseer: new.overseer,
        scopes: new.scopes,
        created_at: now,
        expires_at: new.expires_at,
        used_at: None,
        revoked_at: None,
    };
    api_keys::insert(tx, &key, &secret.hash()).await?;
    let scopes: Vec<&str> = key.scopes.iter().map(|right| right.as_str()).collect();
    let detail = json!({"kind": key.kind.as_str(), "scopes": scopes});
    record(
        tx,
        "api_key.create",
        Actor::Overseer(new.overseer),
        key.id,
        new.request_id,
        now,
        detail,
    )
    .await?;
    Ok(Some((secret, key)))
}

/// Changes what people call a key of the transaction's tenant, or of a person, that was read in the transaction.
pub async fn rename(tx: &mut impl Scope, by: By<'_>, key: Key, name: &str, now: Timestamp) -> Result<Key, StoreError> {
    if key.name == name {
        return Ok(key);
    }
    let owner = tx.tenant().is_none().then_some(by.overseer);
    api_keys::set_name(tx, owner, key.id, name).await?;
    let detail = json!({"changed": ["name"]});
    record(tx, "api_key.update", by.actor, key.id, by.request_id, now, detail).await?;
    Ok(Key {
        name: name.to_owned(),
        ..key
    })
}

/// Revokes a key of the transaction's tenant, or of a person; false if none of this id is in force.
pub async fn revoke(tx: &mut impl Scope, id: ApiKeyId, by: By<'_>, now: Timestamp) -> Result<bool, StoreError> {
    let owner = tx.tenant().is_none().then_some(by.overseer);
    if !api_keys::revoke(tx, owner, id, now).await? {
        return Ok(false);
    }
    record(tx, "api_key.revoke", by.actor, id, by.request_id, now, json!({})).await?;
    Ok(true)
}

async fn record(
    tx: &mut impl Scope,
    action: &'static str,
    actor: Actor,
    id: ApiKeyId,
    request_id: &str,
    at: Timestamp,
    detail: serde_json::Value,
) -> Result<(), StoreError> {
    let event = Event {
        at,
        actor,
        action,
        target: id.uuid(),
        request_id,
        detail,
    };
    audit::append(tx, &event).await
}
