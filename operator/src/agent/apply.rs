//! Step 4: brings an agent's objects to their desired state.

use std::marker::PhantomData;

use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tracing::info;

use crate::{
    agent::{
        MANAGER,
        build::{AppliedResources, Resources},
        fetch::Fetched,
    },
    cluster::{
        apply::{Applier, failure},
        meta,
    },
    runtime::Failure,
    shared::Shared,
    tenant::build::Prepared,
};

/// Applies every object, then deletes what is no longer wanted: two objects at most, so no brake is needed.
pub async fn apply(
    shared: &Shared,
    fetched: &Fetched,
    prepared: Resources<Prepared>,
) -> Result<AppliedResources, Failure> {
    let applier = Applier::new(shared.client.clone(), MANAGER);
    let caches = &shared.caches;
    let Resources {
        service_account,
        deployment,
        service,
        disruption_budget,
        state: _,
    } = prepared;

    // Who the pods are before the pods; the address before anybody answers there.
    let service_account = applier.namespaced(&service_account, &caches.service_accounts).await?;
    let uid = fetched.agent.uid().unwrap_or_default();
    let service = if let Some(wanted) = service {
        Some((*applier.namespaced(&wanted, &caches.services).await?).clone())
    } else {
        if let Some(old) = fetched.service.as_deref().filter(|s| meta::is_controlled_by(*s, &uid)) {
            applier.prune(old).await?;
        }
        None
    };
    let deployment = applier.namespaced(&deployment, &caches.deployments).await?;
    let disruption_budget = if let Some(wanted) = disruption_budget {
        Some((*applier.namespaced(&wanted, &caches.disruption_budgets).await?).clone())
    } else {
        if let Some(old) = fetched
            .disruption_budget
            .as_deref()
            .filter(|b| meta::is_controlled_by(*b, &uid))
        {
            applier.prune(old).await?;
        }
        None
    };
    Ok(Resources {
        service_account: (*service_account).clone(),
        deployment: (*deployment).clone(),
        service,
        disruption_budget,
        state: PhantomData,
    })
}

/// Scales a Deployment to zero and leaves the rest of it as it is; the next apply takes the whole of it back.
pub async fn halt(shared: &Shared, deployment: &Deployment) -> Result<(), Failure> {
    if deployment.spec.as_ref().and_then(|s| s.replicas) == Some(0) {
        return Ok(());
    }
    let name = deployment.name_any();
    let api: Api<Deployment> = Api::namespaced(shared.client.clone(), &deployment.namespace().unwrap_or_default());
    let patch = json!({"metadata": {"uid": deployment.uid()}, "spec": {"replicas": 0}});
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match api.patch(&name, &parameters, &Patch::Merge(patch)).await {
        Ok(halted) => {
            info!(child.kind = "Deployment", child.name = name, "child scaled to zero");
            shared.caches.deployments.insert(halted);
            Ok(())
        }
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
        Err(error) => Err(failure(format!("scale Deployment {name} to zero"), error)),
    }
}
