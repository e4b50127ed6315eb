//! How much somebody may do in which time. All replicas count together in Redis; while it is away, and where there is none,
//! each counts for itself.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use domain::Clock;
use governor::{
    Quota, RateLimiter, clock, middleware::StateInformationMiddleware, nanos::Nanos, state::keyed::DashMapStateStore,
};

use crate::redis::Redis;

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
        if let Some(redis) = &self.redis
            && let Some(answer) = redis.take(self.name, key, self.count, self.window).await
        {
            return answer.map_err(TooOften);
        }
        match self.here.check_key(key) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(refused) => Err(TooOften(refused.wait_time_from(clock::Clock::now(&self.time)))),
        }
    }

    /// Forgets the buckets of this replica that are full again.
    pub fn forget(&self) {
        self.here.retain_recent();
    }
}
