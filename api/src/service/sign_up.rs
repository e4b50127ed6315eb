//! A person opens an account: first the address is proved, then everything else is chosen. So nobody can prepare an
//! account for somebody else's address, and a stranger who asks costs no hash.

use aws_lc_rs::hmac;
use domain::{EmailAddress, MailLinkId, OverseerId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tracing::warn;

use crate::{
    auth::{
        mail_link::{self, Purpose},
        password::{self, Unfit},
        random::random,
    },
    service::{
        hashing::{Hashing, HashingError, Standing},
        members,
        sessions::{self, Entry, Opened},
        tenants as tenant_service,
    },
    store::{
        Database, StoreError, TenantTransaction,
        accounts::{self, NewPerson},
        audit::{self, Actor, Event},
        invitations::Invitation,
        jobs::{self, NewJob},
        mail_links::{self, NewLink},
        tenants::{Kind, NewTenant},
    },
};

/// How long a link is good.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// The job that sends a link.
pub const SEND: &str = "mail.link";

/// The job that tells the owner of an address that there is an account already.
pub const KNOWN: &str = "mail.account_exists";

/// What a person chooses.
#[derive(Debug)]
pub struct Choice {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

/// Why no account was opened.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The link is not ours, was used, or has ended.
    #[error("the link cannot be used")]
    Link,
    /// The password will not do.
    #[error(transparent)]
    Password(#[from] Unfit),
    /// Hashing failed, or there was no room.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Has a link sent to an address, or a word that there is an account already. The asker is not told which.
pub async fn begin(database: &Database, email: &EmailAddress, now: Timestamp) -> Result<(), StoreError> {
    let known = accounts::credentials(database.pool(), email).await?;
    let mut tx = database.platform().await?;
    let job = if let Some(account) = known {
        NewJob {
            kind: KNOWN,
            subject: account.id.uuid(),
            payload: json!({}),
            at: now,
        }
    } else {
        let link = NewLink {
            id: MailLinkId::new(now, random()?),
            purpose: Purpose::SignUp,
            email,
            overseer: None,
            at: now,
            expires_at: now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX),
        };
        mail_links::insert(&mut tx, &link).await?;
        NewJob {
            kind: SEND,
            subject: link.id.uuid(),
            payload: json!({"purpose": link.purpose.as_str()}),
            at: now,
        }
    };
    jobs::insert(&mut tx, &job).await?;
    tx.commit().await
}

/// What an account is opened with.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The database.
    pub database: &'a Database,
    /// Where passwords are hashed.
    pub hashing: &'a Hashing,
    /// The key of links.
    pub link_key: &'a hmac::Key,
}

/// Why an address counts as somebody's.
#[derive(Debug)]
enum Ground {
    SignUp(MailLinkId),
    Invitation(TenantId, Invitation),
}

/// Opens the account of whoever has a link, with a tenant of its own, and logs the person in.
pub async fn complete(
    place: Place<'_>,
    link: &str,
    choice: Choice,
    entry: Entry<'_>,
    now: Timestamp,
) -> Result<Opened, Refused> {
    let (ground, email) = ground(place, link, now).await?.ok_or(Refused::Link)?;
    password::check(&choice.password, email.key())?;
    let salt = random().map_err(StoreError::from)?;
    let hash = place.hashing.hash(Standing::Known, choice.password, salt).await?;

    let overseer = OverseerId::new(now, random().map_err(StoreError::from)?);
    let own = TenantId::new(now, random().map_err(StoreError::from)?);
    let mut tx = place.database.tenant(own).await?;
    if let Ground::SignUp(id) = &ground
        && !mail_links::spend(&mut tx, Purpose::SignUp, *id, now).await?
    {
        return Err(Refused::Link);
    }
    let person = NewPerson {
        id: overseer,
        email: Some(&email),
        name: &choice.name,
        platform_admin: false,
        at: now,
    };
    // Somebody else opened an account with this address since the link was sent: another link of the same person.
    if !open(&mut tx, &person, json!({}), entry.request_id).await? {
        return Err(Refused::Link);
    }
    accounts::set_password(&mut tx, overseer, &hash, now).await?;
    let opened = sessions::open(&mut tx, overseer, entry, now).await?;
    tx.commit().await?;
    if let Ground::Invitation(tenant, invitation) = &ground {
        // In the other tenant's transaction. If it was withdrawn just now the account stays, without the membership.
        match members::accept(place.database, *tenant, invitation, overseer, entry.request_id, now).await {
            Ok(tx) => tx.commit().await?,
            Err(members::Refused::NotFound) => {}
            Err(members::Refused::Store(error)) => return Err(error.into()),
            Err(other) => warn!(error = %other, "an invitation was not accepted"),
        }
    }
    Ok(opened)
}

async fn ground(place: Place<'_>, link: &str, now: Timestamp) -> Result<Option<(Ground, EmailAddress)>, StoreError> {
    let (ground, email) = if let Some(id) = mail_link::read(place.link_key, Purpose::SignUp, link) {
        let id = MailLinkId::of_uuid(id);
        match mail_links::find(place.database.pool(), Purpose::SignUp, id, now).await? {
            Some(found) => (Ground::SignUp(id), found.email),
            None => return Ok(None),
        }
    } else {
        match members::invitation(place.database, place.link_key, link, now).await? {
            Some((tenant, invitation)) => {
                let email = invitation.email.clone();
                (Ground::Invitation(tenant, invitation), email)
            }
            None => return Ok(None),
        }
    };
    let email = EmailAddress::parse(&email).map_err(|_| StoreError::Row("mail_links"))?;
    Ok(Some((ground, email)))
}

/// Stores a person with a tenant of their own; false if the address is somebody's. What proves who they are is for the caller to
/// store, in the same transaction.
pub async fn open(
    tx: &mut TenantTransaction,
    person: &NewPerson<'_>,
    detail: Value,
    request_id: &str,
) -> Result<bool, StoreError> {
    if !accounts::insert(tx, person).await? {
        return Ok(false);
    }
    let name = personal_name(person.id);
    let tenant = NewTenant {
        name: &name,
        kind: Kind::Personal,
        plan: tenant_service::PLAN,
        at: person.at,
    };
    if !tenant_service::insert(tx, person.id, &tenant, request_id).await? {
        return Ok(false);
    }
    let event = Event {
        at: person.at,
        actor: Actor::Overseer(person.id),
        action: "account.create",
        target: person.id.uuid(),
        request_id,
        detail,
    };
    audit::append(tx, &event).await?;
    Ok(true)
}

/// The name of a person's own tenant, which says nothing of the person.
pub fn personal_name(id: OverseerId) -> String {
    let digits = id.uuid().simple().to_string();
    let (_, tail) = digits.split_at(16);
    format!("u-{tail}")
}
