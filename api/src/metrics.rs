//! What the API counts. Labels come from the route table and from constants, never from what a client sends.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tokio::time::Instant;

use crate::store::{Connections, jobs::Counts};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    kind: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: &'static str,
}

/// How a job was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobOutcome {
    /// It is done.
    Done,
    /// It failed, and is tried again.
    PutOff,
    /// It failed for the last time.
    GivenUp,
}

/// Every metric of the API.
#[derive(Debug)]
pub struct Metrics {
    requests: Family<RequestLabels, Counter>,
    duration: Family<RouteLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    jobs_done: Family<JobLabels, Counter>,
    jobs: Family<StateLabels, Gauge>,
    connections: Family<StateLabels, Gauge>,
    /// Counted where Redis is asked.
    pub redis_unanswered: Counter,
    /// Counted where it is remembered.
    pub standing_remembered: Counter,
    numbered: Counter,
    broken: Gauge,
}

// An answer from memory takes under a millisecond, a login half a second, a run that is waited for a minute.
fn duration_histogram() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(duration_histogram),
            in_flight: Gauge::default(),
            jobs_done: Family::default(),
            jobs: Family::default(),
            connections: Family::default(),
            redis_unanswered: Counter::default(),
            standing_remembered: Counter::default(),
            numbered: Counter::default(),
            broken: Gauge::default(),
        }
    }
}

impl Metrics {
    /// All of them, for a scrape.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("pinfold_api");
        registry.register("requests", "Requests, by how they were answered", self.requests.clone());
        registry.register_with_unit(
            "request_duration",
            "How long requests take until their answer begins",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register("requests_in_flight", "Requests under way", self.in_flight.clone());
        registry.register(
            "jobs_ended",
            "Jobs that this process took, by how they were left",
            self.jobs_done.clone(),
        );
        registry.register("jobs", "Jobs in the database", self.jobs.clone());
        registry.register(
            "database_connections",
            "Connections to PostgreSQL",
            self.connections.clone(),
        );
        registry.register(
            "redis_unanswered",
            "Questions that Redis did not answer and this process answered for itself",
            self.redis_unanswered.clone(),
        );
        registry.register(
            "standing_remembered",
            "Questions who a caller is or what they may do that were answered from memory",
            self.standing_remembered.clone(),
        );
        registry.register(
            "audit_events_numbered",
            "Audit events that this process numbered",
            self.numbered.clone(),
        );
        registry.register(
            "audit_chains_broken",
            "Chains of the audit with waiting events whose end this process did not sign",
            self.broken.clone(),
        );
        registry
    }

    /// A job was left.
    pub fn job(&self, kind: &str, outcome: JobOutcome) {
        let outcome = match outcome {
            JobOutcome::Done => "done",
            JobOutcome::PutOff => "put_off",
            JobOutcome::GivenUp => "given_up",
        };
        let kind = kind.to_owned();
        self.jobs_done.get_or_create(&JobLabels { kind, outcome }).inc();
    }

    /// So many jobs there are.
    pub fn jobs(&self, counts: Counts) {
        for (state, count) in [("waiting", counts.waiting), ("dead", counts.dead)] {
            self.jobs.get_or_create(&StateLabels { state }).set(count);
        }
    }

    /// So many events were numbered.
    pub fn numbered(&self, count: usize) {
        self.numbered.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// So many chains are broken.
    pub fn broken(&self, count: usize) {
        self.broken.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// What the pool of connections looks like.
    pub fn connections(&self, connections: Connections) {
        for (state, count) in [("idle", connections.idle), ("used", connections.used)] {
            self.connections.get_or_create(&StateLabels { state }).set(count);
        }
    }

    fn answered(&self, method: &'static str, route: String, status: u16, took: Duration) {
        let labels = RouteLabels { method, route };
        self.duration.get_or_create(&labels).observe(took.as_secs_f64());
        let RouteLabels { method, route } = labels;
        let labels = RequestLabels { method, route, status };
        self.requests.get_or_create(&labels).inc();
    }
}

/// Counts down when the request ends, however it ends.
struct UnderWay<'a>(&'a Gauge);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts requests and their time.
pub async fn layer(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = known(request.method());
    let matched = request.extensions().get::<MatchedPath>();
    // Whatever else was asked for is one series: paths are the client's to invent.
    let route = matched.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    metrics.in_flight.inc();
    let under_way = UnderWay(&metrics.in_flight);
    let response = next.run(request).await;
    drop(under_way);
    metrics.answered(method, route, response.status().as_u16(), started.elapsed());
    response
}

fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
