//! How much somebody may do in which time. All replicas count together in Redis; while it is away, and where there is none,
//! each counts for itself. Of a large bucket a replica takes a share at once and gives out of that, so that few requests ask
//! Redis: whoever asks one replica after the other may find that up to a share's rest lies with another.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::Clock;
use governor::{
    Quota, RateLimiter, clock, middleware::StateInformationMiddleware, nanos::Nanos, state::keyed::DashMapStateStore,
};

use tokio::time::Instant;

use crate::redis::{Redis, Taken};

/// The part of a bucket that is taken at once: small ones are counted one by one.
const SHARE: u32 = 64;

type Here = RateLimiter<[u8; 32], DashMapStateStore<[u8; 32]>, Time, StateInformationMiddleware>;

/// The product's clock as the crate reads it.
#[derive(Debug, Clone)]
struct Time(Arc<dyn Clock>);

impl clock::Clock for Time {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let since = u64::try_from(self.0.now().as_nanosecond()).unwrap_or(0);
        Nanos::new(since)
    }
}

/// Too much; the next is after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many; the next is after {0:?}")]
pub struct TooOften(pub Duration);

/// What is counted with.
#[derive(Debug, Clone)]
pub struct Counting {
    /// The time, for this replica's own count.
    pub clock: Arc<dyn Clock>,
    /// Where replicas count together.
    pub redis: Option<Arc<Redis>>,
}

/// How a bucket stands after somebody took from it, or could not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The bucket's kind.
    pub name: &'static str,
    /// How many it holds.
    pub count: NonZeroU32,
    /// How long an empty one takes to fill.
    pub window: Duration,
    /// How many are left, or that there was none.
    pub left: Result<u32, TooOften>,
}

/// Buckets of one kind, one for each key.
#[derive(Debug)]
pub struct Limiter {
    name: &'static str,
    count: NonZeroU32,
    window: Duration,
    here: Here,
    time: Time,
    redis: Option<Arc<Redis>>,
    shares: Mutex<HashMap<[u8; 32], Share>>,
}

/// What was taken from a bucket and not given out yet.
#[derive(Debug)]
struct Share {
    here: u32,
    /// How many were left in the bucket.
    there: u32,
    /// When the bucket is full again whatever was taken.
    until: Instant,
}

impl Limiter {
    /// Full buckets. The name is in headers and in Redis.
    pub fn new(name: &'static str, count: NonZeroU32, window: Duration, counting: &Counting) -> Self {
        // The window is never zero, and that is all that could be wrong.
        let quota = Quota::with_period(window / count.get())
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(count);
        let time = Time(counting.clock.clone());
        Self {
            name,
            count,
            window,
            here: Here::new(quota, DashMapStateStore::default(), time.clone()),
            time,
            redis: counting.redis.clone(),
            shares: Mutex::default(),
        }
    }

    /// Takes one.
    pub async fn take(&self, key: &[u8; 32]) -> Standing {
        Standing {
            name: self.name,
            count: self.count,
            window: self.window,
            left: self.left(key).await,
        }
    }

    async fn left(&self, key: &[u8; 32]) -> Result<u32, TooOften> {
        if let Some(redis) = &self.redis {
            if let Some(left) = self.spend_share(key) {
                return Ok(left);
            }
            let most = NonZeroU32::new(self.count.get() / SHARE).unwrap_or(NonZeroU32::MIN);
            match redis.take(self.name, key, self.count, self.window, most).await {
                Some(Ok(taken)) => return Ok(self.share(key, taken)),
                Some(Err(wait)) => return Err(TooOften(wait)),
                None => {}
            }
        }
        match self.here.check_key(key) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(refused) => Err(TooOften(refused.wait_time_from(clock::Clock::now(&self.time)))),
        }
    }

    /// Gives one out of this replica's share, if there is any: how many are left.
    fn spend_share(&self, key: &[u8; 32]) -> Option<u32> {
        let mut shares = self.shares();
        let share = shares
            .get_mut(key)
            .filter(|share| share.here > 0 && Instant::now() < share.until)?;
        share.here -= 1;
        Some(share.here + share.there)
    }

    /// Gives one out of what was taken and keeps the rest: how many are left.
    fn share(&self, key: &[u8; 32], Taken { taken, left }: Taken) -> u32 {
        if taken > 1 {
            let now = Instant::now();
            let mut shares = self.shares();
            let share = shares.entry(*key).or_insert(Share {
                here: 0,
                there: 0,
                until: now,
            });
            // Others may have taken one at the same time.
            let rest = if now < share.until { share.here } else { 0 };
            *share = Share {
                here: rest + taken - 1,
                there: left,
                until: now + self.window,
            };
        }
        left + taken - 1
    }

    fn shares(&self) -> MutexGuard<'_, HashMap<[u8; 32], Share>> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the buckets of this replica that are full again.
    pub fn forget(&self) {
        self.here.retain_recent();
        let now = Instant::now();
        self.shares().retain(|_, share| share.here > 0 && now < share.until);
    }
}

#[cfg(test)]
mod tests;
