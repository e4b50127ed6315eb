//! What the proxy's connections share: records, rules and the gate that holds a client at one of its writes.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{sync::watch, time::Instant};

use crate::{Record, RequestInfo, Rule, RuleId, rule::Fault, upstream::Upstream};

/// Which objects the client sees in lists and watches.
pub type View = Arc<dyn Fn(&RequestInfo, &Value) -> bool + Send + Sync>;

/// The field selector that a request is asked with, if any.
pub type Narrow = Arc<dyn Fn(&RequestInfo) -> Option<String> + Send + Sync>;

/// Whether a write at which the client is held has taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It has not reached the API server.
    BeforeForwarding,
    /// It has, and the client does not know it.
    AfterForwarding,
}

/// Tells when the client is held.
#[derive(Debug)]
pub struct Stop(watch::Receiver<Option<RequestInfo>>);

impl Stop {
    /// Waits until the client is held; gives the write that it is held at.
    pub async fn reached(&mut self) -> RequestInfo {
        match self.0.wait_for(Option::is_some).await.map(|request| request.clone()) {
            Ok(Some(request)) => request,
            // The plan was replaced by another: this one is never reached.
            _ => std::future::pending().await,
        }
    }
}

#[derive(Debug)]
struct StopPlan {
    left: usize,
    moment: Moment,
    reached: watch::Sender<Option<RequestInfo>>,
}

/// What becomes of one event of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Hold,
    Drop,
    Cut,
}

pub(crate) struct State {
    pub(crate) upstream: Upstream,
    pub(crate) token: String,
    pub(crate) view: Option<View>,
    pub(crate) narrow: Option<Narrow>,
    started: Instant,
    records: watch::Sender<Vec<Record>>,
    rules: watch::Sender<Vec<(RuleId, Rule)>>,
    next_rule: Mutex<u64>,
    blocked: watch::Sender<bool>,
    stop: Mutex<Option<StopPlan>>,
    stale: Mutex<Vec<(String, Value)>>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("upstream", &self.upstream.server)
            .finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn new(upstream: Upstream, token: String, view: Option<View>, narrow: Option<Narrow>) -> Self {
        Self {
            upstream,
            token,
            view,
            narrow,
            started: Instant::now(),
            records: watch::Sender::default(),
            rules: watch::Sender::default(),
            next_rule: Mutex::default(),
            blocked: watch::Sender::default(),
            stop: Mutex::default(),
            stale: Mutex::default(),
        }
    }

    pub(crate) fn record(&self, request: &RequestInfo, body_sha256: String) -> u64 {
        let mut sequence = 0;
        self.records.send_modify(|records| {
            sequence = records.len() as u64 + 1;
            records.push(Record {
                sequence,
                at: self.started.elapsed(),
                request: request.clone(),
                body_sha256,
                answered: None,
                told: None,
            });
        });
        sequence
    }

    pub(crate) fn amend(&self, sequence: u64, amend: impl FnOnce(&mut Record)) {
        self.records.send_modify(|records| {
            let at = usize::try_from(sequence).unwrap_or(usize::MAX).wrapping_sub(1);
            if let Some(record) = records.get_mut(at) {
                amend(record);
            }
        });
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Vec<Record>> {
        self.records.subscribe()
    }

    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn add(&self, rule: Rule) -> RuleId {
        let id = {
            let mut next = lock(&self.next_rule);
            *next += 1;
            RuleId(*next)
        };
        self.rules.send_modify(|rules| rules.push((id, rule)));
        id
    }

    pub(crate) fn remove(&self, id: RuleId) {
        self.rules.send_modify(|rules| rules.retain(|(other, _)| *other != id));
    }

    pub(crate) fn clear(&self) {
        self.rules.send_modify(Vec::clear);
        lock(&self.stale).clear();
    }

    pub(crate) fn rules_changed(&self) -> watch::Receiver<Vec<(RuleId, Rule)>> {
        self.rules.subscribe()
    }

    /// The faults of a request, in the order in which the rules were given; uses limited rules up.
    pub(crate) fn faults_of(&self, request: &RequestInfo) -> Vec<(RuleId, Rule)> {
        let mut found = Vec::new();
        self.rules.send_if_modified(|rules| {
            let mut changed = false;
            for (id, rule) in rules
                .iter_mut()
                .filter(|(_, r)| !r.is_about_events() && r.concerns(request))
            {
                if rule.remaining != Some(0) {
                    found.push((*id, rule.clone()));
                    changed |= use_up(rule);
                }
            }
            changed
        });
        found
    }

    /// What becomes of an event, by the first rule about events that concerns it.
    pub(crate) fn judge_event(&self, request: &RequestInfo, object: &Value) -> Verdict {
        let mut verdict = Verdict::Pass;
        self.rules.send_if_modified(|rules| {
            let concerned = |r: &Rule| {
                r.is_about_events() && r.remaining != Some(0) && r.concerns(request) && r.concerns_object(object)
            };
            let Some((_, rule)) = rules.iter_mut().find(|(_, r)| concerned(r)) else {
                return false;
            };
            verdict = match rule.fault {
                Fault::FreezeEvents => Verdict::Hold,
                Fault::DropEvents => Verdict::Drop,
                Fault::CutMidFrame => Verdict::Cut,
                _ => Verdict::Pass,
            };
            verdict != Verdict::Hold && use_up(rule)
        });
        verdict
    }

    /// Whether anything may have to be done to the lists and events of this request.
    pub(crate) fn looks_inside(&self, request: &RequestInfo) -> bool {
        self.view.is_some() || self.rules.borrow().iter().any(|(_, r)| r.concerns(request))
    }

    /// The list that a rule remembers under this key; the first one that it is shown.
    pub(crate) fn stale(&self, key: String, fresh: &Value) -> Value {
        let mut known = lock(&self.stale);
        if let Some((_, old)) = known.iter().find(|(k, _)| *k == key) {
            return old.clone();
        }
        known.push((key, fresh.clone()));
        fresh.clone()
    }

    pub(crate) fn plan_stop(&self, nth: usize, moment: Moment) -> Stop {
        let reached = watch::Sender::new(None);
        let stop = Stop(reached.subscribe());
        *lock(&self.stop) = Some(StopPlan {
            left: nth,
            moment,
            reached,
        });
        stop
    }

    /// Counts a write; tells if the client is to be held at it.
    pub(crate) fn count_write(&self) -> Option<Moment> {
        let mut stop = lock(&self.stop);
        let plan = stop.as_mut().filter(|p| p.left > 0)?;
        plan.left -= 1;
        (plan.left == 0).then_some(plan.moment)
    }

    /// Lets nothing through any more and says why.
    pub(crate) fn hold_at(&self, request: &RequestInfo) {
        self.blocked.send_replace(true);
        if let Some(plan) = &*lock(&self.stop) {
            plan.reached.send_replace(Some(request.clone()));
        }
    }

    pub(crate) fn block(&self) {
        self.blocked.send_replace(true);
    }

    pub(crate) fn resume(&self) {
        *lock(&self.stop) = None;
        self.blocked.send_replace(false);
    }

    /// Waits while nothing is let through.
    pub(crate) async fn gate(&self) {
        // The sender lives in self, so the channel cannot close while this waits.
        let _ = self.blocked.subscribe().wait_for(|blocked| !blocked).await;
    }
}

/// Counts a use of a rule that has one left; tells whether the rule changed.
fn use_up(rule: &mut Rule) -> bool {
    rule.remaining
        .as_mut()
        .map(|left| *left = left.saturating_sub(1))
        .is_some()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
