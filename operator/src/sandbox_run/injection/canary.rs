//! The canary: a pod that tries to execute `sandboxd` from an image volume.

use std::{collections::BTreeMap, time::Duration};

use crds::labels::component;
use k8s_openapi::{
    api::core::v1::{Container, ContainerState, Pod, PodSpec, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
};
use tracing::info;

use crate::{
    cluster::{apply::failure, meta},
    runtime::{Failure, FailureClass},
    sandbox_run::build::{Injected, injection},
    shared::Shared,
};

const CANARY: &str = "pinfold-canary";

/// How long a canary may take, an image pull included.
const PATIENCE: Duration = Duration::from_mins(2);

/// How long taking it away may take when this process ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// Whether the canary could execute; nothing if it did not get to try.
pub(super) async fn executes(shared: &Shared, class: Option<&str>) -> Result<Option<bool>, Failure> {
    let pods = pods(shared);
    // One left over by a process that was killed must not be taken for ours.
    take_away(&pods).await?;
    let made = match pods.create(&PostParams::default(), &canary(shared, class)).await {
        Ok(made) => made,
        Err(kube::Error::Api(answer)) if answer.code == 422 || answer.code == 400 => {
            info!(answer = answer.message, "the API server knows no image volumes");
            return Ok(Some(false));
        }
        Err(error) => return Err(failure(format!("create pod {CANARY}"), error)),
    };
    let uid = made.uid().unwrap_or_default();
    let ended = kube::runtime::wait::await_condition(pods.clone(), CANARY, |pod: Option<&Pod>| {
        let phase = pod
            .filter(|p| p.uid().as_deref() == Some(&uid))
            .and_then(|p| p.status.as_ref()?.phase.as_deref());
        matches!(phase, Some("Succeeded" | "Failed"))
    });
    let executed = match tokio::time::timeout(PATIENCE, ended).await {
        Ok(Ok(pod)) => verdict(pod.as_ref()),
        Ok(Err(error)) => {
            return Err(Failure {
                attempt: format!("wait for pod {CANARY}"),
                class: FailureClass::Transient,
                source: Box::new(error),
            });
        }
        // Waiting for a node, or for its image: that says nothing. A container that cannot be made does.
        Err(_) => {
            let pod = pods.get_opt(CANARY).await.ok().flatten();
            pod.as_ref().is_some_and(cannot_start).then_some(false)
        }
    };
    take_away(&pods).await?;
    Ok(executed)
}

/// Takes away a canary that is under way when this process ends: where no other operator follows, nobody else would.
pub async fn withdraw(shared: &Shared) {
    if !shared.injection.state().trying {
        return;
    }
    if !matches!(
        tokio::time::timeout(FAREWELL, take_away(&pods(shared))).await,
        Ok(Ok(()))
    ) {
        info!(
            pod = CANARY,
            "the canary pod could not be deleted; the next leader does it"
        );
    }
}

fn pods(shared: &Shared) -> Api<Pod> {
    Api::namespaced(shared.client.clone(), &shared.installation.namespace)
}

async fn take_away(pods: &Api<Pod>) -> Result<(), Failure> {
    match pods.delete(CANARY, &DeleteParams::default().grace_period(0)).await {
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
        Err(error) => Err(failure(format!("delete pod {CANARY}"), error)),
        Ok(_) => Ok(()),
    }
}

/// The pod's own deadline ends it with a phase, too, but without a container that ran.
fn verdict(pod: Option<&Pod>) -> Option<bool> {
    let status = pod?.status.as_ref()?;
    if status.phase.as_deref() == Some("Succeeded") {
        return Some(true);
    }
    state_of(pod?)?.terminated.as_ref().map(|_| false)
}

fn cannot_start(pod: &Pod) -> bool {
    let reason = state_of(pod).and_then(|state| state.waiting.as_ref()?.reason.as_deref());
    matches!(
        reason,
        Some("CreateContainerError" | "RunContainerError" | "StartError")
    )
}

fn state_of(pod: &Pod) -> Option<&ContainerState> {
    pod.status
        .as_ref()?
        .container_statuses
        .as_ref()?
        .first()?
        .state
        .as_ref()
}

fn canary(shared: &Shared, class: Option<&str>) -> Pod {
    const USER: i64 = 65532;
    let platform = &shared.platform;
    let amounts: BTreeMap<String, Quantity> = [("cpu", "50m"), ("memory", "32Mi")]
        .into_iter()
        .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned())))
        .collect();
    Pod {
        metadata: meta::child(
            CANARY,
            Some(&shared.installation.namespace),
            meta::labels(component::SANDBOX, ""),
            None,
        ),
        spec: Some(PodSpec {
            active_deadline_seconds: Some(i64::try_from(PATIENCE.as_secs()).unwrap_or(120)),
            automount_service_account_token: Some(false),
            containers: vec![Container {
                name: "canary".to_owned(),
                image: Some(platform.sandboxd_image.clone()),
                image_pull_policy: platform.sandboxd_pull_policy.clone(),
                command: Some(vec![injection::SANDBOXD.to_owned(), "canary".to_owned()]),
                resources: Some(ResourceRequirements {
                    limits: Some(amounts.clone()),
                    requests: Some(amounts),
                    ..ResourceRequirements::default()
                }),
                security_context: Some(injection::security_context(USER)),
                volume_mounts: Some(vec![injection::mount()]),
                ..Container::default()
            }],
            restart_policy: Some("Never".to_owned()),
            runtime_class_name: class.map(str::to_owned),
            volumes: Some(vec![injection::volume(Injected::ImageVolume, platform)]),
            ..PodSpec::default()
        }),
        status: None,
    }
}
