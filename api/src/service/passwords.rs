//! A person chooses another password: with the old one, or with a link that came by mail. Either ends the logins that
//! somebody else may have.

use domain::{EmailAddress, MailLinkId, OverseerId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    auth::{
        mail_link::{self, Purpose},
        password::{self, Unfit, Verdict},
        random::random,
    },
    service::{
        hashing::{HashingError, Standing},
        limiter::TooOften,
        sign_up::{Place, SEND},
        throttle::Throttle,
    },
    store::{
        PlatformTransaction, StoreError, accounts,
        audit::{self, Actor, Event},
        jobs::{self, NewJob},
        mail_links::{self, NewLink},
        passkeys,
        sessions::{self, Session},
    },
};

/// How long a link is good.
pub const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// The job that tells a person that the password was changed.
pub const CHANGED: &str = "mail.password_changed";

/// Why the password stays.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The link is not ours, was used, or has ended.
    #[error("the link cannot be used")]
    Link,
    /// The old password is another.
    #[error("the old password is another")]
    Wrong,
    /// The new password will not do.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Too many tries.
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// Hashing failed, or there was no room.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Has a link sent to an address, if there is an account with it. The asker is not told.
pub async fn ask(place: Place<'_>, email: &EmailAddress, now: Timestamp) -> Result<(), StoreError> {
    let Some(account) = accounts::credentials(place.database.pool(), email).await? else {
        return Ok(());
    };
    let link = NewLink {
        id: MailLinkId::new(now, random()?),
        purpose: Purpose::PasswordReset,
        email,
        overseer: Some(account.id),
        at: now,
        expires_at: now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX),
    };
    let job = NewJob {
        kind: SEND,
        subject: link.id.uuid(),
        payload: json!({"purpose": link.purpose.as_str()}),
        at: now,
    };
    let mut tx = place.database.platform().await?;
    mail_links::insert(&mut tx, &link).await?;
    jobs::insert(&mut tx, &job).await?;
    tx.commit().await
}

/// Chooses another password with a link. All logins end.
pub async fn reset(
    place: Place<'_>,
    link: &str,
    chosen: String,
    request_id: &str,
    now: Timestamp,
) -> Result<(), Refused> {
    let id = mail_link::read(place.link_key, Purpose::PasswordReset, link).ok_or(Refused::Link)?;
    let id = MailLinkId::of_uuid(id);
    let found = mail_links::find(place.database.pool(), Purpose::PasswordReset, id, now).await?;
    let found = found.ok_or(Refused::Link)?;
    let overseer = found.overseer.ok_or(StoreError::Row("mail_links"))?;
    let email = EmailAddress::parse(&found.email).map_err(|_| StoreError::Row("mail_links"))?;
    password::check(&chosen, email.key())?;
    let salt = random().map_err(StoreError::from)?;
    let hash = place.hashing.hash(Standing::Known, chosen, salt).await?;
    let mut tx = place.database.platform().await?;
    if !mail_links::spend(&mut tx, Purpose::PasswordReset, id, now).await? {
        return Err(Refused::Link);
    }
    store(&mut tx, overseer, &hash, "account.reset_password", request_id, now).await?;
    sessions::delete_others(&mut tx, overseer, None).await?;
    Ok(tx.commit().await?)
}

/// Chooses another password with the old one. All logins but the one that asks end.
pub async fn change(
    place: Place<'_>,
    throttle: &Throttle,
    session: &Session,
    old: String,
    chosen: String,
    request_id: &str,
    now: Timestamp,
) -> Result<(), Refused> {
    let overseer = session.overseer;
    let email = email_of(place, overseer).await?.ok_or(StoreError::Row("profiles"))?;
    password::check(&chosen, email.key())?;
    judge(place, throttle, overseer, email.key(), old).await?;
    let salt = random().map_err(StoreError::from)?;
    let hash = place.hashing.hash(Standing::Known, chosen, salt).await?;
    let mut tx = place.database.platform().await?;
    store(&mut tx, overseer, &hash, "account.change_password", request_id, now).await?;
    sessions::delete_others(&mut tx, overseer, Some(session.id)).await?;
    Ok(tx.commit().await?)
}

/// Judges what somebody who has logged in gives as their password.
pub async fn prove(
    place: Place<'_>,
    throttle: &Throttle,
    overseer: OverseerId,
    password: String,
) -> Result<(), Refused> {
    let email = email_of(place, overseer).await?.ok_or(Refused::Wrong)?;
    judge(place, throttle, overseer, email.key(), password).await
}

/// A person's address, in a transaction of its own: hashing takes long, and none waits for it.
async fn email_of(place: Place<'_>, overseer: OverseerId) -> Result<Option<EmailAddress>, StoreError> {
    let mut tx = place.database.platform().await?;
    let person = accounts::find(&mut tx, overseer).await?;
    let email = person.and_then(|person| person.email);
    let email = email.map(|email| EmailAddress::parse(&email)).transpose();
    email.map_err(|_| StoreError::Row("profiles"))
}

async fn judge(
    place: Place<'_>,
    throttle: &Throttle,
    overseer: OverseerId,
    email_key: &str,
    password: String,
) -> Result<(), Refused> {
    throttle.password(email_key, Some(*overseer.as_bytes())).await?;
    let stored = accounts::password(place.database.pool(), overseer)
        .await?
        .ok_or(Refused::Wrong)?;
    if place.hashing.verify(Standing::Known, stored, password).await? == Verdict::Wrong {
        return Err(Refused::Wrong);
    }
    Ok(())
}

async fn store(
    tx: &mut PlatformTransaction,
    overseer: OverseerId,
    hash: &str,
    action: &'static str,
    request_id: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    accounts::set_password(tx, overseer, hash, now).await?;
    // Who was asked for a passkey had shown the old password. Logins with it that are under way are waited for here, and their sessions end
    // with the others after this.
    passkeys::forget_asked(tx, overseer).await?;
    let event = Event {
        at: now,
        actor: Actor::Overseer(overseer),
        action,
        target: overseer.uuid(),
        request_id,
        detail: json!({}),
    };
    audit::append(tx, &event).await?;
    let job = NewJob {
        kind: CHANGED,
        subject: overseer.uuid(),
        payload: json!({}),
        at: now,
    };
    jobs::insert(tx, &job).await
}
