//! Passkeys of people: second factors that no other site can ask for.
//!
//! To use one, a person shows the password first. Only then is a challenge made, and the credentials are named that may
//! answer it: whoever does not know the password does not learn whether there are any, and leaves nothing behind.

use domain::{OverseerId, PasskeyId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tracing::warn;

use crate::{
    auth::{
        opaque::Opaque,
        random::random,
        webauthn::{self, Ceremony, RelyingParty, Unbelieved},
    },
    service::{
        login::{Judge, LoggedIn, device_cookie},
        second_factor,
        sessions::{self, Entry, Factor},
    },
    store::{
        Database, PlatformTransaction, Scope, StoreError, accounts,
        audit::{self, Actor, Event},
        passkeys::{self, Passkey},
        second_factors,
    },
};

/// How long a challenge can be answered (Web Authentication, section 15.1, recommends five to ten minutes).
pub const LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// How many passkeys a person has at most.
pub const MOST: usize = 20;

/// What an authenticator is asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What is to be signed.
    pub challenge: Opaque,
    /// The person's credentials.
    pub credentials: Vec<Vec<u8>>,
}

/// Where passkeys are kept, and whom they are for.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The database.
    pub database: &'a Database,
    /// Whom they are for.
    pub party: &'a RelyingParty,
}

/// What a browser gives of a new passkey.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    /// What the person calls it.
    pub name: &'a str,
    /// What the browser says.
    pub client_data: &'a [u8],
    /// What the authenticator says.
    pub attestation: &'a [u8],
}

/// What a browser gives of a passkey in use.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The authenticator's name of it.
    pub credential_id: &'a [u8],
    /// Whose the authenticator takes it for, if it says so.
    pub user: Option<&'a [u8]>,
    /// What the authenticator answers.
    pub answer: webauthn::Answer<'a>,
}

/// Why a passkey is not taken, or proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// What was signed is no challenge of ours, or it has ended.
    #[error("the challenge was not ours, was answered before, or has ended")]
    Challenge,
    /// What the authenticator says is not believed.
    #[error(transparent)]
    Unbelieved(#[from] Unbelieved),
    /// The passkey is nobody's, or another person's.
    #[error("there is no such passkey")]
    Unknown,
    /// It is known already.
    #[error("the passkey is known already")]
    Known,
    /// The person has as many as there may be.
    #[error("there are {MOST} passkeys already")]
    Full,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Asks for something to be signed, in the caller's transaction.
pub async fn ask(
    tx: &mut impl Scope,
    overseer: OverseerId,
    ceremony: Ceremony,
    known: &[Passkey],
    now: Timestamp,
) -> Result<Asked, StoreError> {
    let challenge = Opaque::new(random()?);
    let ends = now.checked_add(LIFETIME).unwrap_or(Timestamp::MAX);
    passkeys::ask(tx, overseer, ceremony, &challenge.hash(), ends).await?;
    let credentials = known.iter().map(|passkey| passkey.credential_id.clone()).collect();
    Ok(Asked { challenge, credentials })
}

/// Begins a new passkey.
pub async fn begin(
    database: &Database,
    overseer: OverseerId,
    now: Timestamp,
) -> Result<(PlatformTransaction, Asked), Refused> {
    let mut tx = database.platform().await?;
    let known = passkeys::list(&mut tx, overseer).await?;
    if known.len() >= MOST {
        return Err(Refused::Full);
    }
    let asked = ask(&mut tx, overseer, Ceremony::Create, &known, now).await?;
    Ok((tx, asked))
}

/// Takes a new passkey; from then on a login needs a second factor. The person's first one comes with recovery codes.
pub async fn create(
    place: Place<'_>,
    overseer: OverseerId,
    new: New<'_>,
    request_id: &str,
    now: Timestamp,
) -> Result<(PlatformTransaction, Passkey, Option<Vec<String>>), Refused> {
    let challenge = webauthn::challenge(new.client_data, Ceremony::Create, place.party).ok_or(Refused::Challenge)?;
    let made = webauthn::registered(new.attestation, place.party)?;
    let mut tx = place.database.platform().await?;
    accounts::lock(&mut tx, overseer).await?;
    if passkeys::spend(&mut tx, Ceremony::Create, &challenge.hash(), now).await? != Some(overseer) {
        return Err(Refused::Challenge);
    }
    let known = passkeys::list(&mut tx, overseer).await?;
    if known.len() >= MOST {
        return Err(Refused::Full);
    }
    let passkey = Passkey {
        id: PasskeyId::new(now, random().map_err(StoreError::from)?),
        name: new.name.to_owned(),
        credential_id: made.id,
        public_key: made.key,
        uses: made.counter,
        backed_up: made.backed_up,
        created_at: now,
        used_at: None,
    };
    if !passkeys::insert(&mut tx, overseer, &passkey).await? {
        return Err(Refused::Known);
    }
    let is_first = known.is_empty() && !second_factors::is_confirmed(&mut tx, overseer).await?;
    let codes = if is_first {
        Some(second_factor::renew_codes(&mut tx, overseer).await?)
    } else {
        None
    };
    record(&mut tx, overseer, "passkey.create", &passkey, request_id, now).await?;
    Ok((tx, passkey, codes))
}

/// Takes a passkey away; recovery codes go with the last second factor.
pub async fn remove(
    database: &Database,
    overseer: OverseerId,
    id: PasskeyId,
    request_id: &str,
    now: Timestamp,
) -> Result<PlatformTransaction, Refused> {
    let mut tx = database.platform().await?;
    accounts::lock(&mut tx, overseer).await?;
    let known = passkeys::list(&mut tx, overseer).await?;
    let passkey = known.iter().find(|passkey| passkey.id == id).ok_or(Refused::Unknown)?;
    if !passkeys::delete(&mut tx, overseer, id).await? {
        return Err(Refused::Unknown);
    }
    if known.len() == 1 && !second_factors::is_confirmed(&mut tx, overseer).await? {
        second_factors::delete_codes(&mut tx, overseer).await?;
    }
    record(&mut tx, overseer, "passkey.delete", passkey, request_id, now).await?;
    Ok(tx)
}

/// Opens a session for who has shown the password before, and shows a passkey now.
pub async fn login(
    judge: Judge<'_>,
    party: &RelyingParty,
    shown: Shown<'_>,
    entry: Entry<'_>,
    now: Timestamp,
) -> Result<LoggedIn, Refused> {
    let challenge = webauthn::challenge(shown.answer.client_data, Ceremony::Get, party).ok_or(Refused::Challenge)?;
    let mut tx = judge.database.platform().await?;
    let overseer = passkeys::spend(&mut tx, Ceremony::Get, &challenge.hash(), now)
        .await?
        .ok_or(Refused::Challenge)?;
    let person = accounts::find(&mut tx, overseer).await?;
    if person.is_none_or(|person| person.blocked) || shown.user.is_some_and(|user| user != overseer.as_bytes()) {
        return Err(Refused::Unknown);
    }
    let known = passkeys::list(&mut tx, overseer).await?;
    let passkey = known
        .into_iter()
        .find(|passkey| passkey.credential_id == shown.credential_id)
        .ok_or(Refused::Unknown)?;
    let asserted = webauthn::asserted(shown.answer, party, &passkey.public_key, passkey.uses);
    let counts = match asserted {
        Ok(asserted) => passkeys::advance(&mut tx, passkey.id, asserted, now).await?,
        Err(Unbelieved::Copied) => false,
        Err(other) => return Err(other.into()),
    };
    if !counts {
        warn!(overseer = %overseer, passkey = %passkey.id, "a passkey's count went back; there may be a copy of its authenticator");
        return Err(Unbelieved::Copied.into());
    }
    let entry = Entry {
        factor: Some(Factor::Passkey(passkey.id)),
        ..entry
    };
    let opened = sessions::open(&mut tx, overseer, entry, now).await?;
    tx.commit().await?;
    Ok(LoggedIn {
        opened,
        device: device_cookie(judge.device_key, overseer)?,
    })
}

async fn record(
    tx: &mut PlatformTransaction,
    overseer: OverseerId,
    action: &'static str,
    passkey: &Passkey,
    request_id: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let event = Event {
        at,
        actor: Actor::Overseer(overseer),
        action,
        target: passkey.id.uuid(),
        request_id,
        detail: json!({}),
    };
    audit::append(tx, &event).await?;
    second_factor::changed(tx, overseer, at).await
}
