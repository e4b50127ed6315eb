//! Finds out how `sandboxd` comes into sandboxes on this cluster.
//!
//! Image volumes are specified as not executable, yet some runtimes execute from them. So a canary pod tries, in
//! the operator's own namespace, and what it shows is kept in a ConfigMap until the image changes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crds::labels::component;
use k8s_openapi::{
    api::core::v1::{ConfigMap, Container, ContainerState, Pod, PodSpec, ResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
};
use serde_json::json;
use telemetry::logging::chain;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::{
    cluster::{apply::failure, meta, server_side},
    config::InjectionMode,
    runtime::Failure,
    sandbox_run::{
        MANAGER,
        build::{Injected, injection},
    },
    shared::Shared,
};

const CONFIG_MAP: &str = "pinfold-injection";
const CANARY: &str = "pinfold-canary";

/// How long a canary may take, an image pull included.
const PATIENCE: Duration = Duration::from_mins(2);

/// What was found out; nothing until then.
#[derive(Debug)]
pub struct Injection {
    found: watch::Sender<Option<Injected>>,
}

impl Injection {
    /// Takes what the platform file says; `auto` is found out later.
    pub fn new(mode: InjectionMode) -> Self {
        let found = match mode {
            InjectionMode::Auto => None,
            InjectionMode::ImageVolume => Some(Injected::ImageVolume),
            InjectionMode::InitContainer => Some(Injected::InitContainer),
        };
        Self {
            found: watch::Sender::new(found),
        }
    }

    /// What was found out.
    pub fn current(&self) -> Option<Injected> {
        *self.found.borrow()
    }
}

/// Finds out, if the platform file leaves it open. Runs while this process leads.
pub async fn find_out(shared: Arc<Shared>) {
    let mut wait = Duration::from_secs(1);
    if shared.injection.current().is_some() {
        return;
    }
    loop {
        match attempt(&shared).await {
            Ok(Some(found)) => {
                info!(?found, "how sandboxd comes into sandboxes is known");
                take(&shared, found);
                return;
            }
            // The init container works everywhere: runs need not wait for a verdict that takes so long.
            Ok(None) => {
                warn!("the canary pod did not get to run; init containers are used until one has");
                take(&shared, Injected::InitContainer);
            }
            Err(error) => warn!(error = %chain(&error), "the canary pod could not be used; it is tried again"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_mins(5));
    }
}

fn take(shared: &Shared, found: Injected) {
    shared.injection.found.send_replace(Some(found));
    for run in shared.caches.runs.all() {
        if !super::is_finished(&run) {
            shared.queues.runs.add(super::key(&run));
        }
    }
}

/// What is known or a canary shows; nothing if it did not get to run.
async fn attempt(shared: &Shared) -> Result<Option<Injected>, Failure> {
    let namespace = &shared.installation.namespace;
    let image = &shared.platform.sandboxd_image;
    let maps: Api<ConfigMap> = Api::namespaced(shared.client.clone(), namespace);
    let known = maps
        .get_opt(CONFIG_MAP)
        .await
        .map_err(|e| failure(format!("read ConfigMap {CONFIG_MAP}"), e))?;
    let data = known.and_then(|m| m.data).unwrap_or_default();
    if data.get("image") == Some(image) {
        match data.get("injection").map(String::as_str) {
            Some("imageVolume") => return Ok(Some(Injected::ImageVolume)),
            Some("initContainer") => return Ok(Some(Injected::InitContainer)),
            _ => {}
        }
    }
    let (found, value) = match canary_executes(shared).await? {
        Some(true) => (Injected::ImageVolume, "imageVolume"),
        Some(false) => (Injected::InitContainer, "initContainer"),
        None => return Ok(None),
    };
    let body = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta::child(CONFIG_MAP, Some(namespace), meta::labels(component::SANDBOX, ""), None),
        "data": {"image": image, "injection": value},
    });
    server_side::apply::<ConfigMap>(&shared.client, maps.resource_url(), CONFIG_MAP, None, MANAGER, &body)
        .await
        .map_err(|e| failure(format!("write ConfigMap {CONFIG_MAP}"), e))?;
    Ok(Some(found))
}

/// Whether the canary could execute; nothing if it did not get to try.
async fn canary_executes(shared: &Shared) -> Result<Option<bool>, Failure> {
    let pods: Api<Pod> = Api::namespaced(shared.client.clone(), &shared.installation.namespace);
    let gone = |result: Result<_, kube::Error>| match result {
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
        Err(error) => Err(failure(format!("delete pod {CANARY}"), error)),
        Ok(_) => Ok(()),
    };
    // One left over by a process that was killed must not be taken for ours.
    gone(pods.delete(CANARY, &DeleteParams::default().grace_period(0)).await)?;
    let made = match pods.create(&PostParams::default(), &canary(shared)).await {
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
                class: crate::runtime::FailureClass::Transient,
                source: Box::new(error),
            });
        }
        // Waiting for a node, or for its image: that says nothing. A container that cannot be made does.
        Err(_) => {
            let pod = pods.get_opt(CANARY).await.ok().flatten();
            pod.as_ref().is_some_and(cannot_start).then_some(false)
        }
    };
    gone(pods.delete(CANARY, &DeleteParams::default().grace_period(0)).await)?;
    Ok(executed)
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

fn canary(shared: &Shared) -> Pod {
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
            volumes: Some(vec![injection::volume(Injected::ImageVolume, platform)]),
            ..PodSpec::default()
        }),
        status: None,
    }
}
