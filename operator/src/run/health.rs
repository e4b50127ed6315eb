//! What the operator says of itself to the platform.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use telemetry::admin::Health;

use crate::{cluster::lease::Leadership, runtime::FairQueue, shared::Shared};

/// A queue that had objects ready for longer than this and gave none out, while this process leads, does not move.
/// However long its objects wait: a leader that is only busy must not be killed for it.
const STUCK: Duration = Duration::from_mins(5);

/// Liveness by progress; readiness by filled caches, until the process is asked to stop.
#[derive(Debug)]
pub struct OperatorHealth {
    shared: Arc<Shared>,
    leadership: Leadership,
}

impl OperatorHealth {
    /// The health of a process.
    pub fn new(shared: Arc<Shared>, leadership: Leadership) -> Self {
        Self { shared, leadership }
    }

    fn queues(&self) -> [(&'static str, &FairQueue); 4] {
        let queues = &self.shared.queues;
        [
            ("Tenant", &queues.tenants),
            ("Agent", &queues.agents),
            ("SandboxRun", &queues.runs),
            ("OrphanPod", &queues.orphans),
        ]
    }
}

impl Health for OperatorHealth {
    fn live(&self) -> Result<(), String> {
        if !self.leadership.is_held() {
            return Ok(());
        }
        let stuck = self.queues().into_iter().find(|(_, queue)| queue.stalled() > STUCK);
        match stuck {
            Some((kind, queue)) => Err(format!(
                "the queue of {kind} has not moved for {} s",
                queue.stalled().as_secs()
            )),
            None => Ok(()),
        }
    }

    fn ready(&self) -> Result<(), String> {
        if self.shared.stopping.load(Ordering::Relaxed) {
            return Err("stopping".to_owned());
        }
        let missing: Vec<&str> = self
            .shared
            .caches
            .states()
            .into_iter()
            .filter(|(_, filled, _)| !filled)
            .map(|(kind, ..)| kind)
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("waiting for the first list of {}", missing.join(", ")))
        }
    }

    fn refresh(&self) {
        let metrics = &self.shared.metrics;
        // A term that is over counts before the process has noticed.
        metrics.leading(self.leadership.is_held());
        for (kind, queue) in self.queues() {
            metrics.queue(kind, queue.depth(), queue.in_flight());
        }
        for (kind, _, objects) in self.shared.caches.states() {
            metrics.cached(kind, objects);
        }
        metrics.refresh();
    }
}
