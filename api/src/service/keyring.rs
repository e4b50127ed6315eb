//! The signing keys in memory: read at intervals, made in time, the same in every replica.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use domain::Clock;
use jiff::Timestamp;
use serde_json::json;
use telemetry::logging::chain;
use tracing::{info, warn};

use crate::{
    auth::{
        jwk,
        jws::PublicKey,
        random::random,
        rotation,
        seal::{MasterKey, NotOurs},
    },
    store::{
        Database, StoreError,
        signing_keys::{self, Stored},
    },
};

/// The purpose of the key that signing keys are sealed under.
pub const PURPOSE: &str = "signing key";

/// How often the keys are read. A key is published a day before it signs, so this has time.
pub const REFRESH: Duration = Duration::from_secs(30);

/// The keys of one moment.
#[derive(Debug, Default)]
struct Keys {
    verifying: BTreeMap<String, PublicKey>,
    signing: Vec<Arc<SigningKey>>,
    document: Option<Arc<str>>,
}

/// A key that signs.
#[derive(Debug)]
pub struct SigningKey {
    /// Its id.
    pub id: String,
    /// Both halves.
    pub pair: Ed25519KeyPair,
    from: Timestamp,
    until: Timestamp,
}

/// The keys that this replica knows.
#[derive(Debug, Default)]
pub struct Keyring(RwLock<Keys>);

impl Keyring {
    /// The key that signs now; nothing before the first [`Keyring::refresh`].
    pub fn signing(&self, now: Timestamp) -> Option<Arc<SigningKey>> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.signing.iter().find(|k| k.from <= now && now < k.until).cloned()
    }

    /// A published key.
    pub fn verifying(&self, id: &str) -> Option<PublicKey> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.verifying.get(id).cloned()
    }

    /// The published keys as a JWK Set (RFC 7517, section 5); nothing before the first [`Keyring::refresh`].
    pub fn document(&self) -> Option<Arc<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).document.clone()
    }

    /// Reads the keys, and makes the next one when its time has come.
    pub async fn refresh(&self, database: &Database, master: &MasterKey, now: Timestamp) -> Result<(), StoreError> {
        make_next(database, master, now).await?;
        let mut keys = Keys::default();
        let mut published = Vec::new();
        for stored in signing_keys::published(database.pool(), now).await? {
            published.push(jwk::published(&stored.id, &stored.public_key));
            keys.verifying
                .insert(stored.id.clone(), PublicKey::Ed25519(stored.public_key));
            if now < stored.signs_until {
                keys.signing.push(Arc::new(open(master, stored)?));
            }
        }
        keys.document = Some(json!({"keys": published}).to_string().into());
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// Keeps the keys up to date until the task is dropped. While the database is away the known ones go on.
    pub async fn keep(&self, database: &Database, master: &MasterKey, clock: &dyn Clock) {
        let mut ticks = tokio::time::interval(REFRESH);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.refresh(database, master, clock.now()).await {
                warn!(error = chain(&error), "the signing keys were not read");
            }
        }
    }
}

/// Makes a key if one is due. One replica at a time looks, so one is made.
async fn make_next(database: &Database, master: &MasterKey, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = database.platform().await?;
    if rotation::plan(signing_keys::signed_until(&mut tx).await?, now).is_none() {
        return Ok(());
    }
    signing_keys::lock(&mut tx).await?;
    let Some(times) = rotation::plan(signing_keys::signed_until(&mut tx).await?, now) else {
        return Ok(());
    };
    let seed: [u8; 32] = random()?;
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| NotOurs)?;
    let public_key: [u8; 32] = pair.public_key().as_ref().try_into().map_err(|_| NotOurs)?;
    let id = jwk::thumbprint(&public_key);
    let key = Stored {
        sealed_seed: master.seal(PURPOSE, &id, &seed)?,
        id,
        public_key,
        created_at: now,
        signs_from: times.from,
        signs_until: times.until,
        published_until: times.published_until,
    };
    signing_keys::insert(&mut tx, &key).await?;
    tx.commit().await?;
    info!(key.id = key.id, signs_from = %key.signs_from, "signing key made");
    Ok(())
}

fn open(master: &MasterKey, stored: Stored) -> Result<SigningKey, StoreError> {
    let seed = master.open(PURPOSE, &stored.id, &stored.sealed_seed)?;
    let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &stored.public_key).map_err(|_| NotOurs)?;
    Ok(SigningKey {
        id: stored.id,
        pair,
        from: stored.signs_from,
        until: stored.signs_until,
    })
}
