//! Issuers outside: their keys are fetched when they are needed, kept while the issuer is away, and asked for no more often than
//! it can bear.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use domain::Clock;
use jiff::{SignedDuration, Timestamp};
use telemetry::logging::chain;
use tracing::{info, warn};

use crate::{
    auth::{
        jwk_set,
        jws::{Parsed, PublicKey},
        vouched::{self, Demand, Vouched},
    },
    config,
};

pub mod fetch;

use fetch::{Fetch, FetchError};

/// After this time keys are fetched again: one that was taken out of the set counts no longer than that.
const REFRESH: SignedDuration = SignedDuration::from_mins(5);

/// How long keys count while the issuer is away.
const KEEP: SignedDuration = SignedDuration::from_hours(1);

/// At most one fetch in this time, whatever tokens name.
const APART: SignedDuration = SignedDuration::from_secs(10);

/// The issuers by their names.
#[derive(Debug)]
pub struct Issuers {
    all: BTreeMap<String, Arc<Issuer>>,
    clock: Arc<dyn Clock>,
}

/// An issuer's keys cannot be read, and there are none from before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keys of {0} cannot be read")]
pub struct NoKeys(String);

#[derive(Debug)]
struct Issuer {
    name: String,
    demand: Demand,
    fetch: Fetch,
    known: RwLock<Known>,
    /// Held by who fetches.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    keys: BTreeMap<String, PublicKey>,
    read_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
}

/// What is known of a key.
enum Standing {
    Good(PublicKey),
    /// The issuer had no key of this id.
    Unknown,
    /// What the issuer had is too old to count.
    Outdated,
}

impl Issuers {
    /// Those of the configuration; nothing is fetched yet.
    pub fn new(config: &config::Outside, clock: Arc<dyn Clock>) -> Result<Self, FetchError> {
        let mut all = BTreeMap::new();
        // The machine's roots are read once, and not where nobody outside is believed.
        if !config.issuers.is_empty() {
            let client = fetch::http()?;
            for issuer in &config.issuers {
                let made = Issuer {
                    name: issuer.name.clone(),
                    demand: issuer.demand.clone(),
                    fetch: Fetch::new(issuer, client.clone()),
                    known: RwLock::default(),
                    fetching: tokio::sync::Mutex::default(),
                };
                all.insert(issuer.name.clone(), Arc::new(made));
            }
        }
        Ok(Self { all, clock })
    }

    /// Whether this issuer's word counts.
    pub fn believes(&self, issuer: &str) -> bool {
        self.all.contains_key(issuer)
    }

    /// The issuer that a token names, if its word counts.
    pub fn of(&self, token: &Parsed<'_>) -> Option<&str> {
        if self.all.is_empty() {
            return None;
        }
        let (name, _) = self.all.get_key_value(&token.issuer()?)?;
        Some(name)
    }

    /// Whom a token vouches for; nobody, if it is not this issuer's, for us and in force.
    pub async fn verify(&self, issuer: &str, token: &Parsed<'_>) -> Result<Option<Vouched>, NoKeys> {
        let (Some(issuer), Some(key_id)) = (self.all.get(issuer), token.key_id()) else {
            return Ok(None);
        };
        let now = self.clock.now();
        let Some(key) = issuer.key(key_id, now).await? else {
            return Ok(None);
        };
        let claims = token.verify_foreign(&key);
        Ok(claims.and_then(|claims| vouched::read(&claims, &issuer.name, &issuer.demand, now)))
    }
}

impl Issuer {
    /// A key of the issuer's: from memory if it can be, and after one question otherwise.
    async fn key(self: &Arc<Self>, id: &str, now: Timestamp) -> Result<Option<PublicKey>, NoKeys> {
        if let Standing::Good(key) = self.standing(id, now) {
            if self.is_due(now, REFRESH) {
                // Nobody waits for it: what is known counts still.
                let issuer = self.clone();
                tokio::spawn(async move { issuer.refresh(now, REFRESH).await });
            }
            return Ok(Some(key));
        }
        self.refresh(now, SignedDuration::ZERO).await;
        match self.standing(id, now) {
            Standing::Good(key) => Ok(Some(key)),
            Standing::Unknown => Ok(None),
            Standing::Outdated => Err(NoKeys(self.name.clone())),
        }
    }

    fn standing(&self, id: &str, now: Timestamp) -> Standing {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match known.read_at {
            Some(at) if at.duration_until(now) < KEEP => {
                known.keys.get(id).cloned().map_or(Standing::Unknown, Standing::Good)
            }
            _ => Standing::Outdated,
        }
    }

    /// Whether keys that are this old are to be fetched, and may be.
    fn is_due(&self, now: Timestamp, age: SignedDuration) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let old = known.read_at.is_none_or(|at| at.duration_until(now) >= age);
        old && known.tried_at.is_none_or(|at| at.duration_until(now) >= APART)
    }

    /// Fetches the keys, if they are this old and nobody did so just now. Who comes while somebody does waits for that.
    async fn refresh(&self, now: Timestamp, age: SignedDuration) {
        let _held = self.fetching.lock().await;
        if !self.is_due(now, age) {
            return;
        }
        let keys = self
            .fetch
            .keys()
            .await
            .and_then(|bytes| jwk_set::read(&bytes).ok_or(FetchError::NoSet));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.tried_at = Some(now);
        match keys {
            Ok(keys) => {
                info!(issuer = self.name, keys = keys.len(), "the keys of an issuer were read");
                known.keys = keys;
                known.read_at = Some(now);
            }
            Err(error) => {
                warn!(
                    issuer = self.name,
                    error = chain(&error),
                    "the keys of an issuer were not read; those from before count for an hour"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
