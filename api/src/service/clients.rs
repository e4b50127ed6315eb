//! OAuth clients that a tenant registers.

use domain::ClientId;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    auth::{
        client::{Metadata, Written, secret::Secret},
        random::random,
    },
    service::{members::By, tenants},
    store::{
        StoreError, TenantTransaction,
        audit::{self, Event},
        clients::{self, Client, NewSecret},
    },
};

/// How many clients a tenant has at most.
pub const MOST: i64 = 100;

/// A client of another system.
#[derive(Debug, Clone, Copy)]
pub struct Imported<'a> {
    /// What it calls itself by.
    pub client_id: &'a str,
    /// The SHA-256 of its secret.
    pub secret_hash: Option<[u8; 32]>,
}

/// What came of a registration.
#[derive(Debug)]
pub enum Registration {
    /// The client is there once the transaction is stored.
    Made(Box<Client>),
    /// Another calls itself so.
    Taken,
    /// There are too many.
    TooMany,
}

/// Registers a client, with a secret if that is what proves it; it is shown this once.
pub async fn register(
    tx: &mut TenantTransaction,
    metadata: Metadata,
    by: By<'_>,
    now: Timestamp,
) -> Result<Option<(Client, Option<Secret>)>, StoreError> {
    let secret = if metadata.auth_method.has_secret() {
        Some(Secret::new(random()?))
    } else {
        None
    };
    let id = ClientId::new(now, random()?);
    let known = Imported {
        client_id: &id.to_string(),
        secret_hash: secret.as_ref().map(Secret::hash),
    };
    match store(tx, id, metadata, known, by, now).await? {
        Registration::Made(client) => Ok(Some((*client, secret))),
        Registration::TooMany => Ok(None),
        Registration::Taken => Err(StoreError::Row("oauth_clients")),
    }
}

/// Registers a client that has a name and a secret already.
pub async fn bring_in(
    tx: &mut TenantTransaction,
    metadata: Metadata,
    imported: Imported<'_>,
    by: By<'_>,
    now: Timestamp,
) -> Result<Registration, StoreError> {
    store(tx, ClientId::new(now, random()?), metadata, imported, by, now).await
}

async fn store(
    tx: &mut TenantTransaction,
    id: ClientId,
    metadata: Metadata,
    known: Imported<'_>,
    by: By<'_>,
    now: Timestamp,
) -> Result<Registration, StoreError> {
    // A tenant's clients are changed one after another.
    tenants::lock(tx).await?;
    if clients::count(tx).await? >= MOST {
        return Ok(Registration::TooMany);
    }
    let client = Client {
        id,
        client_id: known.client_id.to_owned(),
        metadata,
        created_by: by.overseer,
        created_at: now,
        secret_created_at: known.secret_hash.map(|_| now),
        previous_secret_expires_at: None,
    };
    if !clients::insert(tx, &client, known.secret_hash.as_ref()).await? {
        return Ok(Registration::Taken);
    }
    let detail = json!({"client_id": client.client_id, "metadata": told(&client.metadata)?});
    record(tx, "client.create", by, id, now, detail).await?;
    Ok(Registration::Made(Box::new(client)))
}

/// Changes what was registered of a client that was read under the lock. A secret that proves it no longer goes.
pub async fn change(
    tx: &mut TenantTransaction,
    client: Client,
    metadata: Metadata,
    by: By<'_>,
    now: Timestamp,
) -> Result<Client, StoreError> {
    if client.metadata == metadata {
        return Ok(client);
    }
    clients::update(tx, client.id, &metadata).await?;
    let detail = json!({"metadata": told(&metadata)?});
    record(tx, "client.update", by, client.id, now, detail).await?;
    let keeps = metadata.auth_method.has_secret();
    Ok(Client {
        metadata,
        secret_created_at: client.secret_created_at.filter(|_| keeps),
        previous_secret_expires_at: client.previous_secret_expires_at.filter(|_| keeps),
        ..client
    })
}

/// Gives a client that was read under the lock another secret, which is shown this once. The one before is good for a while longer.
pub async fn renew_secret(
    tx: &mut TenantTransaction,
    client: Client,
    keep: SignedDuration,
    by: By<'_>,
    now: Timestamp,
) -> Result<(Client, Secret), StoreError> {
    let secret = Secret::new(random()?);
    let keeps = client.secret_created_at.is_some() && keep.is_positive();
    let previous_until = keeps.then(|| now + keep);
    let new = NewSecret {
        hash: secret.hash(),
        at: now,
        previous_until,
    };
    clients::set_secret(tx, client.id, &new).await?;
    let detail = json!({"previous_secret_expires_at": previous_until.map(|at| at.to_string())});
    record(tx, "client.secret", by, client.id, now, detail).await?;
    let client = Client {
        secret_created_at: Some(now),
        previous_secret_expires_at: previous_until,
        ..client
    };
    Ok((client, secret))
}

/// Deletes a client; false if there is none of this id.
pub async fn delete(tx: &mut TenantTransaction, id: ClientId, by: By<'_>, now: Timestamp) -> Result<bool, StoreError> {
    if !clients::delete(tx, id).await? {
        return Ok(false);
    }
    record(tx, "client.delete", by, id, now, json!({})).await?;
    Ok(true)
}

/// What the audit tells of a client: all that was registered, for none of it is a secret, but its name and keys, of which it needs no copy.
fn told(metadata: &Metadata) -> Result<Value, StoreError> {
    let mut told =
        serde_json::to_value(Written::from(metadata.clone())).map_err(|_| StoreError::Row("oauth_clients"))?;
    if let Some(members) = told.as_object_mut() {
        members.retain(|name, _| name != "client_name" && name != "jwks");
    }
    Ok(told)
}

async fn record(
    tx: &mut TenantTransaction,
    action: &'static str,
    by: By<'_>,
    id: ClientId,
    at: Timestamp,
    detail: Value,
) -> Result<(), StoreError> {
    let event = Event {
        at,
        actor: by.actor,
        action,
        target: id.uuid(),
        request_id: by.request_id,
        detail,
    };
    audit::append(tx, &event).await
}
