//! Step 4: the writes of a run, apart from its status.

use std::sync::Arc;

use crds::{SandboxRun, labels, sandbox_run::reason};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tracing::info;

use crate::{
    cluster::{
        apply::{delete, failure},
        meta,
    },
    runtime::{Failure, FailureClass},
    sandbox_run::{
        MANAGER,
        admissions::Place,
        build,
        fetch::{self, Fetched, PodState},
        observe, phase, pods, refusal, status,
    },
    shared::Shared,
};

/// Makes the pod by POST: an apply would make it again after it was deleted, and a run never runs twice.
pub async fn create_pod(shared: &Shared, fetched: &mut Fetched) -> Result<(), Failure> {
    let (Ok(plan), Some(injected)) = (&fetched.plan, fetched.injected) else {
        return Ok(());
    };
    let (namespace, uid) = (plan.namespace.clone(), plan.uid.clone());
    let Some(live) = fetch::live_run(shared, &fetched.run).await? else {
        fetched.stop = true;
        return Ok(());
    };
    let program = match fetch::program(shared, &live) {
        Ok(program) => program,
        Err(refusal) => {
            fetched.plan = Err(refusal);
            return Ok(());
        }
    };
    if shared.admissions.reserve(&fetched.run, fetched.concurrent_runs) == Place::None {
        let message = format!(
            "the tenant has {} runs under way, as many as it may; the run waits for one of them to end",
            fetched.concurrent_runs
        );
        fetched.stop = true;
        let report = phase::not_admitted(reason::CONCURRENCY_LIMIT, &message);
        return status::write(shared, fetched, &report).await;
    }
    let pod = build::pod::build(plan, &program, injected, &shared.platform);
    let runtime_class = plan.runtime_class.clone();
    let api = pods(shared, &namespace);
    let parameters = PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    };
    let made = match api.create(&parameters, &pod).await {
        Ok(made) => made,
        // Made by an earlier pass whose answer was lost. The name holds the run's UID, so it is this run's.
        Err(kube::Error::Api(answer)) if answer.code == 409 && answer.reason == "AlreadyExists" => {
            adopt(&api, &pod.name_any(), &uid).await?
        }
        Err(kube::Error::Api(answer)) => {
            let Some(refusal) = refusal::of_create(answer.code, &answer.message, runtime_class.as_deref()) else {
                return Err(failure(
                    format!("create pod {}", pod.name_any()),
                    kube::Error::Api(answer),
                ));
            };
            // Only now it is sure that no pod was made.
            shared.admissions.release(&namespace, &uid);
            fetched.plan = Err(refusal);
            return Ok(());
        }
        // Whether the pod was made is not known: the place stays taken until the next pass has looked.
        Err(error) => return Err(failure(format!("create pod {}", pod.name_any()), error)),
    };
    info!(pod.name = made.name_any(), pod.uid = made.uid(), "pod created");
    let made = observe::trimmed(made);
    shared.caches.pods.insert(made.clone());
    fetched.pod = PodState::There(Arc::new(made));
    if shared.caches.runs.get(&namespace, &fetched.run.name_any()).is_none() {
        // Deleted meanwhile, and its place was given back before it was taken.
        shared.admissions.forget_run(&fetched.run);
    }
    Ok(())
}

async fn adopt(api: &Api<Pod>, name: &str, run_uid: &str) -> Result<Pod, Failure> {
    let pod = api
        .get(name)
        .await
        .map_err(|error| failure(format!("read pod {name}"), error))?;
    if meta::is_controlled_by(&pod, run_uid) {
        return Ok(pod);
    }
    Err(Failure {
        attempt: format!("adopt pod {name}"),
        class: FailureClass::Transient,
        source: "a pod of that name exists that the run does not own; delete it".into(),
    })
}

/// Asks the node to end the pod, with its grace period; the finalizer keeps it until the result is stored.
pub async fn delete_pod(shared: &Shared, fetched: &Fetched) -> Result<(), Failure> {
    let PodState::There(pod) = &fetched.pod else {
        return Ok(());
    };
    let api = pods(shared, &pod.namespace().unwrap_or_default());
    delete(&api, &**pod, false, None).await
}

/// Takes our finalizer off the pod, others' left alone.
pub async fn release_pod(shared: &Shared, fetched: &mut Fetched) -> Result<(), Failure> {
    let PodState::There(pod) = &fetched.pod else {
        return Ok(());
    };
    release(shared, pod).await?;
    let mut released = (**pod).clone();
    released.finalizers_mut().retain(|f| f != labels::RESULT_FINALIZER);
    fetched.pod = PodState::There(Arc::new(released));
    Ok(())
}

/// See [`release_pod`].
pub async fn release(shared: &Shared, pod: &Pod) -> Result<(), Failure> {
    let name = pod.name_any();
    let patch = json!({
        "metadata": {"uid": pod.uid(), "$deleteFromPrimitiveList/finalizers": [labels::RESULT_FINALIZER]},
    });
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match pods(shared, &pod.namespace().unwrap_or_default())
        .patch(&name, &parameters, &Patch::Strategic(patch))
        .await
    {
        Ok(patched) => {
            shared.caches.pods.insert(observe::trimmed(patched));
            Ok(())
        }
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
        Err(error) => Err(failure(format!("release pod {name}"), error)),
    }
}

/// Deletes a run whose time to live is over; its pod goes with it.
pub async fn delete_run(shared: &Shared, fetched: &Fetched) -> Result<(), Failure> {
    let api: Api<SandboxRun> = Api::namespaced(shared.client.clone(), &fetched.run.namespace().unwrap_or_default());
    delete(&api, &*fetched.run, false, None).await
}
