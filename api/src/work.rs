//! Does what was stored to be done: takes jobs, does each within its lease, and puts off what fails.
//!
//! A worker is woken when a job is stored in its own process, when another process says so, and, whatever was missed,
//! every few seconds.

mod agents;
mod cluster_changes;
mod mail;
mod tenant;

use std::{sync::Arc, time::Duration};

use jiff::SignedDuration;
use telemetry::logging::chain;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tracing::{error, info, warn};

use crate::{
    app::AppState,
    auth::random::random,
    cluster::{ClusterError, Observed},
    mail::{self as letters, MailError, Mailer},
    metrics::JobOutcome,
    service::{audit, passwords, second_factor, sign_up, tenants},
    store::{
        StoreError,
        jobs::{self, Held},
    },
};

/// How long nothing is heard of a worker before somebody else takes its job.
const LEASE: SignedDuration = SignedDuration::from_secs(15);

/// How often a worker says that it is still at a job.
const RENEW: Duration = Duration::from_secs(5);

/// How long a job is let run.
const TIME: Duration = Duration::from_secs(45);

/// How often is looked without being told.
pub const POLL: Duration = Duration::from_secs(2);

/// How often jobs are counted.
const COUNT: Duration = Duration::from_secs(15);

/// Jobs that are done at once.
const AT_ONCE: usize = 16;

/// How often a job is tried: with the pauses between, for about a day.
const ATTEMPTS: i32 = 20;

/// The longest pause.
const LONGEST: i64 = 2 * 3600;

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It may work later.
    #[error("{0}")]
    Later(String),
    /// It never will.
    #[error("{0}")]
    Never(String),
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::Later(chain(&error))
    }
}

impl From<MailError> for JobError {
    fn from(error: MailError) -> Self {
        Self::Later(chain(&error))
    }
}

impl From<ClusterError> for JobError {
    fn from(error: ClusterError) -> Self {
        Self::Later(chain(&error))
    }
}

/// Why something that follows the cluster was not done; it is done again.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// A worker.
#[derive(Debug, Clone)]
pub struct Worker {
    state: AppState,
    mailer: Mailer,
}

/// Starts a worker, what wakes it, what numbers the events of the audit, and what follows the cluster.
pub fn start(tasks: &mut JoinSet<()>, state: &AppState, mailer: Mailer) {
    let worker = Worker::new(state.clone(), mailer);
    tasks.spawn(async move { worker.run().await });
    let sealing = state.clone();
    tasks.spawn(async move { audit::keep_sealing(&sealing).await });
    let counting = state.clone();
    tasks.spawn(async move { keep_counting(&counting).await });
    if let Some(cluster) = state.cluster.clone() {
        let (following, place) = (state.clone(), cluster.clone());
        tasks.spawn(async move { agents::follow(&following, &place).await });
        for kind in Observed::ALL {
            let (following, place) = (state.clone(), cluster.clone());
            tasks.spawn(async move { cluster_changes::follow(&following, &place, kind).await });
        }
        let settling = state.clone();
        tasks.spawn(async move { cluster_changes::keep_settling(&settling, &cluster).await });
    }
    let listening = state.clone();
    tasks.spawn(async move { listening.bell.listen(&listening.database).await });
}

/// Tells the metrics how many jobs there are.
async fn keep_counting(state: &AppState) {
    let mut ticks = tokio::time::interval(COUNT);
    loop {
        ticks.tick().await;
        match jobs::count(state.database.pool()).await {
            Ok(counts) => state.metrics.jobs(counts),
            Err(error) => warn!(error = chain(&error), "jobs were not counted"),
        }
    }
}

impl Worker {
    /// A worker with these parts.
    pub fn new(state: AppState, mailer: Mailer) -> Self {
        Self { state, mailer }
    }

    /// Works until the task is dropped; jobs under way are taken over by others after their lease.
    pub async fn run(&self) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut under_way = JoinSet::new();
        loop {
            let woken = self.state.bell.heard();
            let free = places.available_permits();
            let taken = match self.take(free).await {
                Ok(taken) => taken,
                Err(error) => {
                    warn!(error = chain(&error), "jobs were not taken");
                    Vec::new()
                }
            };
            let was_full = taken.len() == free && free > 0;
            for job in taken {
                let worker = self.clone();
                // There is a place for each: no more were taken.
                let place = places.clone().acquire_owned().await;
                under_way.spawn(async move {
                    worker.work(job).await;
                    drop(place);
                    // A job that is done lets the next of its subject be taken.
                    worker.state.bell.again();
                });
            }
            while under_way.try_join_next().is_some() {}
            if !was_full {
                let _ = tokio::time::timeout(POLL, woken).await;
            }
        }
    }

    /// Does every job that is due, and those that become due by it. For tests.
    #[cfg(test)]
    pub async fn drain(&self) {
        loop {
            let taken = self.take(AT_ONCE).await.expect("take jobs");
            if taken.is_empty() {
                return;
            }
            for job in taken {
                self.work(job).await;
            }
        }
    }

    async fn take(&self, most: usize) -> Result<Vec<Held>, StoreError> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let most = i64::try_from(most).unwrap_or(1);
        jobs::take(self.state.database.pool(), most, LEASE, self.state.clock.now()).await
    }

    async fn work(&self, job: Held) {
        let done = tokio::select! {
            done = tokio::time::timeout(TIME, self.perform(&job)) => {
                done.unwrap_or_else(|_| Err(JobError::Later("it took too long".to_owned())))
            }
            () = self.lost(&job) => {
                info!(job.kind, job.position, "a job is somebody else's by now, and left to them");
                return;
            }
        };
        let pool = self.state.database.pool();
        let now = self.state.clock.now();
        let metrics = &self.state.metrics;
        let ended = match done {
            Ok(()) => jobs::finish(pool, &job).await.map(|ended| {
                metrics.job(&job.kind, JobOutcome::Done);
                if !ended {
                    // Somebody else does it again; that does no harm.
                    info!(job.kind, job.position, "the lease of a job was lost");
                }
            }),
            Err(error) => {
                let again = match &error {
                    JobError::Later(_) if job.attempts < ATTEMPTS => now.checked_add(pause(job.attempts)).ok(),
                    _ => None,
                };
                let text = error.to_string();
                if let Some(at) = again {
                    metrics.job(&job.kind, JobOutcome::PutOff);
                    warn!(job.kind, job.position, job.attempts, error = text, next = %at, "a job failed");
                } else {
                    metrics.job(&job.kind, JobOutcome::GivenUp);
                    error!(job.kind, job.position, job.attempts, error = text, "a job was given up");
                }
                jobs::fail(pool, &job, &text, again, now).await
            }
        };
        if let Err(error) = ended {
            warn!(
                job.kind,
                job.position,
                error = chain(&error),
                "the end of a job was not stored; it is done again"
            );
        }
    }

    /// Keeps the lease of a job; ends when it is lost, or may be, because the database was not heard for as long.
    async fn lost(&self, job: &Held) {
        let pool = self.state.database.pool();
        let mut until = Instant::now() + LEASE.unsigned_abs();
        loop {
            tokio::time::sleep(RENEW).await;
            let asked = Instant::now();
            let renewed = timeout_at(until, jobs::renew(pool, job, LEASE, self.state.clock.now()));
            match renewed.await.unwrap_or(Ok(false)) {
                Ok(true) => until = asked + LEASE.unsigned_abs(),
                Ok(false) => return,
                Err(error) => warn!(
                    job.kind,
                    job.position,
                    error = chain(&error),
                    "the lease of a job was not renewed"
                ),
            }
        }
    }

    async fn perform(&self, job: &Held) -> Result<(), JobError> {
        match job.kind.as_str() {
            tenants::APPLY => tenant::apply(&self.state, job).await,
            sign_up::SEND => mail::link(&self.state, &self.mailer, job).await,
            sign_up::KNOWN => mail::to_person(&self.state, &self.mailer, job, letters::account_exists).await,
            second_factor::CHANGED => {
                mail::to_person(&self.state, &self.mailer, job, letters::second_factor_changed).await
            }
            passwords::CHANGED => mail::to_person(&self.state, &self.mailer, job, letters::password_changed).await,
            // From a release that knows more: it is for a worker of that release.
            other => Err(JobError::Later(format!(
                "this release does not know jobs of kind {other}"
            ))),
        }
    }
}

/// Twice as long each time, from a second on, and up to half of it by chance.
fn pause(attempts: i32) -> SignedDuration {
    let doubled = 1_i64
        .checked_shl(u32::try_from(attempts - 1).unwrap_or(0).min(30))
        .unwrap_or(LONGEST);
    let whole = doubled.min(LONGEST) * 1000;
    let chance = random::<2>().map_or(0, u16::from_be_bytes);
    let jitter = whole / 2 * i64::from(chance) / i64::from(u16::MAX);
    SignedDuration::from_millis(whole - jitter)
}

#[cfg(test)]
mod tests;
