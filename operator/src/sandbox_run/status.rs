//! Step 5: the run's status.

use std::sync::Arc;

use crds::{
    SandboxRun, SandboxRunStatus,
    condition::{self},
    sandbox_run::reason,
};
use kube::{Api, ResourceExt};

use crate::{
    cluster::status,
    runtime::Failure,
    sandbox_run::{MANAGER, fetch::Fetched, is_finished, phase::Report, trimmed},
    shared::Shared,
};

/// Stores a report, tells of it by an event, and goes on with the run as it is now stored.
pub async fn write(shared: &Shared, fetched: &mut Fetched, report: &Report) -> Result<(), Failure> {
    let run = fetched.run.clone();
    let old = run.status.as_ref();
    let new = merge(old, report, &run, shared);
    let api: Api<SandboxRun> = Api::namespaced(shared.client.clone(), &run.namespace().unwrap_or_default());
    let written = status::write(&api, &run, old, &new, MANAGER, status::Guard::Version).await?;
    if old.and_then(|s| s.reason.as_ref()) != Some(&report.reason) {
        tell(shared, &run, report);
    }
    match written {
        Some(written) => {
            let written = trimmed(written);
            shared.admissions.observe_run(&written, false);
            shared.caches.runs.insert(written.clone());
            fetched.run = Arc::new(written);
        }
        // Nothing was written because the run is gone or says so already.
        None => fetched.stop = true,
    }
    if is_finished(&fetched.run) {
        for key in shared.admissions.next_waiting(&run.namespace().unwrap_or_default()) {
            shared.queues.runs.add(key);
        }
    }
    Ok(())
}

fn merge(old: Option<&SandboxRunStatus>, report: &Report, run: &SandboxRun, shared: &Shared) -> SandboxRunStatus {
    let mut status = old.cloned().unwrap_or_default();
    let generation = run.metadata.generation;
    status.conditions = condition::merge(&status.conditions, &report.findings, generation, shared.clock.now());
    status.observed_generation = generation;
    status.reason = Some(report.reason.clone());
    status.message = Some(condition::clip(&report.message)).filter(|m| !m.is_empty());
    if let Some((name, uid)) = &report.pod {
        status.pod_name = Some(name.clone());
        status.pod_uid = Some(uid.clone());
    }
    status.address = report.address.clone().or(status.address);
    status.start_time = report.start_time.or(status.start_time);
    if let Some(ending) = &report.ending {
        status.start_time = ending.start_time;
        status.finish_time = ending.finish_time;
        status.duration = ending.duration();
        status.exit_code = ending.exit_code;
        status.signal = ending.signal;
        status.stdout.clone_from(&ending.stdout);
        status.stderr.clone_from(&ending.stderr);
    }
    status
}

/// Progress and success are in the conditions; an event tells of what somebody should look at.
fn tell(shared: &Shared, run: &SandboxRun, report: &Report) {
    const EXPECTED: [&str; 4] = [reason::ADMITTED, reason::STARTING, reason::RUNNING, reason::COMPLETED];
    if !EXPECTED.contains(&report.reason.as_str()) {
        shared.events.warning(run, "Run", &report.reason, &report.message);
    }
}
