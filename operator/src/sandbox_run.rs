//! The SandboxRun controller: one program, run once, in a pod of its own, its end in the status.

use std::{sync::Arc, time::Duration};

use crds::{SandboxRun, condition, sandbox_run::condition_type};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};

use crate::{
    runtime::{Action, Failure, Key, Reconciler},
    sandbox_run::phase::{Decision, Step, WAITING},
    shared::Shared,
};

pub(crate) mod admissions;
mod apply;
pub(crate) mod build;
pub(crate) mod fetch;
pub(crate) mod injection;
pub(crate) mod observe;
pub mod orphan;
pub(crate) mod phase;
pub(crate) mod refusal;
pub(crate) mod result;
mod status;
pub(crate) mod trouble;
pub(crate) mod validate;

/// The field manager of this controller.
pub const MANAGER: &str = "pinfold-sandboxrun";

/// Between SIGTERM and SIGKILL, in seconds.
pub const GRACE_SECONDS: u32 = 10;

/// A pod that was asked to end is looked at again after this time, events apart.
const DELETED: Duration = Duration::from_secs(2);

/// Makes passes over `SandboxRun`s.
#[derive(Debug)]
pub struct SandboxRunController {
    shared: Arc<Shared>,
}

impl SandboxRunController {
    /// The controller over the process's caches.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Reconciler for SandboxRunController {
    const KIND: &'static str = "SandboxRun";

    fn uid(&self, key: &Key) -> Option<String> {
        self.shared.caches.runs.get(&key.scope, &key.name).and_then(|r| r.uid())
    }

    async fn reconcile(&self, key: &Key) -> Result<Action, Failure> {
        let shared = &*self.shared;
        let step = |name| shared.metrics.step(Self::KIND, name);

        let timer = step("fetch");
        let Some(mut fetched) = fetch::fetch(shared, key).await? else {
            return Ok(Action::Wait);
        };
        drop(timer);

        // Each decision is carried out and the world looked at again, until there is nothing left to do now.
        // Three steps are the most that follow from one another: make the pod, say so, wait.
        for _ in 0..4 {
            let decision = {
                let _timer = step("decide");
                phase::decide(&fetched, shared.clock.now())
            };
            let Decision { step: next, again } = decision;
            let _timer = step("apply");
            match next {
                Step::Nothing => return Ok(again.map_or(Action::Wait, Action::After)),
                Step::CreatePod => apply::create_pod(shared, &mut fetched).await?,
                Step::DeletePod => {
                    apply::delete_pod(shared, &fetched).await?;
                    return Ok(Action::After(DELETED));
                }
                Step::ReleasePod => apply::release_pod(shared, &mut fetched).await?,
                Step::WriteStatus(report) => {
                    // An end is final, and that no pod was made is not believed from a cache.
                    if report.ending.is_some() && fetch::find_unseen_pod(shared, &mut fetched).await? {
                        continue;
                    }
                    status::write(shared, &mut fetched, &report).await?;
                }
                Step::DeleteRun => {
                    apply::delete_run(shared, &fetched).await?;
                    return Ok(Action::Wait);
                }
            }
            if fetched.stop {
                return Ok(Action::After(WAITING));
            }
        }
        Ok(Action::After(Duration::from_millis(100)))
    }
}

/// Whether a run is over.
pub fn is_finished(run: &SandboxRun) -> bool {
    run.status
        .as_ref()
        .is_some_and(|s| condition::is_true(&s.conditions, condition_type::FINISHED))
}

/// The key of a run.
pub fn key(run: &SandboxRun) -> Key {
    Key::new(run.namespace().unwrap_or_default(), run.name_any())
}

/// Drops what is read from the API server when it is needed, and what nobody reads of a run that is over: ten thousand of
/// them must fit into memory, and each may bring a program of 128 KiB.
pub fn trim(run: &mut SandboxRun) {
    run.spec.code = None;
    run.spec.stdin = None;
    // That there is a command tells a program from an interactive sandbox.
    run.spec.command.truncate(1);
    run.spec.env = Vec::new();
    if is_finished(run) {
        run.spec.command = Vec::new();
        if let Some(status) = &mut run.status {
            status.stdout = None;
            status.stderr = None;
            status.message = None;
        }
        run.annotations_mut().clear();
    }
}

/// A run from an answer of the API server, as the cache keeps it.
fn trimmed(mut run: SandboxRun) -> SandboxRun {
    run.managed_fields_mut().clear();
    trim(&mut run);
    run
}

/// The API of runs' pods in a namespace.
fn pods(shared: &Shared, namespace: &str) -> Api<Pod> {
    Api::namespaced(shared.client.clone(), namespace)
}
