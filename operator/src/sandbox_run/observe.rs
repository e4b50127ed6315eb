//! What a run's pod shows, reduced to what decides about the run. Pure.

use crds::{labels, sandbox_run::reason};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodSpec};
use kube::ResourceExt;

use crate::sandbox_run::build::pod::CONTAINER;

/// How far a pod is.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Not running yet; with the trouble that keeps it, if there is one.
    Starting(Option<(&'static str, String)>),
    /// The container runs.
    Running {
        /// Whether the sandbox has been ready once: its ready command has succeeded, or it has none.
        begun: bool,
        /// Whether the pod is ready now.
        ready: bool,
        /// Since when.
        since: Option<Timestamp>,
    },
    /// The container has ended.
    Ended(Box<ContainerStateTerminated>),
    /// The pod is over and its container has left nothing.
    Failed {
        /// The pod's reason, such as Evicted.
        reason: String,
        /// The pod's message.
        message: String,
    },
}

/// How far a pod is.
pub fn progress(pod: &Pod) -> Progress {
    let status = pod.status.clone().unwrap_or_default();
    let container = status.container_statuses.iter().flatten().find(|c| c.name == CONTAINER);
    let state = container.and_then(|c| c.state.as_ref());
    if let Some(ended) = state.and_then(|s| s.terminated.as_ref()) {
        return Progress::Ended(Box::new(ended.clone()));
    }
    if matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")) {
        // An init container that failed ends the pod before the sandbox was made.
        if let Some(ended) =
            init_statuses(pod).find_map(|c| c.state.as_ref()?.terminated.clone().filter(|t| t.exit_code != 0))
        {
            let message = format!("sandboxd could not be installed: {}", ended.message.unwrap_or_default());
            return Progress::Failed {
                reason: reason::START_ERROR.to_owned(),
                message,
            };
        }
        return Progress::Failed {
            reason: status.reason.unwrap_or_default(),
            message: status.message.unwrap_or_default(),
        };
    }
    if let Some(running) = state.and_then(|s| s.running.as_ref()) {
        let ready = status
            .conditions
            .iter()
            .flatten()
            .any(|c| c.type_ == "Ready" && c.status == "True");
        return Progress::Running {
            begun: ready || container.and_then(|c| c.started) == Some(true),
            ready,
            since: running.started_at.as_ref().map(|t| t.0),
        };
    }
    Progress::Starting(start_trouble(pod))
}

fn init_statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status
        .iter()
        .flat_map(|s| s.init_container_statuses.iter().flatten())
}

fn start_trouble(pod: &Pod) -> Option<(&'static str, String)> {
    let status = pod.status.as_ref()?;
    let waiting = init_statuses(pod)
        .chain(status.container_statuses.iter().flatten())
        .filter_map(|c| c.state.as_ref()?.waiting.as_ref());
    for state in waiting {
        let message = state.message.clone().unwrap_or_default();
        let reason = match state.reason.as_deref().unwrap_or_default() {
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed" => reason::IMAGE_ERROR,
            "CreateContainerConfigError" if message.contains("secret") || message.contains("key") => {
                reason::SECRET_NOT_FOUND
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" | "StartError" => {
                reason::START_ERROR
            }
            _ => continue,
        };
        return Some((reason, message));
    }
    let unscheduled =
        status.conditions.iter().flatten().find(|c| {
            c.type_ == "PodScheduled" && c.status == "False" && c.reason.as_deref() == Some("Unschedulable")
        })?;
    Some((reason::UNSCHEDULABLE, unscheduled.message.clone().unwrap_or_default()))
}

/// Why the pod was ended from outside, if its conditions say so.
pub fn disruption(pod: &Pod) -> Option<(&'static str, String)> {
    let condition = pod
        .status
        .as_ref()?
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == "DisruptionTarget" && c.status == "True")?;
    let reason = match condition.reason.as_deref().unwrap_or_default() {
        "DeletionByTaintManager" | "DeletionByPodGC" => reason::NODE_LOST,
        _ => reason::EVICTED,
    };
    Some((reason, condition.message.clone().unwrap_or_default()))
}

/// Whether a deleted pod can no longer be expected to end by itself: it never reached a node, or its node has
/// let the time pass that it was given.
pub fn is_given_up(pod: &Pod, now: Timestamp) -> bool {
    let Some(deletion) = &pod.metadata.deletion_timestamp else {
        return false;
    };
    let scheduled = pod.spec.as_ref().is_some_and(|s| s.node_name.is_some());
    // The deletion time already includes the grace period.
    !scheduled || now > plus(deletion.0, SLACK)
}

/// A moment so much later; never is the latest.
pub fn plus(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// What a node may take beyond the grace period to report a pod's end.
pub const SLACK: SignedDuration = SignedDuration::from_secs(30);

/// Whether a pod asks for a user namespace of its own.
pub fn demands_user_namespace(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|s| s.host_users == Some(false))
}

/// How long a pod with a node may be without a sandbox before its events are read: a short time where a handler or a
/// user namespace may be missing.
pub fn sandbox_patience(pod: &Pod) -> SignedDuration {
    let has_class = pod.spec.as_ref().is_some_and(|s| s.runtime_class_name.is_some());
    SignedDuration::from_secs(if has_class || demands_user_namespace(pod) {
        1
    } else {
        15
    })
}

/// A pod that has had a node for longer than that and still has no sandbox.
pub fn waits_for_sandbox(pod: &Pod, now: Timestamp) -> bool {
    let Some(status) = &pod.status else { return false };
    let since = |type_: &str, value: &str| {
        let found = status
            .conditions
            .iter()
            .flatten()
            .find(|c| c.type_ == type_ && c.status == value);
        found.and_then(|c| c.last_transition_time.as_ref()).map(|t| t.0)
    };
    status.phase.as_deref() == Some("Pending")
        && pod.metadata.deletion_timestamp.is_none()
        && since("PodReadyToStartContainers", "False").is_some()
        && since("PodScheduled", "True").is_some_and(|at| now > plus(at, sandbox_patience(pod)))
}

/// A pod without what nobody reads: ten thousand of them must fit into memory.
pub fn trimmed(mut pod: Pod) -> Pod {
    pod.managed_fields_mut().clear();
    trim(&mut pod);
    pod
}

/// See [`trimmed`].
pub fn trim(pod: &mut Pod) {
    pod.annotations_mut().clear();
    pod.labels_mut()
        .retain(|key, _| key.starts_with(crds::GROUP) || key == labels::MANAGED_BY);
    if let Some(spec) = pod.spec.take() {
        pod.spec = Some(PodSpec {
            node_name: spec.node_name,
            runtime_class_name: spec.runtime_class_name,
            host_users: spec.host_users,
            ..PodSpec::default()
        });
    }
    if let Some(status) = &mut pod.status {
        status.host_ips = None;
        status.pod_ips = None;
        status.resources = None;
        for container in status
            .container_statuses
            .iter_mut()
            .chain(&mut status.init_container_statuses)
            .flatten()
        {
            container.image_id = String::new();
            container.volume_mounts = None;
            container.resources = None;
            container.allocated_resources = None;
        }
    }
}
