//! People: by their address, each with a tenant of their own.

use anyhow::Result;
use domain::{OverseerId, TenantId};
use serde_json::json;

use super::{Job, Outcome, REQUEST, file::Person};
use crate::{
    auth::{
        random::random,
        vouched::{LONGEST, is_name},
    },
    service::{
        members::By,
        outside::{self, Refused},
        sign_up,
    },
    store::{
        StoreError,
        accounts::{self, NewPerson},
        audit::Actor,
        tenants::{self, Kind},
    },
};

/// Why nothing of somebody's is brought in.
pub(super) const NO_TENANT: &str = "its owner has no tenant of their own";

/// The tenant that is a person's own.
pub(super) async fn own_tenant(job: Job<'_>, person: OverseerId) -> Result<Option<TenantId>, StoreError> {
    let seats = tenants::of_overseer(job.database.pool(), person).await?;
    let own = seats.iter().find(|seat| seat.kind == Kind::Personal);
    Ok(own.map(|seat| seat.tenant))
}

/// Brings in a person, and remembers what the system before calls them, if its tokens are taken.
pub(super) async fn bring_in(job: Job<'_>, person: &Person) -> Result<(Option<OverseerId>, Outcome)> {
    if job.issuer.is_some() && !is_name(&person.id) {
        let why = format!("its id is not 1 to {LONGEST} bytes of text, by which the system before could call a person");
        return Ok((None, Outcome::Refused(why)));
    }
    let (id, outcome) = account(job, person).await?;
    let (Some(overseer), Some(issuer), false) = (id, job.issuer, job.dry) else {
        return Ok((id, outcome));
    };
    let by = By {
        overseer,
        actor: Actor::System,
        request_id: REQUEST,
    };
    match outside::link(job.database, issuer, &person.id, by, job.now).await {
        Ok((tx, _)) => {
            tx.commit().await?;
            Ok((id, outcome))
        }
        Err(error @ (Refused::Taken | Refused::TooMany)) => Ok((id, Outcome::Refused(error.to_string()))),
        Err(error) => Err(error.into()),
    }
}

/// Who has an account with the address keeps it as it is, password and all.
async fn account(job: Job<'_>, person: &Person) -> Result<(Option<OverseerId>, Outcome), StoreError> {
    if let Some(known) = accounts::credentials(job.database.pool(), &person.email).await? {
        return Ok((Some(known.id), Outcome::Known));
    }
    if job.dry {
        return Ok((None, Outcome::New));
    }
    let id = OverseerId::new(job.now, random()?);
    let mut tx = job.database.tenant(TenantId::new(job.now, random()?)).await?;
    let new = NewPerson {
        id,
        email: Some(&person.email),
        name: &person.name,
        platform_admin: person.platform_admin,
        at: job.now,
    };
    if !sign_up::open(&mut tx, &new, json!({"imported": true}), REQUEST).await? {
        return Ok((
            None,
            Outcome::Refused("somebody opened an account with this address just now".to_owned()),
        ));
    }
    if let Some(hash) = &person.hash {
        accounts::set_password(&mut tx, id, hash, job.now).await?;
    }
    if person.blocked {
        accounts::set_blocked(&mut tx, id, Some(job.now)).await?;
    }
    tx.commit().await?;
    Ok((Some(id), Outcome::New))
}
