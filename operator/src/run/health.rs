//! What the operator says of itself to the platform.

use std::{sync::Arc, time::Duration};

use telemetry::admin::Health;

use crate::{cluster::lease::Leadership, runtime::FairQueue, shared::Shared};

/// A queue whose oldest object has waited longer than this, while this process leads, does not move.
const STUCK: Duration = Duration::from_mins(5);

/// Liveness by progress, readiness by filled caches.
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
        let stuck = self
            .queues()
            .into_iter()
            .find(|(_, queue)| queue.depth().oldest > STUCK);
        match stuck {
            Some((kind, queue)) => Err(format!(
                "the queue of {kind} has not moved for {} s",
                queue.depth().oldest.as_secs()
            )),
            None => Ok(()),
        }
    }

    fn ready(&self) -> Result<(), String> {
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
        for (kind, queue) in self.queues() {
            metrics.queue(kind, queue.depth(), queue.in_flight());
        }
        for (kind, _, objects) in self.shared.caches.states() {
            metrics.cached(kind, objects);
        }
        metrics.refresh();
    }
}
