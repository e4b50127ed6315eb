//! The composition root: makes every part from the configuration and joins them.

use std::sync::Arc;

use aws_lc_rs::{hmac, rand};
use domain::{Clock, SystemClock};
use jiff::SignedDuration;

use crate::{
    auth::{challenge, seal::MasterKey},
    config::Config,
    http::limits::Limits,
    service::{keyring::Keyring, tokens::Maker},
    store::{Database, StoreError},
};

/// What every handler may ask for.
#[derive(Debug, Clone)]
pub struct AppState {
    /// The database.
    pub database: Database,
    /// The signing keys.
    pub keyring: Arc<Keyring>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How much one client may ask for.
    pub limits: Arc<Limits>,
    /// The issuer.
    pub issuer: Arc<str>,
    /// What all keys are derived from.
    pub master: MasterKey,
    challenge_key: hmac::Key,
    shadow_key: hmac::Key,
    access_token: SignedDuration,
}

/// The generator of random numbers failed.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no random numbers")]
pub struct NoRandom;

impl AppState {
    /// Everything from the configuration, with the machine's clock.
    pub fn new(config: &Config) -> Result<Self, StoreError> {
        Ok(Self::assemble(
            config,
            Database::open(&config.database)?,
            Arc::new(SystemClock),
        ))
    }

    /// Everything from the configuration, over this database and this clock.
    pub fn assemble(config: &Config, database: Database, clock: Arc<dyn Clock>) -> Self {
        let master = config.auth.master_key.clone();
        Self {
            database,
            keyring: Arc::default(),
            limits: Arc::new(Limits::new(&config.limits, clock.clone())),
            clock,
            issuer: config.http.issuer.as_str().into(),
            challenge_key: master.mac(challenge::PURPOSE),
            shadow_key: config.auth.shadow_key.clone(),
            access_token: config.auth.access_token,
            master,
        }
    }

    /// What tokens are made with.
    pub fn tokens(&self) -> Maker<'_> {
        Maker {
            database: &self.database,
            keyring: &self.keyring,
            challenge_key: &self.challenge_key,
            issuer: &self.issuer,
            lifetime: self.access_token,
        }
    }

    /// The key that challenges are authenticated with.
    pub fn challenge_key(&self) -> &hmac::Key {
        &self.challenge_key
    }

    /// The key that shadow overseers are derived with.
    pub fn shadow_key(&self) -> &hmac::Key {
        &self.shadow_key
    }

    /// How long an access token is valid.
    pub fn access_token(&self) -> SignedDuration {
        self.access_token
    }
}

/// Random bytes.
pub fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}
