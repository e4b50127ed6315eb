//! Redis: what replicas share and may lose. Whoever asks has an answer of their own for when it is away.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ::redis::{
    Client, RedisResult, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use prometheus_client::metrics::counter::Counter;
use secrecy::{ExposeSecret as _, SecretString};
use telemetry::logging::chain;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use crate::auth::hex;

mod channel;

/// What a question may take that the replica can answer itself: a request waits for it.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a question may take that nobody else can answer: a request is refused if it is late.
const LONG_PATIENCE: Duration = Duration::from_secs(1);

/// After a failure nobody asks for so long, and then one asks for all.
const AGAIN: Duration = Duration::from_secs(1);

/// What the check at the start may take.
const FIRST: Duration = Duration::from_secs(2);

/// The one policy under which a full server refuses writes and keeps what it has.
const KEEPS: &str = "noeviction";

/// What an epoch begins with.
const EPOCH: &str = "pinfold:epoch";

/// Something that counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spending {
    /// SHA-256 of it.
    pub digest: [u8; 32],
    /// The epoch in which it was minted.
    pub epoch: [u8; 16],
    /// How long it must be remembered: after that it is refused for its age.
    pub remember: Duration,
}

/// What was taken from a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// How many, at least one.
    pub taken: u32,
    /// How many are left in it.
    pub left: u32,
}

/// The server, as this replica reaches it.
pub struct Redis {
    client: Client,
    connection: ConnectionManager,
    bucket: Script,
    epoch: Script,
    spend: Script,
    /// For what the replica can answer itself.
    hurried: Asker,
    /// For what counts once. That it is late for the others is no reason to refuse anything.
    patient: Asker,
    unanswered: Counter,
}

/// How long is waited for an answer, and whether it is worth asking.
struct Asker {
    patience: Duration,
    silent_until: Mutex<Option<Instant>>,
}

/// The address has a password in it.
impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

/// Why the server cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// It is away, or does not let us in.
    #[error("Redis does not answer")]
    Away(#[source] ::redis::RedisError),
    /// It did not answer in time.
    #[error("Redis did not answer within {0:?}")]
    Late(Duration),
    /// It forgets what it was told when it is full, and with that what somebody has used up.
    #[error("Redis runs with maxmemory-policy {0}; it must be {KEEPS}")]
    Evicts(String),
}

impl Redis {
    /// Connects when it is first asked. What it does not answer is counted.
    pub fn open(url: &SecretString, unanswered: Counter) -> Result<Self, RedisError> {
        // The manager itself tries again whenever somebody asks.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(FIRST))
            .set_response_timeout(Some(FIRST));
        let client = Client::open(url.expose_secret()).map_err(RedisError::Away)?;
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(RedisError::Away)?;
        Ok(Self {
            client,
            connection,
            bucket: Script::new(include_str!("redis/gcra.lua")),
            epoch: Script::new(include_str!("redis/epoch.lua")),
            spend: Script::new(include_str!("redis/spend.lua")),
            hurried: Asker::new(PATIENCE),
            patient: Asker::new(LONG_PATIENCE),
            unanswered,
        })
    }

    /// The same, which waits for limits as long as for what counts once: a busy machine is not what is tested.
    #[cfg(test)]
    pub fn unhurried(self) -> Self {
        Self {
            hurried: Asker::new(LONG_PATIENCE),
            ..self
        }
    }

    /// Whether it answers and keeps what it is told.
    pub async fn check(&self) -> Result<(), RedisError> {
        let mut connection = self.connection.clone();
        let mut question = ::redis::cmd("INFO");
        let answer: RedisResult<String> = timeout(FIRST, question.arg("memory").query_async(&mut connection))
            .await
            .map_err(|_| RedisError::Late(FIRST))?;
        let answer = answer.map_err(RedisError::Away)?;
        let policy = answer.lines().find_map(|line| line.strip_prefix("maxmemory_policy:"));
        match policy.map(str::trim) {
            Some(KEEPS) => Ok(()),
            other => Err(RedisError::Evicts(other.unwrap_or("unknown").to_owned())),
        }
    }

    /// Takes up to `most` from a bucket that all replicas share, which holds `count` and fills within `window`: what was taken, or how
    /// long until there is one. None if the server does not say.
    pub async fn take(
        &self,
        bucket: &'static str,
        key: &[u8; 32],
        count: NonZeroU32,
        window: Duration,
        most: NonZeroU32,
    ) -> Option<Result<Taken, Duration>> {
        let interval = (window / count.get()).as_micros();
        let mut connection = self.connection.clone();
        let mut call = self.bucket.key(name(bucket, key));
        call.arg(u64::try_from(interval).unwrap_or(u64::MAX));
        call.arg(u64::try_from(interval * u128::from(count.get())).unwrap_or(u64::MAX));
        call.arg(most.get());
        let (left, taken, wait): (u32, u32, u64) = self.ask(&self.hurried, call.invoke_async(&mut connection)).await?;
        Some(match taken {
            0 => Err(Duration::from_micros(wait)),
            taken => Ok(Taken { taken, left }),
        })
    }

    /// The epoch of what the server has used up, `fresh` making a new one if it lost that. None if the server does not say.
    pub async fn epoch(&self, fresh: [u8; 16]) -> Option<[u8; 16]> {
        let mut connection = self.connection.clone();
        let mut call = self.epoch.key(EPOCH);
        call.arg(hex::encode(&fresh));
        let epoch: String = self.ask(&self.patient, call.invoke_async(&mut connection)).await?;
        Some(u128::from_str_radix(&epoch, 16).ok()?.to_be_bytes())
    }

    /// Uses things up: for each, whether it was not used before and is of the epoch in which it was minted. None if the server does
    /// not say, and then nobody knows.
    pub async fn spend(&self, things: &[Spending]) -> Option<Vec<bool>> {
        let mut connection = self.connection.clone();
        let mut call = self.spend.key(EPOCH);
        for thing in things {
            call.key(format!("pinfold:spent:{}", hex::encode(&thing.digest)));
        }
        for thing in things {
            call.arg(hex::encode(&thing.epoch));
            call.arg(u64::try_from(thing.remember.as_millis()).unwrap_or(u64::MAX).max(1));
        }
        let spent: Vec<u8> = self.ask(&self.patient, call.invoke_async(&mut connection)).await?;
        Some(spent.into_iter().map(|one| one == 1).collect())
    }

    async fn ask<T>(&self, asker: &Asker, question: impl Future<Output = RedisResult<T>>) -> Option<T> {
        let answer = asker.ask(question).await;
        if answer.is_none() {
            self.unanswered.inc();
        }
        answer
    }
}

impl Asker {
    const fn new(patience: Duration) -> Self {
        Self {
            patience,
            silent_until: Mutex::new(None),
        }
    }

    async fn ask<T>(&self, question: impl Future<Output = RedisResult<T>>) -> Option<T> {
        if !self.may_be_asked() {
            return None;
        }
        let why = match timeout(self.patience, question).await {
            Ok(Ok(answer)) => {
                if self.silent_until().take().is_some() {
                    info!(patience = ?self.patience, "Redis answers again");
                }
                return Some(answer);
            }
            Ok(Err(error)) => chain(&error),
            Err(_) => "no answer in time".to_owned(),
        };
        if self.silent_until().replace(Instant::now() + AGAIN).is_none() {
            warn!(error = why, patience = ?self.patience, "Redis does not answer");
        }
        None
    }

    /// Whether it answered last time, or it is time that somebody tries.
    fn may_be_asked(&self) -> bool {
        let now = Instant::now();
        let mut silent = self.silent_until();
        match *silent {
            Some(until) if now < until => false,
            Some(_) => {
                *silent = Some(now + AGAIN);
                true
            }
            None => true,
        }
    }

    fn silent_until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.silent_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name of a bucket: what somebody sent is in it only as a hash, so that no two buckets can be made one.
fn name(bucket: &str, key: &[u8; 32]) -> String {
    format!("pinfold:bucket:{bucket}:{}", hex::encode(key))
}

#[cfg(test)]
mod tests;
