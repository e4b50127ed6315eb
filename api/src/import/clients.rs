//! OAuth clients: by what they call themselves, in the tenant of their owner's own.

use domain::OverseerId;

use super::{Job, Outcome, REQUEST, file::Client, people};
use crate::{
    service::{
        clients::{self, Imported, MOST, Registration},
        members::By,
    },
    store::{self, StoreError},
};

/// Brings in a client. One that is there stays as it is.
pub(super) async fn bring_in(job: Job<'_>, client: &Client, owner: Option<OverseerId>) -> Result<Outcome, StoreError> {
    let refused = |why: &str| Ok(Outcome::Refused(why.to_owned()));
    let known = store::clients::find(job.database.pool(), &client.client_id).await?;
    let Some(owner) = owner else {
        return match known {
            Some(_) => refused(TAKEN),
            None if job.dry => Ok(Outcome::New),
            None => refused("its owner was refused"),
        };
    };
    let Some(tenant) = people::own_tenant(job, owner).await? else {
        return refused(people::NO_TENANT);
    };
    match known {
        Some(known) if known.registered.as_ref().is_some_and(|known| known.tenant == tenant) => {
            return Ok(Outcome::Known);
        }
        Some(_) => return refused(TAKEN),
        None => {}
    }
    let mut tx = job.database.tenant(tenant).await?;
    let imported = Imported {
        client_id: &client.client_id,
        secret_hash: client.secret_hash,
    };
    let by = By::person(owner, REQUEST);
    match clients::bring_in(&mut tx, client.metadata.clone(), imported, by, job.now).await? {
        Registration::Taken => refused(TAKEN),
        Registration::TooMany => Ok(Outcome::Refused(format!("its owner has {MOST} clients"))),
        Registration::Made(_) if job.dry => Ok(Outcome::New),
        Registration::Made(_) => tx.commit().await.map(|()| Outcome::New),
    }
}

const TAKEN: &str = "another client here calls itself so";
