//! The signing keys in memory: read at intervals, made in time, the same in every replica.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use domain::Clock;
use jiff::Timestamp;
use resource_server::jwk::{thumbprint, written};
use serde_json::json;
use telemetry::logging::chain;
use tracing::{info, warn};

use crate::{
    auth::{
        jwk,
        jws::PublicKey,
        rotation,
        seal::{MasterKey, NotOurs},
        signing::{self, Algorithm, Pair},
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
    pub pair: Pair,
    from: Timestamp,
    until: Timestamp,
}

/// The keys that this replica knows.
#[derive(Debug, Default)]
pub struct Keyring(RwLock<Keys>);

impl Keyring {
    /// The key that signs now in this way; nothing before the first [`Keyring::refresh`].
    pub fn signing(&self, algorithm: Algorithm, now: Timestamp) -> Option<Arc<SigningKey>> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let signs = |key: &&Arc<SigningKey>| key.pair.algorithm() == algorithm && key.from <= now && now < key.until;
        keys.signing.iter().find(signs).cloned()
    }

    /// A published key that access tokens are signed with.
    pub fn verifying(&self, id: &str) -> Option<PublicKey> {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.verifying.get(id).cloned()
    }

    /// The published keys as a JWK Set (RFC 7517, section 5); nothing before the first [`Keyring::refresh`].
    pub fn document(&self) -> Option<Arc<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).document.clone()
    }

    /// Makes the next keys of these algorithms when their time has come, and reads all.
    pub async fn refresh(
        &self,
        database: &Database,
        master: &MasterKey,
        algorithms: &[Algorithm],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for algorithm in algorithms {
            make_next(database, master, *algorithm, now).await?;
        }
        let mut keys = Keys::default();
        let mut published = Vec::new();
        for stored in signing_keys::published(database.pool(), now).await? {
            let key = jwk::published(&stored.id, stored.algorithm, written(&stored.public_key));
            published.push(key);
            if stored.algorithm.signs_access_tokens() {
                keys.verifying.insert(stored.id.clone(), stored.public_key.clone());
            }
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
            if let Err(error) = self.refresh(database, master, &Algorithm::ALL, clock.now()).await {
                warn!(error = chain(&error), "the signing keys were not read");
            }
        }
    }
}

/// Makes a key if one is due. One replica at a time looks, so one is made.
async fn make_next(
    database: &Database,
    master: &MasterKey,
    algorithm: Algorithm,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut tx = database.platform().await?;
    if rotation::plan(signing_keys::signed_until(&mut tx, algorithm).await?, now).is_none() {
        return Ok(());
    }
    signing_keys::lock(&mut tx).await?;
    let Some(times) = rotation::plan(signing_keys::signed_until(&mut tx, algorithm).await?, now) else {
        return Ok(());
    };
    let made = tokio::task::spawn_blocking(move || {
        let private = signing::generate(algorithm)?;
        let public = Pair::open(algorithm, &private)?.public()?;
        Ok::<_, signing::Failed>((private, public))
    });
    let (private, public_key) = made.await.map_err(|_| NotOurs)?.map_err(|_| NotOurs)?;
    let id = thumbprint(&public_key);
    let key = Stored {
        sealed_private_key: master.seal(PURPOSE, &id, &private)?,
        id,
        algorithm,
        public_key,
        created_at: now,
        signs_from: times.from,
        signs_until: times.until,
        published_until: times.published_until,
    };
    signing_keys::insert(&mut tx, &key).await?;
    tx.commit().await?;
    info!(key.id = key.id, algorithm = algorithm.as_str(), signs_from = %key.signs_from, "signing key made");
    Ok(())
}

fn open(master: &MasterKey, stored: Stored) -> Result<SigningKey, StoreError> {
    let private = master.open(PURPOSE, &stored.id, &stored.sealed_private_key)?;
    let pair = Pair::open(stored.algorithm, &private).map_err(|_| NotOurs)?;
    if pair.public().ok().as_ref() != Some(&stored.public_key) {
        return Err(NotOurs.into());
    }
    Ok(SigningKey {
        id: stored.id,
        pair,
        from: stored.signs_from,
        until: stored.signs_until,
    })
}
