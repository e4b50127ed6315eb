//! A person's account ends: they leave every tenant, their own ends, and what says who they are is erased.

use domain::TenantId;
use jiff::Timestamp;
use serde_json::json;

use crate::{
    auth::rights::Role,
    service::{
        members::{self, By},
        sign_up::{Place, personal_name},
        tenants as tenant_service,
    },
    store::{
        StoreError, accounts,
        audit::{self, Actor, Event},
        memberships,
        tenants::{self, Kind},
    },
};

/// Why the account stays.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// These tenants would have no owner.
    #[error("tenants would have no owner: {0:?}")]
    LastOwner(Vec<String>),
    /// A tenant could not be left.
    #[error(transparent)]
    Members(#[from] members::Refused),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Ends an account. If it does not come to its end, it can be asked for again.
pub async fn delete(place: Place<'_>, by: By<'_>, now: Timestamp) -> Result<(), Refused> {
    let By {
        overseer, request_id, ..
    } = by;
    let own = personal_name(overseer);
    let seats = tenants::of_overseer(place.database.pool(), overseer).await?;
    let (own, others): (Vec<_>, Vec<_>) = seats.into_iter().partition(|seat| seat.name == own);
    let mut orphans = Vec::new();
    for seat in others.iter().filter(|seat| seat.role == Role::Owner) {
        if owners(place, seat.tenant).await? == 1 {
            orphans.push(seat.name.clone());
        }
    }
    if !orphans.is_empty() {
        return Err(Refused::LastOwner(orphans));
    }
    for seat in others {
        match members::remove(place.database, seat.tenant, overseer, by, now).await {
            // It ended, or somebody else was quicker.
            Ok(()) | Err(members::Refused::NotFound) => {}
            Err(members::Refused::LastOwner) => return Err(Refused::LastOwner(vec![seat.name])),
            Err(other) => return Err(other.into()),
        }
    }
    let actor = Actor::Overseer(overseer);
    for seat in own {
        tenant_service::delete(place.database, seat.tenant, Kind::Personal, actor, request_id, now).await?;
    }
    let mut tx = place.database.platform().await?;
    if accounts::erase(&mut tx, overseer, now).await? {
        let event = Event {
            at: now,
            actor,
            action: "account.delete",
            target: overseer.uuid(),
            request_id,
            detail: json!({}),
        };
        audit::append(&mut tx, &event).await?;
    }
    Ok(tx.commit().await?)
}

async fn owners(place: Place<'_>, tenant: TenantId) -> Result<usize, StoreError> {
    let mut tx = place.database.tenant(tenant).await?;
    let members = memberships::list(&mut tx).await?;
    Ok(members.iter().filter(|member| member.role == Role::Owner).count())
}
