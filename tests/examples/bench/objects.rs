//! The runs that are measured, and bare pods of the same spec.

use anyhow::{Context as _, Result, ensure};
use crds::SandboxRun;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

/// Name of the volume that brings `sandboxd`.
const INJECTED: &str = "pinfold";

/// A run of the program `true`, small enough that a hundred fit on one node.
pub(crate) fn tiny_run() -> Value {
    json!({
        "template": "base",
        "command": ["true"],
        "startTimeoutSeconds": 600,
        "timeoutSeconds": 60,
        "resources": {
            "requests": {"cpu": "5m", "memory": "16Mi", "ephemeralStorage": "8Mi"},
            "limits": {"cpu": "1", "memory": "64Mi", "ephemeralStorage": "64Mi"},
        },
    })
}

/// A pod as a run's pod, without what Pinfold adds to run a program in it.
pub(crate) fn bare(of: &Pod, name: &str) -> Result<Pod> {
    let mut spec = of.spec.clone().context("a pod without a spec")?;
    spec.init_containers = None;
    spec.node_name = None;
    // Admission fills these in again.
    spec.priority = None;
    spec.tolerations = None;
    if let Some(volumes) = &mut spec.volumes {
        volumes.retain(|volume| volume.name != INJECTED);
    }
    for container in &mut spec.containers {
        container.command = Some(vec!["true".to_owned()]);
        container.env = None;
        container.readiness_probe = None;
        if let Some(mounts) = &mut container.volume_mounts {
            mounts.retain(|mount| mount.name != INJECTED);
        }
    }
    let mut pod = Pod {
        spec: Some(spec),
        ..Pod::default()
    };
    pod.metadata.name = Some(name.to_owned());
    Ok(pod)
}

/// Whether every container of a pod has ended.
pub(crate) fn is_over(pod: &Pod) -> bool {
    let containers = pod.status.as_ref().and_then(|s| s.container_statuses.as_ref());
    containers.is_some_and(|all| {
        !all.is_empty()
            && all
                .iter()
                .all(|c| c.state.as_ref().is_some_and(|s| s.terminated.is_some()))
    })
}

/// A figure of programs that failed is none.
pub(crate) fn ensure_completed(run: &SandboxRun) -> Result<()> {
    let status = run.status.clone().unwrap_or_default();
    ensure!(
        status.reason.as_deref() == Some("Completed"),
        "the run ended as {}: {}",
        status.reason.unwrap_or_default(),
        status.message.unwrap_or_default()
    );
    Ok(())
}

/// The same for a bare pod.
pub(crate) fn ensure_succeeded(pod: &Pod) -> Result<()> {
    let containers = pod.status.as_ref().and_then(|s| s.container_statuses.as_ref());
    let codes: Vec<Option<i32>> = containers
        .into_iter()
        .flatten()
        .map(|c| Some(c.state.as_ref()?.terminated.as_ref()?.exit_code))
        .collect();
    ensure!(codes == [Some(0)], "the bare pod ended with {codes:?}");
    Ok(())
}
