//! Leader election by a `coordination.k8s.io/v1` Lease.
//!
//! The holder trusts its own term only from the start of the call that won or renewed it, and for less than the
//! lease lasts: a process that was stopped and wakes up later sees by the monotonic clock that its term is over
//! before it writes. A standby waits until it has seen the same renewal for the whole duration by its own clock,
//! so clocks need not agree. The lease is released on the way down, and losing it ends the process.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use telemetry::logging::chain;
use tokio::time::Instant;
use tracing::{info, warn};

/// How the lease is held.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Name of this process.
    pub identity: String,
    /// How long a term lasts without renewal.
    pub duration: Duration,
}

impl Terms {
    /// How long after the start of a successful call the holder trusts its term.
    fn trust(&self) -> Duration {
        self.duration.mul_f64(0.8)
    }

    fn renew_every(&self) -> Duration {
        self.duration / 3
    }

    fn retry_every(&self) -> Duration {
        self.duration / 5
    }
}

/// Whether this process leads, as seen from everywhere in it.
#[derive(Debug, Clone, Default)]
pub struct Leadership(Arc<Mutex<Option<Instant>>>);

impl Leadership {
    /// Whether the term is still trusted.
    pub fn is_held(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    /// A leadership that lasts as long as the process: for tests and tools that run alone.
    pub fn forever() -> Self {
        let leadership = Self::default();
        leadership.set(Some(Instant::now() + Duration::from_hours(24 * 365)));
        leadership
    }

    fn until(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// Why a call for the lease did not give it to us.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else holds it.
    #[error("the lease is held by {0}")]
    HeldBy(String),
    /// The API server did not do it.
    #[error("ask for the lease")]
    Call(#[source] Box<kube::Error>),
}

/// Takes part in the election for one lease.
#[derive(Debug)]
pub struct Candidate {
    api: Api<Lease>,
    terms: Terms,
    leadership: Leadership,
    seen: Option<(String, Instant)>,
}

impl Candidate {
    /// A candidate that sets `leadership` while it leads.
    pub fn new(client: Client, terms: Terms, leadership: Leadership) -> Self {
        Self {
            api: Api::namespaced(client, &terms.namespace),
            terms,
            leadership,
            seen: None,
        }
    }

    /// Waits until the lease is ours.
    pub async fn acquire(&mut self) {
        let mut waiting_for = String::new();
        loop {
            match self.try_hold().await {
                Ok(()) => {
                    info!(
                        lease = self.terms.name,
                        identity = self.terms.identity,
                        "lease acquired"
                    );
                    return;
                }
                Err(LeaseError::HeldBy(holder)) => {
                    if holder != waiting_for {
                        info!(lease = self.terms.name, holder, "waiting for the lease");
                        waiting_for = holder;
                    }
                }
                Err(error) => warn!(error = %chain(&error), "the lease could not be asked for"),
            }
            tokio::time::sleep(self.terms.retry_every()).await;
        }
    }

    /// Renews the lease for as long as it can; returns when the term is over, whatever the API server does meanwhile:
    /// a call that hangs must not keep a process that may write nothing any more.
    pub async fn hold(&mut self) {
        let mut wait = self.terms.renew_every();
        // A process that was stopped and wakes up after its term does not win the lease back: it ends.
        while let Some(until) = self.leadership.until().filter(|until| Instant::now() < *until) {
            tokio::time::sleep_until(until.min(Instant::now() + wait)).await;
            if !self.leadership.is_held() {
                break;
            }
            wait = match tokio::time::timeout_at(until, self.try_hold()).await {
                Ok(Ok(())) => self.terms.renew_every(),
                Ok(Err(LeaseError::HeldBy(holder))) => {
                    warn!(holder, "the lease was taken");
                    break;
                }
                Ok(Err(error)) => {
                    warn!(error = %chain(&error), "the lease was not renewed");
                    self.terms.retry_every()
                }
                Err(_) => {
                    warn!("the lease was not renewed: no answer before the end of the term");
                    break;
                }
            };
        }
        self.leadership.set(None);
    }

    /// Gives the lease up, so that a standby need not wait for its end.
    pub async fn release(&mut self) {
        self.leadership.set(None);
        match self.try_release().await {
            Ok(true) => info!(lease = self.terms.name, "lease released"),
            Ok(false) => {}
            Err(error) => warn!(error = %chain(&error), "the lease was not released; it runs out by itself"),
        }
    }

    async fn try_hold(&mut self) -> Result<(), LeaseError> {
        let call = |error| LeaseError::Call(Box::new(error));
        let started = Instant::now();
        match self.api.get_opt(&self.terms.name).await.map_err(call)? {
            None => {
                self.api
                    .create(&PostParams::default(), &self.ours(None))
                    .await
                    .map_err(call)?;
            }
            Some(current) => {
                self.check_free(&current)?;
                // The resource version makes this a compare-and-swap: of two candidates one gets a conflict.
                self.api
                    .replace(&self.terms.name, &PostParams::default(), &self.ours(Some(&current)))
                    .await
                    .map_err(call)?;
            }
        }
        self.leadership.set(Some(started + self.terms.trust()));
        Ok(())
    }

    fn check_free(&mut self, current: &Lease) -> Result<(), LeaseError> {
        let spec = current.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        if holder.is_empty() || holder == self.terms.identity {
            return Ok(());
        }
        let version = current.metadata.resource_version.clone().unwrap_or_default();
        let duration = Duration::from_secs(u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0));
        match &self.seen {
            Some((seen, since)) if *seen == version && since.elapsed() >= duration => Ok(()),
            Some((seen, _)) if *seen == version => Err(LeaseError::HeldBy(holder)),
            _ => {
                self.seen = Some((version, Instant::now()));
                Err(LeaseError::HeldBy(holder))
            }
        }
    }

    fn ours(&self, current: Option<&Lease>) -> Lease {
        let now = MicroTime(Timestamp::now());
        let before = current.and_then(|l| l.spec.clone()).unwrap_or_default();
        let kept = before.holder_identity.as_deref() == Some(&self.terms.identity);
        let terms = before.lease_transitions.unwrap_or(0);
        Lease {
            metadata: ObjectMeta {
                name: Some(self.terms.name.clone()),
                namespace: Some(self.terms.namespace.clone()),
                resource_version: current.and_then(|l| l.metadata.resource_version.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.terms.identity.clone()),
                // Rounded up: a standby must never think the term shorter than the holder does.
                lease_duration_seconds: Some(
                    self.terms
                        .duration
                        .as_millis()
                        .div_ceil(1000)
                        .try_into()
                        .unwrap_or(i32::MAX),
                ),
                acquire_time: if kept { before.acquire_time } else { Some(now.clone()) },
                renew_time: Some(now),
                lease_transitions: Some(if kept || current.is_none() { terms } else { terms + 1 }),
                ..LeaseSpec::default()
            }),
        }
    }

    async fn try_release(&self) -> Result<bool, kube::Error> {
        let Some(mut current) = self.api.get_opt(&self.terms.name).await? else {
            return Ok(false);
        };
        let spec = current.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&self.terms.identity) {
            return Ok(false);
        }
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(1);
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        self.api
            .replace(&self.terms.name, &PostParams::default(), &current)
            .await?;
        Ok(true)
    }
}
