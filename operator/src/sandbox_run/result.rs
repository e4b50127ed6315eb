//! What a run's end means: exit code, signal, reason and the ends of its output. Pure.

use crds::sandbox_run::{OutputTail, reason};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use sandbox_protocol::{Outcome, ProgramEnd, RunResult, StreamTail, status_text};

use crate::sandbox_run::observe;

/// The highest number of a signal on Linux.
const LAST_SIGNAL: i32 = 64;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ending {
    /// Whether it ended as it should.
    pub succeeded: bool,
    /// Whether the program was ever started.
    pub started: bool,
    /// The stable reason.
    pub reason: String,
    /// The reason for people.
    pub message: String,
    /// The program's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended the program.
    pub signal: Option<i32>,
    /// When the program started.
    pub start_time: Option<Timestamp>,
    /// When it was over.
    pub finish_time: Option<Timestamp>,
    /// The end of standard output.
    pub stdout: Option<OutputTail>,
    /// The end of standard error.
    pub stderr: Option<OutputTail>,
}

/// Why a run was to be ended, as far as we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Nobody wanted it ended.
    None,
    /// `spec.cancel` was set.
    Cancel,
    /// The tenant was suspended, for this reason.
    Suspended(String),
    /// It had not started in time; with the trouble that kept it.
    StartTimeout(Option<(String, String)>),
}

impl Ending {
    /// An end without a program's result.
    pub fn without_result(reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
            ..Self::default()
        }
    }

    /// From the program's start to its end, to a thousandth of a second.
    pub fn duration(&self) -> Option<String> {
        let took = self
            .finish_time?
            .duration_since(self.start_time?)
            .max(SignedDuration::ZERO);
        Some(format!("{}.{:03}s", took.as_secs(), took.subsec_millis()))
    }
}

/// Reads a container's end. What the program did comes from the message that `sandboxd` left; the kubelet's own
/// fields tell the rest.
pub fn of_container(pod: &Pod, ended: &ContainerStateTerminated, intent: &Intent) -> Ending {
    let result = ended.message.as_deref().and_then(RunResult::parse);
    let kubelet_started = ended.started_at.as_ref().map(|t| t.0);
    let kubelet_finished = ended.finished_at.as_ref().map(|t| t.0);
    let oom = ended.reason.as_deref() == Some("OOMKilled");
    // A message whose outcome the container's own exit code contradicts was forged: of it only the tails are shown.
    let believed = result.as_ref().filter(|r| r.agrees_with(ended.exit_code));
    let mut ending = match believed.and_then(|r| r.outcome.as_ref()) {
        Some(outcome) => of_outcome(outcome, pod, intent, oom),
        None => of_kubelet(pod, ended, intent, oom, result.as_ref()),
    };
    if let Some(result) = &result {
        // The message is the tenant's word; the kubelet's times, in whole seconds, say what is possible.
        let possible = |at: Timestamp| {
            let at = kubelet_started.map_or(at, |from| at.max(from));
            kubelet_finished.map_or(at, |to| at.min(observe::plus(to, SECOND)))
        };
        ending.start_time = result.started_at_ms.and_then(timestamp).map(possible);
        ending.finish_time = result.finished_at_ms.and_then(timestamp).map(possible);
        ending.stdout = Some(tail(&result.stdout));
        ending.stderr = Some(tail(&result.stderr));
    }
    if ending.started {
        ending.start_time = ending.start_time.or(kubelet_started);
    }
    ending.finish_time = ending.finish_time.or(kubelet_finished);
    // A runtime that has lost its container reports 255, which is no signal; and a status out of bounds is never stored.
    ending.exit_code = ending.exit_code.filter(|code| (0..=255).contains(code));
    ending.signal = ending.signal.filter(|signal| (1..=LAST_SIGNAL).contains(signal));
    ending
}

/// Reads the end of a pod whose container left nothing.
pub fn of_pod(pod: &Pod, pod_reason: &str, message: &str, intent: &Intent) -> Ending {
    let stopped = stopped(pod, intent);
    let (reason, text) = match pod_reason {
        "Evicted" => (reason::EVICTED, message.to_owned()),
        "DeadlineExceeded" => (reason::START_TIMEOUT, message.to_owned()),
        "NodeLost" => (reason::NODE_LOST, message.to_owned()),
        // The kubelet calls containers that never began failed, too, once their pod is deleted.
        _ if *intent != Intent::None || pod.metadata.deletion_timestamp.is_some() => {
            return Ending::without_result(&stopped.0, stopped.1);
        }
        reason::START_ERROR => (reason::START_ERROR, message.to_owned()),
        "" => (reason::POD_LOST, "the pod ended and left no result".to_owned()),
        other => (reason::POD_REJECTED, format!("{other}: {message}")),
    };
    Ending::without_result(reason, text)
}

/// The end of a pod that is gone or has been given up.
pub fn of_lost(pod: Option<&Pod>, intent: &Intent) -> Ending {
    match pod {
        Some(pod) => {
            let (reason, message) = stopped(pod, intent);
            let never_scheduled = pod.spec.as_ref().is_none_or(|s| s.node_name.is_none());
            if reason == reason::POD_DELETED && !never_scheduled {
                return Ending::without_result(
                    reason::NODE_LOST,
                    "the pod was deleted and its node did not report its end in time",
                );
            }
            Ending::without_result(&reason, message)
        }
        None => Ending::without_result(
            reason::POD_LOST,
            "the pod is gone and left no result; whether the program ran to its end is not known, and it is not run again",
        ),
    }
}

fn of_outcome(outcome: &Outcome, pod: &Pod, intent: &Intent, oom: bool) -> Ending {
    let ended = |end: ProgramEnd| match end {
        ProgramEnd::Exited(0) => Ending {
            succeeded: true,
            reason: reason::COMPLETED.to_owned(),
            message: "the program exited with 0".to_owned(),
            exit_code: Some(0),
            ..Ending::default()
        },
        ProgramEnd::Exited(code) => Ending {
            reason: if oom { reason::OOM_KILLED } else { reason::FAILED }.to_owned(),
            message: if oom {
                out_of_memory()
            } else {
                format!("the program exited with {code}")
            },
            exit_code: Some(code),
            ..Ending::default()
        },
        ProgramEnd::Signaled(signal) => Ending {
            reason: if oom { reason::OOM_KILLED } else { reason::FAILED }.to_owned(),
            message: if oom {
                out_of_memory()
            } else {
                format!("the program was ended by signal {signal}")
            },
            signal: Some(signal),
            ..Ending::default()
        },
    };
    let ending = match outcome {
        Outcome::Exited(code) => ended(ProgramEnd::Exited(*code)),
        Outcome::Signaled(signal) => ended(ProgramEnd::Signaled(*signal)),
        Outcome::OutOfMemory => Ending {
            signal: Some(9),
            ..Ending::without_result(reason::OOM_KILLED, out_of_memory())
        },
        Outcome::DeadlineExceeded => Ending::without_result(
            reason::DEADLINE_EXCEEDED,
            "the program ran longer than spec.timeoutSeconds",
        ),
        Outcome::Completed => Ending {
            succeeded: true,
            ..Ending::without_result(reason::COMPLETED, "the interactive sandbox reached its deadline")
        },
        Outcome::StartFailed { exit_code, message } => {
            return Ending {
                exit_code: Some(i32::from(*exit_code)),
                ..Ending::without_result(reason::START_ERROR, message.clone())
            };
        }
        Outcome::Stopped(end) => {
            let (reason, message) = stopped(pod, intent);
            let what = end.map(ended).unwrap_or_default();
            return Ending {
                succeeded: false,
                started: end.is_some(),
                reason,
                message,
                ..what
            };
        }
    };
    Ending {
        started: true,
        ..ending
    }
}

/// `sandboxd` did not get to write the end down: it was killed with everything else, or never started.
fn of_kubelet(
    pod: &Pod,
    ended: &ContainerStateTerminated,
    intent: &Intent,
    oom: bool,
    partial: Option<&RunResult>,
) -> Ending {
    let started = partial.is_some_and(|r| r.started_at_ms.is_some());
    let ending = if oom {
        Ending::without_result(reason::OOM_KILLED, out_of_memory())
    } else if matches!(ended.reason.as_deref(), Some("StartError" | "ContainerCannotRun")) {
        let message = ended.message.clone().unwrap_or_default();
        Ending::without_result(
            reason::START_ERROR,
            format!("the sandbox could not be started: {message}"),
        )
    } else if *intent != Intent::None || pod.metadata.deletion_timestamp.is_some() || observe::disruption(pod).is_some()
    {
        let (reason, message) = stopped(pod, intent);
        Ending::without_result(&reason, message)
    } else if pod_reason(pod) == Some("DeadlineExceeded") {
        Ending::without_result(reason::DEADLINE_EXCEEDED, "the pod's own deadline ended it")
    } else if partial.is_none() {
        let message = ended.message.clone().unwrap_or_default();
        let text = format!(
            "the sandbox ended with code {} before its init could report: {message}",
            ended.exit_code
        );
        Ending::without_result(reason::START_ERROR, text)
    } else {
        let signal = ended
            .signal
            .filter(|s| *s > 0)
            .or((ended.exit_code > 128).then_some(ended.exit_code - 128));
        Ending {
            signal,
            ..Ending::without_result(reason::FAILED, "the sandbox was killed from outside")
        }
    };
    Ending { started, ..ending }
}

/// Why a pod was ended from outside.
fn stopped(pod: &Pod, intent: &Intent) -> (String, String) {
    match intent {
        Intent::Cancel => (reason::CANCELED.to_owned(), "spec.cancel was set".to_owned()),
        Intent::Suspended(why) => (reason::CANCELED.to_owned(), format!("the tenant was suspended: {why}")),
        Intent::StartTimeout(Some((reason, message))) => (reason.clone(), message.clone()),
        Intent::StartTimeout(None) => (
            reason::START_TIMEOUT.to_owned(),
            "the program was not started within spec.startTimeoutSeconds".to_owned(),
        ),
        Intent::None => {
            if pod_reason(pod) == Some("Evicted") {
                let message = pod.status.as_ref().and_then(|s| s.message.clone()).unwrap_or_default();
                return (reason::EVICTED.to_owned(), message);
            }
            if pod_reason(pod) == Some("DeadlineExceeded") {
                return (
                    reason::DEADLINE_EXCEEDED.to_owned(),
                    "the pod's own deadline ended it".to_owned(),
                );
            }
            observe::disruption(pod).map_or_else(
                || (reason::POD_DELETED.to_owned(), "somebody deleted the pod".to_owned()),
                |(reason, message)| (reason.to_owned(), message),
            )
        }
    }
}

fn pod_reason(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.reason.as_deref()
}

fn out_of_memory() -> String {
    "the program used more memory than its limit; raise spec.resources.limits.memory".to_owned()
}

fn timestamp(ms: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()
}

fn tail(stream: &StreamTail) -> OutputTail {
    let text = status_text(stream);
    OutputTail {
        text: text.text,
        truncated: text.truncated,
        total_bytes: i64::try_from(text.total_bytes).unwrap_or(i64::MAX),
    }
}
