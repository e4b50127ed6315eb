//! Workers: take a key, make one pass over the object, count how it went, decide when to come back.

use std::{error::Error, fmt::Debug, future::Future, sync::Arc, time::Duration};

use telemetry::logging::chain;
use tokio::time::Instant;
use tracing::{Instrument, debug, error, info_span, warn};

use crate::{
    cluster::lease::Leadership,
    metrics::{Metrics, Outcome},
    runtime::{FairQueue, Key, backoff},
};

/// The longest that one pass may take; each call within has a deadline of its own.
const PASS: Duration = Duration::from_secs(45);

/// The wait while the lease is not held: either it comes back within moments or the process ends.
const LAPSE: Duration = Duration::from_millis(250);

/// What follows a pass that went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing until the object or something it depends on changes.
    Wait,
    /// Another pass after this time at the latest.
    After(Duration),
}

impl Action {
    /// The earlier of two.
    pub fn or_after(self, wait: Duration) -> Self {
        match self {
            Self::Wait => Self::After(wait),
            Self::After(other) => Self::After(other.min(wait)),
        }
    }
}

/// What kind of failure ended a pass: decides what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// May go away by itself: tried again with growing waits.
    Transient,
    /// Somebody changed the object meanwhile: tried again soon with what the watch brings.
    Conflict,
    /// The lease was not held at the moment, so the call was not made: no fault of the object.
    NotLeading,
    /// The API server refuses us: tried again with growing waits, reported as an error of the installation.
    Forbidden,
}

/// Why a pass could not be ended.
#[derive(Debug, thiserror::Error)]
#[error("{attempt}")]
pub struct Failure {
    /// What was tried.
    pub attempt: String,
    /// What kind of failure it is.
    pub class: FailureClass,
    /// Why it failed.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

/// Makes passes over the objects of one kind.
pub trait Reconciler: Debug + Send + Sync + 'static {
    /// The kind, as metrics and logs name it.
    const KIND: &'static str;

    /// Makes one pass: brings the world one step nearer to what the object asks for.
    fn reconcile(&self, key: &Key) -> impl Future<Output = Result<Action, Failure>> + Send;

    /// The UID of the object, for the log.
    fn uid(&self, key: &Key) -> Option<String>;
}

/// Runs a controller's workers until the queue is closed and every pass under way has ended.
pub async fn run<R: Reconciler>(
    reconciler: Arc<R>,
    queue: Arc<FairQueue>,
    workers: usize,
    leadership: Leadership,
    metrics: Arc<Metrics>,
) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..workers {
        let (reconciler, queue, leadership, metrics) =
            (reconciler.clone(), queue.clone(), leadership.clone(), metrics.clone());
        tasks.spawn(async move {
            while let Some(key) = queue.next().await {
                pass(&*reconciler, &queue, &key, &leadership, &metrics).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            // A panic in one pass must not silently cost a worker: the process ends and another replica takes over.
            error!(kind = R::KIND, %error, "a worker ended; giving up");
            std::process::exit(70);
        }
    }
}

async fn pass<R: Reconciler>(reconciler: &R, queue: &FairQueue, key: &Key, leadership: &Leadership, metrics: &Metrics) {
    let span = info_span!(
        "reconcile",
        kind = R::KIND,
        reconcile.id = format!("{:016x}", rand::random::<u64>()),
        object.scope = key.scope,
        object.name = key.name,
        object.uid = reconciler.uid(key),
    );
    async {
        let started = Instant::now();
        if !leadership.is_held() {
            queue.succeeded(key, Some(LAPSE));
            return;
        }
        let outcome = match tokio::time::timeout(PASS, reconciler.reconcile(key)).await {
            Ok(Ok(Action::Wait)) => {
                queue.succeeded(key, None);
                Outcome::Settled
            }
            Ok(Ok(Action::After(wait))) => {
                queue.succeeded(key, Some(wait));
                Outcome::Waiting
            }
            Ok(Err(failure)) if failure.class == FailureClass::NotLeading => {
                queue.succeeded(key, Some(LAPSE));
                Outcome::NotLeading
            }
            Ok(Err(failure)) => {
                let class = failure.class;
                let (failures, wait) = queue.failed(key, |n| match class {
                    FailureClass::Conflict => backoff::after(n).min(Duration::from_secs(5)),
                    _ => backoff::after(n),
                });
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                if class == FailureClass::Conflict {
                    debug!(failures, wait_ms, error = %chain(&failure), "pass met a conflict");
                } else {
                    warn!(failures, wait_ms, error = %chain(&failure), "pass failed");
                }
                class.into()
            }
            Err(_) => {
                let (failures, _) = queue.failed(key, backoff::after);
                warn!(
                    failures,
                    deadline_seconds = PASS.as_secs(),
                    "pass took too long and was dropped"
                );
                Outcome::TimedOut
            }
        };
        metrics.pass(R::KIND, outcome, started.elapsed());
    }
    .instrument(span)
    .await;
}
