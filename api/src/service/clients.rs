//! OAuth clients that a tenant registers.

use domain::{ClientId, OverseerId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    auth::{
        client::{Metadata, Written, secret::Secret},
        random::random,
    },
    service::{members::By, tenants},
    store::{
        self, Database, StoreError, TenantTransaction,
        audit::{self, Actor, Event},
        clients::{self, Client, NewSecret},
    },
};

/// How many clients people of a tenant register at most.
pub const MOST: i64 = 100;

/// How many register themselves at most.
const MOST_BY_THEMSELVES: i64 = 1000;

/// After how long a client that registered itself makes room for another, if nobody has let it in.
const UNUSED: SignedDuration = SignedDuration::from_hours(24);

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

/// What came of a registration by the client itself.
#[derive(Debug)]
pub enum Itself {
    /// It is there, with a secret if that is what proves it.
    Made(Box<Client>, Option<Secret>),
    /// There are too many that people use.
    Full,
    /// There is no such tenant.
    NoTenant,
}

/// Who registers a client.
#[derive(Debug, Clone, Copy)]
struct Registrar<'a> {
    /// A person of the tenant; nobody, if the client does itself.
    overseer: Option<OverseerId>,
    actor: Actor,
    request_id: &'a str,
}

impl<'a> From<By<'a>> for Registrar<'a> {
    fn from(by: By<'a>) -> Self {
        Self {
            overseer: Some(by.overseer),
            actor: by.actor,
            request_id: by.request_id,
        }
    }
}

/// Registers a client, with a secret if that is what proves it; it is shown this once.
pub async fn register(
    tx: &mut TenantTransaction,
    metadata: Metadata,
    by: By<'_>,
    now: Timestamp,
) -> Result<Option<(Client, Option<Secret>)>, StoreError> {
    let id = ClientId::new(now, random()?);
    make(tx, id, metadata, by.into(), now).await
}

/// Registers a client that comes by itself, as a tenant's. If there are too many, those make room that nobody uses.
pub async fn register_itself(
    database: &Database,
    tenant: &str,
    metadata: Metadata,
    request_id: &str,
    now: Timestamp,
) -> Result<Itself, StoreError> {
    let Some(tenant) = store::tenants::find_by_name(database.pool(), tenant).await? else {
        return Ok(Itself::NoTenant);
    };
    let mut tx = database.tenant(tenant.tenant).await?;
    tenants::lock(&mut tx).await?;
    if clients::count(&mut tx, true).await? >= MOST_BY_THEMSELVES {
        for unused in clients::unused(&mut tx, now - UNUSED).await? {
            clients::delete(&mut tx, unused).await?;
            record(
                &mut tx,
                "client.delete",
                (Actor::System, request_id),
                unused,
                now,
                json!({}),
            )
            .await?;
        }
    }
    let id = ClientId::new(now, random()?);
    let itself = Registrar {
        overseer: None,
        actor: Actor::Client(id),
        request_id,
    };
    let Some((client, secret)) = make(&mut tx, id, metadata, itself, now).await? else {
        return Ok(Itself::Full);
    };
    tx.commit().await?;
    Ok(Itself::Made(Box::new(client), secret))
}

async fn make(
    tx: &mut TenantTransaction,
    id: ClientId,
    metadata: Metadata,
    by: Registrar<'_>,
    now: Timestamp,
) -> Result<Option<(Client, Option<Secret>)>, StoreError> {
    let secret = if metadata.auth_method.has_secret() {
        Some(Secret::new(random()?))
    } else {
        None
    };
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
    store(tx, ClientId::new(now, random()?), metadata, imported, by.into(), now).await
}

async fn store(
    tx: &mut TenantTransaction,
    id: ClientId,
    metadata: Metadata,
    known: Imported<'_>,
    by: Registrar<'_>,
    now: Timestamp,
) -> Result<Registration, StoreError> {
    // A tenant's clients are changed one after another.
    tenants::lock(tx).await?;
    let (by_itself, most) = match by.overseer {
        Some(_) => (false, MOST),
        None => (true, MOST_BY_THEMSELVES),
    };
    if clients::count(tx, by_itself).await? >= most {
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
    record(tx, "client.create", (by.actor, by.request_id), id, now, detail).await?;
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
    record(tx, "client.update", (by.actor, by.request_id), client.id, now, detail).await?;
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
    record(tx, "client.secret", (by.actor, by.request_id), client.id, now, detail).await?;
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
    record(tx, "client.delete", (by.actor, by.request_id), id, now, json!({})).await?;
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
    (actor, request_id): (Actor, &str),
    id: ClientId,
    at: Timestamp,
    detail: Value,
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
