//! Tenants as accounts: who may use them is ours, what runs for them is Kubernetes'.

use domain::{OverseerId, TenantId, TenantName};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::{
    auth::{random::random, rights::Role},
    service::members::By,
    store::{
        Database, StoreError, TenantTransaction,
        audit::{self, Actor, Event},
        jobs::{self, NewJob},
        memberships,
        tenants::{self, Kind, NewTenant, Tenant},
    },
};

/// The job that makes the cluster's Tenant what the row says.
pub const APPLY: &str = "tenant.apply";

/// How many tenants one person may own.
pub const MOST: usize = 20;

/// The plan of a tenant that nobody chose one for.
pub const PLAN: &str = "standard";

/// What came of a creation.
#[derive(Debug)]
pub enum Creation {
    /// The tenant is there once the transaction is stored; its namespace follows.
    Made(TenantTransaction, Box<Tenant>),
    /// The name is somebody's.
    Taken,
    /// The person owns too many.
    TooMany,
}

/// Makes a tenant of several people; its maker is its owner.
pub async fn create(
    database: &Database,
    owner: OverseerId,
    name: &TenantName,
    request_id: &str,
    now: Timestamp,
) -> Result<Creation, StoreError> {
    if owns_most(database, owner).await? {
        return Ok(Creation::TooMany);
    }
    let id = TenantId::new(now, random()?);
    let mut tx = database.tenant(id).await?;
    let new = NewTenant {
        name: name.as_str(),
        kind: Kind::Team,
        plan: PLAN,
        at: now,
    };
    if !insert(&mut tx, owner, &new, request_id).await? {
        return Ok(Creation::Taken);
    }
    let made = tenants::find(&mut tx, false).await?.ok_or(StoreError::Row("tenants"))?;
    Ok(Creation::Made(tx, Box::new(made)))
}

/// Whether a person owns as many tenants as one may.
async fn owns_most(database: &Database, owner: OverseerId) -> Result<bool, StoreError> {
    let seats = tenants::of_overseer(database.pool(), owner).await?;
    Ok(seats.iter().filter(|seat| seat.role == Role::Owner).count() >= MOST)
}

/// A Tenant that somebody made in the cluster.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    /// Its name.
    pub name: &'a TenantName,
    /// Its plan.
    pub plan: &'a str,
    /// Its UID.
    pub uid: Uuid,
}

/// Makes a tenant that stands for a Tenant of the cluster, which stays as it is.
pub async fn link(
    database: &Database,
    owner: OverseerId,
    resource: Resource<'_>,
    by: By<'_>,
    now: Timestamp,
) -> Result<Creation, StoreError> {
    if owns_most(database, owner).await? {
        return Ok(Creation::TooMany);
    }
    let mut tx = database.tenant(TenantId::new(now, random()?)).await?;
    let new = NewTenant {
        name: resource.name.as_str(),
        kind: Kind::Team,
        plan: resource.plan,
        at: now,
    };
    if !store(&mut tx, owner, &new).await? {
        return Ok(Creation::Taken);
    }
    tenants::set_resource(&mut tx, Some(resource.uid), None).await?;
    let event = Event {
        at: now,
        actor: by.actor,
        action: "tenant.link",
        target: tx.id().uuid(),
        request_id: by.request_id,
        detail: json!({"name": new.name, "plan": new.plan, "owner": owner.to_string(), "resource": resource.uid.to_string()}),
    };
    audit::append(&mut tx, &event).await?;
    let made = tenants::find(&mut tx, false).await?.ok_or(StoreError::Row("tenants"))?;
    Ok(Creation::Made(tx, Box::new(made)))
}

/// Stores the transaction's tenant with its owner, and asks for its resource; false if the name is taken.
pub async fn insert(
    tx: &mut TenantTransaction,
    owner: OverseerId,
    new: &NewTenant<'_>,
    request_id: &str,
) -> Result<bool, StoreError> {
    if !store(tx, owner, new).await? {
        return Ok(false);
    }
    let event = Event {
        at: new.at,
        actor: Actor::Overseer(owner),
        action: "tenant.create",
        target: tx.id().uuid(),
        request_id,
        detail: json!({"name": new.name, "kind": new.kind.as_str(), "plan": new.plan}),
    };
    audit::append(tx, &event).await?;
    Ok(true)
}

/// The transaction's tenant, which nobody else changes until the transaction ends.
pub async fn lock(tx: &mut TenantTransaction) -> Result<Tenant, StoreError> {
    tenants::find(tx, true).await?.ok_or(StoreError::Row("tenants"))
}

/// Changes what people call a tenant that was read under the lock.
pub async fn rename(
    tx: &mut TenantTransaction,
    tenant: Tenant,
    display_name: Option<String>,
    by: By<'_>,
    now: Timestamp,
) -> Result<Tenant, StoreError> {
    if tenant.display_name == display_name {
        return Ok(tenant);
    }
    tenants::set_display_name(tx, display_name.as_deref()).await?;
    let event = Event {
        at: now,
        actor: by.actor,
        action: "tenant.update",
        target: tenant.id.uuid(),
        request_id: by.request_id,
        detail: json!({"changed": ["display_name"]}),
    };
    audit::append(tx, &event).await?;
    Ok(Tenant { display_name, ..tenant })
}

/// Ends a tenant of this kind; its resource, and with it everything that runs for it, goes. One of another kind is left
/// as it is, and there is none if it has ended.
pub async fn delete(
    database: &Database,
    tenant: TenantId,
    kind: Kind,
    actor: Actor,
    request_id: &str,
    now: Timestamp,
) -> Result<Option<Tenant>, StoreError> {
    let mut tx = database.tenant(tenant).await?;
    let Some(found) = tenants::find(&mut tx, true).await?.filter(|t| !t.deleted) else {
        return Ok(None);
    };
    if found.kind != kind {
        return Ok(Some(found));
    }
    tenants::delete(&mut tx, now).await?;
    apply(&mut tx, now).await?;
    let event = Event {
        at: now,
        actor,
        action: "tenant.delete",
        target: tenant.uuid(),
        request_id,
        detail: json!({}),
    };
    audit::append(&mut tx, &event).await?;
    tx.commit().await?;
    Ok(Some(Tenant { deleted: true, ..found }))
}

async fn store(tx: &mut TenantTransaction, owner: OverseerId, new: &NewTenant<'_>) -> Result<bool, StoreError> {
    if !tenants::insert(tx, new).await? {
        return Ok(false);
    }
    memberships::insert(tx, owner, Role::Owner, new.at).await?;
    apply(tx, new.at).await?;
    Ok(true)
}

/// Has the cluster made what the row says. Who does this holds the row.
pub async fn apply(tx: &mut TenantTransaction, now: Timestamp) -> Result<(), StoreError> {
    let job = NewJob {
        kind: APPLY,
        subject: tx.id().uuid(),
        payload: json!({}),
        at: now,
    };
    jobs::insert(tx, &job).await
}
