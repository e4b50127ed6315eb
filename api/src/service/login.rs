//! A person logs in with a password.

use domain::{EmailAddress, OverseerId};
use jiff::Timestamp;

use crate::{
    auth::{
        device,
        password::{self, Verdict},
        random::random,
        webauthn::Ceremony,
    },
    service::{
        hashing::{Hashing, HashingError, Standing},
        limiter::TooOften,
        passkeys::{self, Asked},
        second_factor,
        sessions::{self, Entry, Opened},
        throttle::{Throttle, Trier},
    },
    store::{self, Database, StoreError, accounts, second_factors},
};

/// What a login is judged with.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The database.
    pub database: &'a Database,
    /// Where passwords are hashed.
    pub hashing: &'a Hashing,
    /// How often one may try.
    pub throttle: &'a Throttle,
    /// What second factors are judged with.
    pub factors: second_factor::Judge<'a>,
    /// The key of devices' cookies.
    pub device_key: &'a aws_lc_rs::hmac::Key,
}

/// What somebody shows.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The address.
    pub email: &'a EmailAddress,
    /// The password.
    pub password: String,
    /// A code of the authenticator, or a recovery code.
    pub code: Option<&'a str>,
    /// The cookie of a browser that the person logged in from before.
    pub device: Option<&'a str>,
}

/// Why nobody is logged in.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// No such account, another password, a blocked account.
    #[error("invalid credentials")]
    Credentials,
    /// The password is right, and a second factor is needed besides: a code, or a passkey that answers this.
    #[error("a second factor is needed")]
    SecondFactor(Option<Asked>),
    /// The code is another, or was used.
    #[error("the code is another, or was used")]
    Code,
    /// Too many tries.
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// The pool is full, or hashing failed.
    #[error(transparent)]
    Hashing(#[from] HashingError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<second_factor::Refused> for Refused {
    fn from(why: second_factor::Refused) -> Self {
        match why {
            second_factor::Refused::TooOften(error) => Self::TooOften(error),
            second_factor::Refused::Store(error) => Self::Store(error),
            second_factor::Refused::Code | second_factor::Refused::None | second_factor::Refused::Confirmed => {
                Self::Code
            }
        }
    }
}

/// A login, and the cookie that lets the same browser in when strangers try.
#[derive(Debug)]
pub struct LoggedIn {
    /// The session.
    pub opened: Opened,
    /// The device's cookie.
    pub device: String,
}

/// Judges a password and opens a session.
pub async fn login(
    judge: Judge<'_>,
    attempt: Attempt<'_>,
    entry: Entry<'_>,
    now: Timestamp,
) -> Result<LoggedIn, Refused> {
    let found = accounts::credentials(judge.database.pool(), attempt.email).await?;
    let device = found
        .as_ref()
        .zip(attempt.device)
        .and_then(|(account, text)| device::read(judge.device_key, account.id, text));
    judge.throttle.password(attempt.email.key(), device).await?;
    let standing = if device.is_some() {
        Standing::Known
    } else {
        Standing::Stranger
    };
    if attempt.password.len() > password::LONGEST {
        return Err(Refused::Credentials);
    }
    // Nobody's password is compared like anybody's.
    let stored = found.as_ref().and_then(|account| account.password.clone());
    let compared = stored
        .as_ref()
        .map_or_else(|| password::NOBODYS.to_owned(), |stored| stored.hash.clone());
    let verdict = judge
        .hashing
        .verify(standing, compared, attempt.password.clone())
        .await?;
    let account = found.filter(|account| !account.blocked).ok_or(Refused::Credentials)?;
    let stored = stored
        .filter(|_| verdict != Verdict::Wrong)
        .ok_or(Refused::Credentials)?;
    let better = match verdict {
        Verdict::Outdated => Some(judge.hashing.hash(standing, attempt.password, salt()?).await?),
        Verdict::Right | Verdict::Wrong => None,
    };
    let mut tx = judge.database.platform().await?;
    // It may have been changed while this one was compared.
    if !accounts::keep_password(&mut tx, account.id, stored.changed_at).await? {
        return Err(Refused::Credentials);
    }
    if let Some(better) = better {
        accounts::rehash(&mut tx, account.id, &stored.hash, &better).await?;
    }
    let authenticator = second_factors::find(&mut tx, account.id).await?;
    let authenticator = authenticator.filter(|authenticator| authenticator.confirmed);
    let known = store::passkeys::list(&mut tx, account.id).await?;
    let mut factor = None;
    if authenticator.is_some() || !known.is_empty() {
        let Some(code) = attempt.code else {
            let asked = match &known[..] {
                [] => None,
                known => Some(passkeys::ask(&mut tx, account.id, Ceremony::Get, known, now).await?),
            };
            tx.commit().await?;
            return Err(Refused::SecondFactor(asked));
        };
        let factors = second_factor::Judge {
            trier: device.map_or(Trier::Stranger, Trier::Device),
            ..judge.factors
        };
        let proved = second_factor::prove(&mut tx, factors, account.id, authenticator.as_ref(), code, now);
        factor = Some(proved.await?);
    }
    let opened = sessions::open(&mut tx, account.id, Entry { factor, ..entry }, now).await?;
    tx.commit().await?;
    Ok(LoggedIn {
        opened,
        device: device_cookie(judge.device_key, account.id)?,
    })
}

/// A new cookie for a browser that a person logged in from.
pub fn device_cookie(key: &aws_lc_rs::hmac::Key, overseer: OverseerId) -> Result<String, StoreError> {
    Ok(device::mint(key, overseer, random()?))
}

fn salt() -> Result<[u8; 16], StoreError> {
    Ok(random()?)
}
