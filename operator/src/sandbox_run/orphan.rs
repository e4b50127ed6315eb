//! Pods whose run is gone: nobody is left to store a result for, so they are let go.

use std::sync::Arc;

use crds::{SandboxRun, labels};
use kube::{Api, Resource, ResourceExt};

use crate::{
    cluster::apply::failure,
    runtime::{Action, Failure, Key, Reconciler},
    sandbox_run::apply,
    shared::Shared,
};

/// Makes passes over runs' pods that are being deleted.
#[derive(Debug)]
pub struct OrphanController {
    shared: Arc<Shared>,
}

impl OrphanController {
    /// The controller over the process's caches.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Reconciler for OrphanController {
    const KIND: &'static str = "OrphanPod";

    fn uid(&self, key: &Key) -> Option<String> {
        self.shared.caches.pods.get(&key.scope, &key.name).and_then(|p| p.uid())
    }

    async fn reconcile(&self, key: &Key) -> Result<Action, Failure> {
        let shared = &*self.shared;
        let Some(pod) = shared.caches.pods.get(&key.scope, &key.name) else {
            return Ok(Action::Wait);
        };
        let held = pod.finalizers().iter().any(|f| f == labels::RESULT_FINALIZER);
        if !held || pod.metadata.deletion_timestamp.is_none() {
            return Ok(Action::Wait);
        }
        let Some(owner) = pod.owner_references().iter().find(|o| o.kind == SandboxRun::kind(&())) else {
            return Ok(Action::Wait);
        };
        if shared
            .caches
            .runs
            .get(&key.scope, &owner.name)
            .is_some_and(|r| r.uid().as_deref() == Some(&owner.uid))
        {
            return Ok(Action::Wait);
        }
        // Absence from a cache proves nothing: the API server is asked before the result is given up.
        let runs: Api<SandboxRun> = Api::namespaced(shared.client.clone(), &key.scope);
        let live = runs
            .get_metadata_opt(&owner.name)
            .await
            .map_err(|error| failure(format!("look for run {}", owner.name), error))?;
        if live.is_none_or(|run| run.uid().as_deref() != Some(&owner.uid)) {
            apply::release(shared, &pod).await?;
        }
        Ok(Action::Wait)
    }
}
