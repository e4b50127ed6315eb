//! What the operator counts. Labels come from enums and constants, never from object names or error texts; the
//! one exception names objects that do not decode, of which there are few by nature.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tokio::time::Instant;

use crate::runtime::{FailureClass, queue::Depth};

/// How a pass over an object ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing more to do until something changes.
    Settled,
    /// Another pass is planned.
    Waiting,
    /// Failed, may go away by itself.
    Transient,
    /// Somebody else changed the object meanwhile.
    Conflict,
    /// The lease was not held at the moment.
    NotLeading,
    /// The API server refused us.
    Forbidden,
    /// Took too long.
    TimedOut,
}

impl From<FailureClass> for Outcome {
    fn from(class: FailureClass) -> Self {
        match class {
            FailureClass::Transient => Self::Transient,
            FailureClass::Conflict => Self::Conflict,
            FailureClass::NotLeading => Self::NotLeading,
            FailureClass::Forbidden => Self::Forbidden,
        }
    }
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut prometheus_client::encoding::LabelValueEncoder) -> Result<(), std::fmt::Error> {
        encoder.write_str(match self {
            Self::Settled => "settled",
            Self::Waiting => "waiting",
            Self::Transient => "transient",
            Self::Conflict => "conflict",
            Self::NotLeading => "not_leading",
            Self::Forbidden => "forbidden",
            Self::TimedOut => "timed_out",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PassLabels {
    kind: &'static str,
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabels {
    kind: &'static str,
    step: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    verb: &'static str,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ObjectLabels {
    kind: &'static str,
    namespace: String,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResourceLabels {
    resource: String,
}

type Seconds = Gauge<f64, AtomicU64>;

/// Every metric of the operator.
#[derive(Debug)]
pub struct Metrics {
    passes: Family<PassLabels, Counter>,
    pass_duration: Family<KindLabels, Histogram, fn() -> Histogram>,
    step_duration: Family<StepLabels, Histogram, fn() -> Histogram>,
    queue_depth: Family<KindLabels, Gauge>,
    queue_age: Family<KindLabels, Seconds>,
    in_flight: Family<KindLabels, Gauge>,
    objects: Family<KindLabels, Gauge>,
    calls: Family<CallLabels, Counter>,
    watch_failures: Family<KindLabels, Counter>,
    watch_staleness: Family<ResourceLabels, Seconds>,
    undecodable: Family<ObjectLabels, Gauge>,
    held_deletions: Counter,
    leader: Gauge,
    watches: Mutex<HashMap<String, Instant>>,
}

// From measurement: a pass that writes nothing takes under a millisecond, one write 3 to 10 ms, a stuck API
// server the per-call deadline.
fn duration_histogram() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    ])
}

impl Metrics {
    /// Makes the metrics and registers them.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            passes: Family::default(),
            pass_duration: Family::new_with_constructor(duration_histogram),
            step_duration: Family::new_with_constructor(duration_histogram),
            queue_depth: Family::default(),
            queue_age: Family::default(),
            in_flight: Family::default(),
            objects: Family::default(),
            calls: Family::default(),
            watch_failures: Family::default(),
            watch_staleness: Family::default(),
            undecodable: Family::default(),
            held_deletions: Counter::default(),
            leader: Gauge::default(),
            watches: Mutex::default(),
        };
        let r = registry.sub_registry_with_prefix("pinfold_operator");
        r.register(
            "reconcile",
            "Passes over objects, by how they ended",
            metrics.passes.clone(),
        );
        r.register_with_unit(
            "reconcile_duration",
            "How long passes take",
            Unit::Seconds,
            metrics.pass_duration.clone(),
        );
        r.register_with_unit(
            "reconcile_step_duration",
            "How long the steps of passes take",
            Unit::Seconds,
            metrics.step_duration.clone(),
        );
        r.register(
            "queue_depth",
            "Objects that wait for a worker",
            metrics.queue_depth.clone(),
        );
        r.register_with_unit(
            "queue_age",
            "How long the oldest waiting object has waited",
            Unit::Seconds,
            metrics.queue_age.clone(),
        );
        r.register("reconcile_in_flight", "Passes under way", metrics.in_flight.clone());
        r.register("objects", "Objects in the cache", metrics.objects.clone());
        r.register(
            "api_calls",
            "Calls to the API server by verb and status; 0 means no answer",
            metrics.calls.clone(),
        );
        r.register(
            "watch_failures",
            "Watches that ended with an error",
            metrics.watch_failures.clone(),
        );
        r.register_with_unit(
            "watch_staleness",
            "Time since a watch was last known to work; above 60 s it does not",
            Unit::Seconds,
            metrics.watch_staleness.clone(),
        );
        r.register(
            "undecodable_objects",
            "Objects that do not decode and are left alone",
            metrics.undecodable.clone(),
        );
        r.register(
            "held_deletions",
            "Deletions that the deletion brake held back",
            metrics.held_deletions.clone(),
        );
        r.register("leader", "1 while this process holds the lease", metrics.leader.clone());
        metrics
    }

    /// A pass over an object has ended.
    pub fn pass(&self, kind: &'static str, outcome: Outcome, took: Duration) {
        self.passes.get_or_create(&PassLabels { kind, outcome }).inc();
        self.pass_duration
            .get_or_create(&KindLabels { kind })
            .observe(took.as_secs_f64());
    }

    /// Times a step of a pass until the guard is dropped, wherever the pass leaves it.
    pub fn step(&self, kind: &'static str, step: &'static str) -> StepTimer<'_> {
        StepTimer {
            metrics: self,
            labels: StepLabels { kind, step },
            started: Instant::now(),
        }
    }

    /// The state of a controller's queue.
    pub fn queue(&self, kind: &'static str, depth: Depth, in_flight: usize) {
        let labels = KindLabels { kind };
        self.queue_depth
            .get_or_create(&labels)
            .set(i64::try_from(depth.ready).unwrap_or(i64::MAX));
        self.queue_age.get_or_create(&labels).set(depth.oldest.as_secs_f64());
        self.in_flight
            .get_or_create(&labels)
            .set(i64::try_from(in_flight).unwrap_or(i64::MAX));
    }

    /// How many objects a cache holds.
    pub fn cached(&self, kind: &'static str, objects: usize) {
        self.objects
            .get_or_create(&KindLabels { kind })
            .set(i64::try_from(objects).unwrap_or(i64::MAX));
    }

    /// A call to the API server has ended; no code means that no answer came.
    pub fn call(&self, verb: &'static str, code: Option<u16>) {
        self.calls
            .get_or_create(&CallLabels {
                verb,
                code: code.unwrap_or(0),
            })
            .inc();
    }

    /// A watch of this resource has just been seen to work.
    pub fn watch_works(&self, resource: &str) {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        match watches.get_mut(resource) {
            Some(at) => *at = Instant::now(),
            None => {
                watches.insert(resource.to_owned(), Instant::now());
            }
        }
    }

    /// A watch has ended with an error.
    pub fn watch_failed(&self, kind: &'static str) {
        self.watch_failures.get_or_create(&KindLabels { kind }).inc();
    }

    /// An object does not decode.
    pub fn undecodable(&self, kind: &'static str, namespace: &str, name: &str) {
        let labels = ObjectLabels {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        self.undecodable.get_or_create(&labels).set(1);
    }

    /// An object decodes again, or is gone.
    pub fn decodable(&self, kind: &'static str, namespace: &str, name: &str) {
        self.undecodable.remove(&ObjectLabels {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        });
    }

    /// The deletion brake held deletions back.
    pub fn held(&self, deletions: usize) {
        self.held_deletions.inc_by(deletions as u64);
    }

    /// Whether this process holds the lease.
    pub fn leading(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Brings the gauges that follow the clock up to date.
    pub fn refresh(&self) {
        for (resource, at) in self.watches.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let labels = ResourceLabels {
                resource: resource.clone(),
            };
            self.watch_staleness
                .get_or_create(&labels)
                .set(at.elapsed().as_secs_f64());
        }
    }
}

/// Times one step of a pass.
#[derive(Debug)]
pub struct StepTimer<'a> {
    metrics: &'a Metrics,
    labels: StepLabels,
    started: Instant,
}

impl Drop for StepTimer<'_> {
    fn drop(&mut self) {
        self.metrics
            .step_duration
            .get_or_create(&self.labels)
            .observe(self.started.elapsed().as_secs_f64());
    }
}
