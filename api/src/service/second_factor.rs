//! A person's second factor: an authenticator's code, or one of ten recovery codes when it is lost. Each counts once, in
//! whichever replica it is shown. Passkeys are the other kind ([`crate::service::passkeys`]).

use domain::OverseerId;
use jiff::Timestamp;
use serde_json::json;

use crate::{
    auth::{
        random::random,
        seal::MasterKey,
        totp::{self, SECRET},
        typed_code,
    },
    service::{
        limiter::TooOften,
        sessions::Factor,
        throttle::{Throttle, Trier},
    },
    store::{
        Database, PlatformTransaction, Scope, StoreError, accounts,
        audit::{self, Actor, Event},
        jobs::{self, NewJob},
        passkeys,
        second_factors::{self, Authenticator},
    },
};

/// The purpose of the key that secrets are sealed under.
pub const PURPOSE: &str = "authenticator";

/// The job that tells a person that their second factors were changed.
pub const CHANGED: &str = "mail.second_factor_changed";

/// How many recovery codes there are.
const CODES: usize = 10;

/// What second factors are judged with.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The database.
    pub database: &'a Database,
    /// What secrets are sealed under.
    pub master: &'a MasterKey,
    /// How often one may try.
    pub throttle: &'a Throttle,
    /// Who tries.
    pub trier: Trier,
}

/// Why nothing was changed, or proved.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is an authenticator already.
    #[error("there is an authenticator already")]
    Confirmed,
    /// There is none.
    #[error("there is no authenticator")]
    None,
    /// The code is another, or was used.
    #[error("the code is another, or was used")]
    Code,
    /// Too many tries.
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a secret for an authenticator, in a transaction that is still to be stored, as all of these do. Nothing needs it until a code of it was shown.
pub async fn begin(
    judge: Judge<'_>,
    overseer: OverseerId,
    now: Timestamp,
) -> Result<(PlatformTransaction, [u8; SECRET]), Refused> {
    let secret: [u8; SECRET] = random().map_err(StoreError::from)?;
    let sealed = judge
        .master
        .seal(PURPOSE, &overseer.to_string(), &secret)
        .map_err(StoreError::from)?;
    let mut tx = judge.database.platform().await?;
    accounts::lock(&mut tx, overseer).await?;
    if !second_factors::put(&mut tx, overseer, &sealed, now).await? {
        return Err(Refused::Confirmed);
    }
    Ok((tx, secret))
}

/// Shows that the authenticator works; from then on a login needs a second factor. A person's first one comes with recovery codes.
pub async fn confirm(
    judge: Judge<'_>,
    overseer: OverseerId,
    code: &str,
    request_id: &str,
    now: Timestamp,
) -> Result<(PlatformTransaction, Option<Vec<String>>), Refused> {
    // A recovery code would show nothing of the authenticator.
    let digits = digits(code).ok_or(Refused::Code)?;
    let mut tx = judge.database.platform().await?;
    accounts::lock(&mut tx, overseer).await?;
    let found = second_factors::find(&mut tx, overseer).await?.ok_or(Refused::None)?;
    if found.confirmed {
        return Err(Refused::Confirmed);
    }
    step(&mut tx, judge, overseer, Some(&found), &digits, now).await?;
    if !second_factors::confirm(&mut tx, overseer, now).await? {
        return Err(Refused::Confirmed);
    }
    let codes = if passkeys::list(&mut tx, overseer).await?.is_empty() {
        Some(renew_codes(&mut tx, overseer).await?)
    } else {
        None
    };
    record(&mut tx, overseer, "second_factor.create", request_id, now).await?;
    Ok((tx, codes))
}

/// Makes recovery codes for who has a second factor; those that there were count no more.
pub async fn renew(
    database: &Database,
    overseer: OverseerId,
    request_id: &str,
    now: Timestamp,
) -> Result<(PlatformTransaction, Vec<String>), Refused> {
    let mut tx = database.platform().await?;
    accounts::lock(&mut tx, overseer).await?;
    let has_passkeys = !passkeys::list(&mut tx, overseer).await?.is_empty();
    if !has_passkeys && !second_factors::is_confirmed(&mut tx, overseer).await? {
        return Err(Refused::None);
    }
    let codes = renew_codes(&mut tx, overseer).await?;
    record(&mut tx, overseer, "recovery_codes.create", request_id, now).await?;
    Ok((tx, codes))
}

/// Makes recovery codes, in place of those that there are.
pub async fn renew_codes(tx: &mut PlatformTransaction, overseer: OverseerId) -> Result<Vec<String>, StoreError> {
    second_factors::delete_codes(tx, overseer).await?;
    let mut codes = Vec::with_capacity(CODES);
    for _ in 0..CODES {
        let code = typed_code::written(random()?);
        second_factors::insert_code(tx, overseer, &hash(&code)).await?;
        codes.push(code);
    }
    Ok(codes)
}

/// Takes the authenticator away; a code of it, or a recovery code, shows that its owner wants it.
pub async fn remove(
    judge: Judge<'_>,
    overseer: OverseerId,
    code: &str,
    request_id: &str,
    now: Timestamp,
) -> Result<PlatformTransaction, Refused> {
    let mut tx = judge.database.platform().await?;
    accounts::lock(&mut tx, overseer).await?;
    let found = second_factors::find(&mut tx, overseer).await?.ok_or(Refused::None)?;
    prove(&mut tx, judge, overseer, Some(&found), code, now).await?;
    second_factors::delete(&mut tx, overseer).await?;
    if passkeys::list(&mut tx, overseer).await?.is_empty() {
        second_factors::delete_codes(&mut tx, overseer).await?;
    }
    record(&mut tx, overseer, "second_factor.delete", request_id, now).await?;
    Ok(tx)
}

/// Judges a code, and uses it up in the caller's transaction. Who has passkeys and no authenticator has recovery codes.
pub async fn prove(
    tx: &mut PlatformTransaction,
    judge: Judge<'_>,
    overseer: OverseerId,
    authenticator: Option<&Authenticator>,
    code: &str,
    now: Timestamp,
) -> Result<Factor, Refused> {
    match digits(code) {
        Some(digits) => step(tx, judge, overseer, authenticator, &digits, now)
            .await
            .map(|()| Factor::Code),
        None => recover(tx, overseer, code, now).await.map(|()| Factor::RecoveryCode),
    }
}

/// The six digits of a code, however they are typed; none, if it is none of an authenticator's.
fn digits(code: &str) -> Option<String> {
    let digits: String = code.chars().filter(|c| *c != ' ').collect();
    (digits.len() == 6).then_some(digits)
}

async fn step(
    tx: &mut PlatformTransaction,
    judge: Judge<'_>,
    overseer: OverseerId,
    authenticator: Option<&Authenticator>,
    digits: &str,
    now: Timestamp,
) -> Result<(), Refused> {
    // Six digits can be guessed; 80 random bits cannot.
    judge.throttle.code(overseer, judge.trier).await?;
    let authenticator = authenticator.ok_or(Refused::Code)?;
    let place = overseer.to_string();
    let secret = judge
        .master
        .open(PURPOSE, &place, &authenticator.sealed_secret)
        .map_err(StoreError::from)?;
    let step = totp::step_of(&secret, digits, authenticator.last_step, now).ok_or(Refused::Code)?;
    if second_factors::advance(tx, overseer, step).await? {
        Ok(())
    } else {
        Err(Refused::Code)
    }
}

async fn recover(tx: &mut impl Scope, overseer: OverseerId, code: &str, now: Timestamp) -> Result<(), Refused> {
    if second_factors::spend_code(tx, overseer, &hash(code), now).await? {
        Ok(())
    } else {
        Err(Refused::Code)
    }
}

/// As the database knows a recovery code.
fn hash(code: &str) -> [u8; 32] {
    typed_code::hash("recovery code", code)
}

async fn record(
    tx: &mut PlatformTransaction,
    overseer: OverseerId,
    action: &'static str,
    request_id: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let event = Event {
        at,
        actor: Actor::Overseer(overseer),
        action,
        target: overseer.uuid(),
        request_id,
        detail: json!({}),
    };
    audit::append(tx, &event).await?;
    changed(tx, overseer, at).await
}

/// A mail tells the person, who may not have done it.
pub async fn changed(tx: &mut PlatformTransaction, overseer: OverseerId, at: Timestamp) -> Result<(), StoreError> {
    let job = NewJob {
        kind: CHANGED,
        subject: overseer.uuid(),
        payload: json!({}),
        at,
    };
    jobs::insert(tx, &job).await
}
