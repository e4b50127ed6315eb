//! People whom an issuer outside vouches for: by the issuer's name for them, never by an address. Whoever is new has an account from
//! the first request on; an account that is there gets another identity only from whoever is logged in to it.

use domain::{IdentityId, OverseerId, TenantId};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    auth::{random::random, vouched::Vouched},
    issuers::Issuers,
    service::{members::By, sign_up, standing::Standing},
    store::{
        Database, PlatformTransaction, StoreError,
        accounts::{self, NewPerson},
        audit::{self, Event},
        identities::{self, Holder, Identity},
    },
};

/// What people are called whose issuer does not say.
const NOBODY: &str = "unnamed";

/// The longest name.
const LONGEST: usize = 100;

/// How many identities a person may have.
pub const MOST: usize = 10;

/// Why an identity stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is somebody's account already.
    #[error("the identity is another account's")]
    Taken,
    /// There are too many.
    #[error("too many identities")]
    TooMany,
    /// There is no such identity.
    #[error("not found")]
    NotFound,
    /// Without it nothing would prove who the person is.
    #[error("it is the last proof of the account")]
    Last,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The person whom a token vouches for; nobody, if the account is blocked.
pub async fn person(
    database: &Database,
    standing: &Standing,
    issuer: &str,
    vouched: &Vouched,
    request_id: &str,
    now: Timestamp,
) -> Result<Option<OverseerId>, StoreError> {
    let open = |holder: Holder| (!holder.blocked).then_some(holder.overseer);
    if let Some(holder) = standing.find_person(issuer, &vouched.subject).await? {
        return Ok(open(holder));
    }
    if let Some(made) = make(database, issuer, vouched, request_id, now).await? {
        return Ok(Some(made));
    }
    // Another request of the same person was quicker.
    let holder = identities::find(database.pool(), issuer, &vouched.subject).await?;
    Ok(holder.and_then(open))
}

/// Opens an account, with a tenant of its own; nothing, if the identity is somebody's by now.
async fn make(
    database: &Database,
    issuer: &str,
    vouched: &Vouched,
    request_id: &str,
    now: Timestamp,
) -> Result<Option<OverseerId>, StoreError> {
    let overseer = OverseerId::new(now, random()?);
    let mut tx = database.tenant(TenantId::new(now, random()?)).await?;
    let name = vouched.name.as_deref().unwrap_or(NOBODY);
    let person = NewPerson {
        id: overseer,
        email: None,
        name: &name.chars().take(LONGEST).collect::<String>(),
        platform_admin: false,
        at: now,
    };
    let detail = json!({"issuer": issuer});
    if !sign_up::open(&mut tx, &person, detail, request_id).await? {
        return Ok(None);
    }
    let identity = Identity {
        id: IdentityId::new(now, random()?),
        issuer: issuer.to_owned(),
        subject: vouched.subject.clone(),
        created_at: now,
    };
    if !identities::insert(&mut tx, overseer, &identity).await? {
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(overseer))
}

/// Gives an account another identity, in a transaction that is still to be stored. Twice the same gives twice the same.
pub async fn link(
    database: &Database,
    issuer: &str,
    subject: &str,
    by: By<'_>,
    now: Timestamp,
) -> Result<(PlatformTransaction, Identity), Refused> {
    let mut tx = database.platform().await?;
    let known = identities::list(&mut tx, by.overseer, true).await?;
    if let Some(same) = known.iter().find(|i| i.issuer == issuer && i.subject == subject) {
        let same = same.clone();
        return Ok((tx, same));
    }
    if known.len() >= MOST {
        return Err(Refused::TooMany);
    }
    let identity = Identity {
        id: IdentityId::new(now, random().map_err(StoreError::from)?),
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        created_at: now,
    };
    if !identities::insert(&mut tx, by.overseer, &identity).await? {
        return Err(Refused::Taken);
    }
    let event = event("identity.link", &identity, by, now);
    audit::append(&mut tx, &event).await?;
    Ok((tx, identity))
}

/// Takes an identity from an account, if something else proves whose it is: an issuer that is believed, or a password.
pub async fn unlink(
    database: &Database,
    issuers: &Issuers,
    id: IdentityId,
    by: By<'_>,
    now: Timestamp,
) -> Result<(), Refused> {
    let mut tx = database.platform().await?;
    let known = identities::list(&mut tx, by.overseer, true).await?;
    let found = known
        .iter()
        .find(|identity| identity.id == id)
        .ok_or(Refused::NotFound)?;
    let proves = |identity: &&Identity| issuers.believes(&identity.issuer);
    let is_last = proves(&found) && known.iter().filter(proves).count() == 1;
    if is_last && !accounts::has_password(&mut tx, by.overseer).await? {
        return Err(Refused::Last);
    }
    identities::delete(&mut tx, id).await?;
    let event = event("identity.unlink", found, by, now);
    audit::append(&mut tx, &event).await?;
    Ok(tx.commit().await?)
}

/// The issuer's name for the person is no part of it: what is chained cannot be erased.
fn event<'a>(action: &'static str, identity: &Identity, by: By<'a>, at: Timestamp) -> Event<'a> {
    Event {
        at,
        actor: by.actor,
        action,
        target: by.overseer.uuid(),
        request_id: by.request_id,
        detail: json!({"identity_id": identity.id.to_string(), "issuer": identity.issuer}),
    }
}
