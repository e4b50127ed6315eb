//! What happens next to a run: a pure function of the run, its pod and the time.

use std::time::Duration;

use crds::{
    SandboxRun,
    condition::{self, ConditionStatus, Finding},
    labels,
    sandbox_run::{condition_type, reason},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::sandbox_run::{
    fetch::{Fetched, PodState},
    is_finished,
    observe::{self, Progress},
    result::{self, Ending, Intent},
};

#[cfg(test)]
mod tests;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Wait.
    Nothing,
    /// Make the pod.
    CreatePod,
    /// Ask the node to end the pod.
    DeletePod,
    /// Take our finalizer off the pod: its result is stored.
    ReleasePod,
    /// Store this in the status.
    WriteStatus(Box<Report>),
    /// Delete the run: its time to live is over.
    DeleteRun,
}

/// What the status is to say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// The conditions.
    pub findings: Vec<Finding>,
    /// The reason of the condition that matters now.
    pub reason: String,
    /// The same for people.
    pub message: String,
    /// The pod.
    pub pod: Option<(String, String)>,
    /// Its address.
    pub address: Option<String>,
    /// When the program started.
    pub start_time: Option<Timestamp>,
    /// The run's end.
    pub ending: Option<Ending>,
}

/// What to do now, and when to look again at the latest.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The next step.
    pub step: Step,
    /// The next look.
    pub again: Option<Duration>,
}

impl Decision {
    fn now(step: Step) -> Self {
        Self { step, again: None }
    }

    fn later(again: Option<Duration>) -> Self {
        Self {
            step: Step::Nothing,
            again,
        }
    }

    fn report(report: Report) -> Self {
        Self::now(Step::WriteStatus(Box::new(report)))
    }
}

/// Programs that run this long get a write of their own for their start.
const NOTEWORTHY: SignedDuration = SignedDuration::from_secs(1);

/// How long the pod of a run that is over keeps our finalizer if nobody wants it gone: where many runs end at once, their
/// results are written before their pods are tidied.
const TIDY: SignedDuration = SignedDuration::from_secs(10);

/// A run that waits is looked at again after this time, events apart.
pub const WAITING: Duration = Duration::from_secs(10);

/// Decides what happens next.
pub fn decide(fetched: &Fetched, now: Timestamp) -> Decision {
    if is_finished(&fetched.run) {
        return after_the_end(fetched, now);
    }
    match &fetched.pod {
        PodState::NotMade => before_the_pod(fetched),
        PodState::There(pod) => with_pod(fetched, pod, now),
        PodState::Gone => finish(fetched, None, result::of_lost(None, &intent(fetched, None, now)), now),
    }
}

fn after_the_end(fetched: &Fetched, now: Timestamp) -> Decision {
    let run = &fetched.run;
    let leaving = run.metadata.deletion_timestamp.is_some();
    let finished = run.status.as_ref().and_then(|s| s.finish_time);
    let end_of_life = match (run.spec.ttl_seconds_after_finished, finished) {
        (Some(ttl), Some(finished)) if !leaving => {
            Some(observe::plus(finished, SignedDuration::from_secs(i64::from(ttl))))
        }
        _ => None,
    };
    if let PodState::There(pod) = &fetched.pod
        && pod.finalizers().iter().any(|f| f == labels::RESULT_FINALIZER)
    {
        // An end that was stored before the pod was seen, or one that its lost node did not report.
        let over = matches!(observe::progress(pod), Progress::Ended(_) | Progress::Failed { .. });
        let deleted = pod.metadata.deletion_timestamp.is_some();
        if !over && !deleted {
            return Decision::now(Step::DeletePod);
        }
        let release = observe::plus(stored_at(run).unwrap_or(now), TIDY);
        let wait = until(end_of_life.map_or(release, |end| end.min(release)), now);
        return match wait {
            Some(wait) if !leaving && !deleted => Decision::later(Some(wait)),
            _ => Decision::now(Step::ReleasePod),
        };
    }
    match end_of_life.map(|end| until(end, now)) {
        None => Decision::later(None),
        Some(None) => Decision::now(Step::DeleteRun),
        Some(wait) => Decision::later(wait),
    }
}

/// When the run's end was stored.
fn stored_at(run: &SandboxRun) -> Option<Timestamp> {
    let status = run.status.as_ref()?;
    let finished = condition::find(&status.conditions, condition_type::FINISHED)?;
    Some(finished.last_transition_time)
}

fn before_the_pod(fetched: &Fetched) -> Decision {
    let run = &fetched.run;
    if run.metadata.deletion_timestamp.is_some() {
        return Decision::later(None);
    }
    if run.spec.cancel {
        return end_unstarted(Ending::without_result(
            reason::CANCELED,
            "spec.cancel was set before the run started",
        ));
    }
    if let Some(why) = &fetched.suspended {
        let message = format!("the tenant is suspended and takes no new runs: {why}");
        return end_unstarted(Ending::without_result(reason::TENANT_SUSPENDED, message));
    }
    match &fetched.plan {
        Err(refusal) if refusal.terminal => {
            end_unstarted(Ending::without_result(refusal.reason, refusal.message.clone()))
        }
        Err(refusal) => waiting(fetched, refusal.reason, &refusal.message),
        Ok(_) if fetched.injected.is_none() => waiting(
            fetched,
            reason::CANARY_PENDING,
            "the operator's canary pod is finding out how the sandbox's init comes in; the run starts after that",
        ),
        Ok(_) => Decision::now(Step::CreatePod),
    }
}

/// The report of a run that waits for its pod.
pub fn not_admitted(reason: &str, message: &str) -> Report {
    Report {
        findings: vec![
            Finding::new(condition_type::ADMITTED, false, reason, message),
            Finding::new(condition_type::FINISHED, false, reason::PENDING, ""),
            Finding::new(condition_type::SUCCEEDED, ConditionStatus::Unknown, reason::PENDING, ""),
        ],
        reason: reason.to_owned(),
        message: message.to_owned(),
        ..Report::default()
    }
}

fn waiting(fetched: &Fetched, reason: &str, message: &str) -> Decision {
    let report = not_admitted(reason, message);
    if says(fetched, &report) {
        Decision::later(Some(WAITING))
    } else {
        Decision::report(report)
    }
}

fn end_unstarted(ending: Ending) -> Decision {
    let mut report = not_admitted(&ending.reason, &ending.message);
    add_ending(&mut report, ending);
    Decision::report(report)
}

fn with_pod(fetched: &Fetched, pod: &Pod, now: Timestamp) -> Decision {
    let intent = intent(fetched, Some(pod), now);
    match observe::progress(pod) {
        Progress::Ended(ended) => finish(fetched, Some(pod), result::of_container(pod, &ended, &intent), now),
        Progress::Failed { reason, message } => {
            finish(fetched, Some(pod), result::of_pod(pod, &reason, &message, &intent), now)
        }
        _ if observe::is_given_up(pod, now) => finish(fetched, Some(pod), result::of_lost(Some(pod), &intent), now),
        progress => under_way(fetched, pod, &progress, &intent, now),
    }
}

fn under_way(fetched: &Fetched, pod: &Pod, progress: &Progress, intent: &Intent, now: Timestamp) -> Decision {
    let report = match progress {
        Progress::Running { begun, ready, since } if *begun || has_started(fetched) => running(pod, *since, *ready),
        // A node that comes back may show a container as one that is still to come.
        Progress::Starting(_) if has_started(fetched) => running(pod, None, false),
        Progress::Starting(trouble) => starting(pod, trouble.as_ref().or(fetched.trouble.as_ref())),
        _ => starting(pod, None),
    };
    // A pod that is on its way out tells nothing new of its start: what was found out before stays.
    if *intent == Intent::None
        && let Some(wait) = short_program(fetched, progress, now)
    {
        return Decision::later(Some(wait));
    }
    let leaving = pod.metadata.deletion_timestamp.is_some() && !matches!(progress, Progress::Running { .. });
    if !leaving && !says(fetched, &report) {
        return Decision::report(report);
    }
    if let Some(deleted) = &pod.metadata.deletion_timestamp {
        return Decision::later(until(observe::plus(deleted.0, observe::SLACK), now));
    }
    if *intent != Intent::None {
        return Decision::now(Step::DeletePod);
    }
    if matches!(progress, Progress::Running { begun: true, .. }) {
        return Decision::later(None);
    }
    let deadline = until(start_deadline(fetched, pod), now);
    // A trouble that only the events tell is looked for until the sandbox is there.
    let soon = observe::sandbox_patience(pod).unsigned_abs() + Duration::from_millis(200);
    let watched = fetched.trouble.is_none() && pod.spec.as_ref().is_some_and(|s| s.node_name.is_some());
    Decision::later(if watched {
        Some(deadline.map_or(soon, |d| d.min(soon)))
    } else {
        deadline
    })
}

/// A program that has only just begun may be over before it could be told of: its start is reported a second later, or
/// with its end in one write. Somebody waits for an interactive sandbox, so that one is reported at once.
fn short_program(fetched: &Fetched, progress: &Progress, now: Timestamp) -> Option<Duration> {
    let Progress::Running { since: Some(since), .. } = progress else {
        return None;
    };
    let spec = &fetched.run.spec;
    let interactive = spec.command.is_empty() && spec.language.is_none();
    if interactive || has_started(fetched) {
        return None;
    }
    until(observe::plus(*since, NOTEWORTHY), now)
}

/// Why the run is to be ended, if it is.
fn intent(fetched: &Fetched, pod: Option<&Pod>, now: Timestamp) -> Intent {
    if fetched.run.spec.cancel {
        return Intent::Cancel;
    }
    if let Some(why) = &fetched.suspended {
        return Intent::Suspended(why.clone());
    }
    let Some(pod) = pod else { return Intent::None };
    let started = has_started(fetched) || matches!(observe::progress(pod), Progress::Running { begun: true, .. });
    if started || now < start_deadline(fetched, pod) {
        return Intent::None;
    }
    let status = fetched.run.status.as_ref();
    let known = status.and_then(|s| Some((s.reason.clone()?, s.message.clone().unwrap_or_default())));
    Intent::StartTimeout(known.filter(|(reason, _)| reason != reason::ADMITTED && reason != reason::STARTING))
}

fn has_started(fetched: &Fetched) -> bool {
    fetched
        .run
        .status
        .as_ref()
        .is_some_and(|s| condition::is_true(&s.conditions, condition_type::STARTED))
}

fn start_deadline(fetched: &Fetched, pod: &Pod) -> Timestamp {
    let made = pod.metadata.creation_timestamp.as_ref().map_or(Timestamp::MAX, |t| t.0);
    observe::plus(
        made,
        SignedDuration::from_secs(i64::from(fetched.run.spec.start_timeout_seconds)),
    )
}

fn admitted(pod: &Pod) -> Report {
    Report {
        findings: vec![Finding::new(
            condition_type::ADMITTED,
            true,
            reason::ADMITTED,
            "a pod was made for the run",
        )],
        pod: Some((pod.name_any(), pod.uid().unwrap_or_default())),
        address: pod.status.as_ref().and_then(|s| s.pod_ip.clone()),
        ..Report::default()
    }
}

fn starting(pod: &Pod, trouble: Option<&(&'static str, String)>) -> Report {
    let (reason, message) = trouble.map_or((reason::STARTING, "the pod is being started"), |(r, m)| (r, m.as_str()));
    let mut report = admitted(pod);
    // An address or a node that comes while the pod starts is no news worth a write.
    report.address = None;
    report.findings.extend([
        Finding::new(condition_type::POD_READY, false, reason, message),
        Finding::new(condition_type::STARTED, false, reason, ""),
        Finding::new(condition_type::FINISHED, false, reason::PENDING, ""),
        Finding::new(condition_type::SUCCEEDED, ConditionStatus::Unknown, reason::PENDING, ""),
    ]);
    Report {
        reason: reason.to_owned(),
        message: condition::clip(message),
        ..report
    }
}

fn running(pod: &Pod, since: Option<Timestamp>, ready: bool) -> Report {
    let mut report = admitted(pod);
    report.findings.extend([
        // What has started stays started, whatever becomes of the pod's readiness.
        Finding::new(condition_type::POD_READY, ready, reason::RUNNING, ""),
        Finding::new(condition_type::STARTED, true, reason::RUNNING, ""),
        Finding::new(condition_type::FINISHED, false, reason::RUNNING, ""),
        Finding::new(condition_type::SUCCEEDED, ConditionStatus::Unknown, reason::RUNNING, ""),
    ]);
    Report {
        reason: reason::RUNNING.to_owned(),
        message: "the program runs".to_owned(),
        start_time: since,
        ..report
    }
}

fn finish(fetched: &Fetched, pod: Option<&Pod>, mut ending: Ending, now: Timestamp) -> Decision {
    ending.finish_time = ending.finish_time.or(Some(now));
    ending.started |= has_started(fetched);
    if ending.started && ending.start_time.is_none() {
        ending.start_time = fetched.run.status.as_ref().and_then(|s| s.start_time);
    }
    let mut report = pod.map(admitted).unwrap_or_default();
    report.findings.extend([
        Finding::new(condition_type::POD_READY, false, &ending.reason, ""),
        Finding::new(condition_type::STARTED, ending.started, &ending.reason, ""),
    ]);
    add_ending(&mut report, ending);
    Decision::report(report)
}

fn add_ending(report: &mut Report, ending: Ending) {
    report
        .findings
        .retain(|f| f.type_ != condition_type::FINISHED && f.type_ != condition_type::SUCCEEDED);
    report.findings.push(Finding::new(
        condition_type::FINISHED,
        true,
        &ending.reason,
        ending.message.clone(),
    ));
    report.findings.push(Finding::new(
        condition_type::SUCCEEDED,
        ending.succeeded,
        &ending.reason,
        ending.message.clone(),
    ));
    report.reason.clone_from(&ending.reason);
    report.message = condition::clip(&ending.message);
    report.ending = Some(ending);
}

/// Whether the status says all of this already.
fn says(fetched: &Fetched, report: &Report) -> bool {
    let Some(status) = &fetched.run.status else {
        return false;
    };
    // The kubelet words one and the same trouble differently at each try; the first wording stays.
    let trouble = report.ending.is_none() && report.reason != reason::STARTING && report.reason != reason::RUNNING;
    if status.reason.as_ref() != Some(&report.reason) {
        return false;
    }
    trouble && report.pod.is_some()
        || report.findings.iter().all(|f| {
            condition::find(&status.conditions, f.type_).is_some_and(|c| {
                c.status == f.status && c.reason == f.reason && c.message == condition::clip(&f.message)
            })
        })
}

/// How long until then; nothing once it is past.
fn until(at: Timestamp, now: Timestamp) -> Option<Duration> {
    Duration::try_from(at.duration_since(now)).ok().filter(|d| !d.is_zero())
}
