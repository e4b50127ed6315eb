//! Step 5: what became of it, in the Agent's status.

use crds::{
    Agent, AgentStatus,
    agent::{condition_type, reason},
    condition::{self, ConditionStatus, Finding},
};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentStatus};
use kube::{Api, ResourceExt};

use crate::{
    agent::{
        MANAGER,
        build::{AppliedResources, selector, service},
        fetch::Fetched,
        identity::Identity,
        validate::ValidatedAgent,
    },
    cluster::status,
    runtime::Failure,
    shared::Shared,
};

/// What the agent's conditions are.
pub fn judge(
    fetched: &Fetched,
    agent: &ValidatedAgent,
    applied: &AppliedResources,
    identity: &Identity,
) -> Vec<Finding> {
    let (why, message) = if identity.provided {
        (
            reason::PROVIDED,
            format!("the key is in the Secret {}", identity.status.secret_name),
        )
    } else {
        (
            reason::GENERATED,
            format!("a key was generated into the Secret {}", identity.status.secret_name),
        )
    };
    vec![
        ready(fetched, agent, &applied.deployment),
        Finding::new(condition_type::IDENTITY_READY, true, why, message),
    ]
}

fn ready(fetched: &Fetched, agent: &ValidatedAgent, deployment: &Deployment) -> Finding {
    let not = |reason: &str, message: String| Finding::new(condition_type::READY, false, reason, message);
    if let Some((reason, message)) = &agent.suspended {
        return not(reason, message.clone());
    }
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = agent.replicas;
    let current = status.observed_generation == deployment.metadata.generation;
    let (updated, available) = (
        status.updated_replicas.unwrap_or(0),
        status.available_replicas.unwrap_or(0),
    );
    let total = status.replicas.unwrap_or(0);
    if current && updated == wanted && available == wanted && total == wanted {
        return Finding::new(
            condition_type::READY,
            true,
            reason::READY,
            format!("{wanted} of {wanted} replicas answer"),
        );
    }
    if let Some(message) = failed(&status, "ReplicaFailure", "True") {
        let reason = if message.contains("exceeded quota") {
            reason::QUOTA_EXCEEDED
        } else {
            reason::UNAVAILABLE
        };
        return not(reason, message);
    }
    if let Some((trouble, message)) = pod_trouble(fetched) {
        return not(trouble, message);
    }
    if let Some(message) = failed(&status, "Progressing", "False") {
        return not(
            reason::UNAVAILABLE,
            format!("{available} of {wanted} replicas answer: {message}"),
        );
    }
    not(reason::PROGRESSING, format!("{available} of {wanted} replicas answer"))
}

fn failed(status: &DeploymentStatus, type_: &str, value: &str) -> Option<String> {
    let found = status
        .conditions
        .iter()
        .flatten()
        .find(|c| c.type_ == type_ && c.status == value)?;
    Some(found.message.clone().unwrap_or_default())
}

/// What keeps a pod of the agent from starting.
fn pod_trouble(fetched: &Fetched) -> Option<(&'static str, String)> {
    fetched.pods.iter().find_map(|pod| {
        let state = pod
            .status
            .as_ref()?
            .container_statuses
            .as_ref()?
            .first()?
            .state
            .as_ref()?
            .waiting
            .as_ref()?;
        let (why, message) = (state.reason.as_deref()?, state.message.clone().unwrap_or_default());
        match why {
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => {
                Some((reason::IMAGE_ERROR, message))
            }
            "CreateContainerConfigError" if message.contains("secret") || message.contains("key") => {
                Some((reason::SECRET_NOT_FOUND, message))
            }
            "CrashLoopBackOff" | "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                Some((reason::UNAVAILABLE, format!("{why}: {message}")))
            }
            _ => None,
        }
    })
}

/// Writes the status. Without what was built, what is known of an earlier pass stays.
pub async fn write(
    shared: &Shared,
    fetched: &Fetched,
    built: Option<(&ValidatedAgent, &AppliedResources, &Identity)>,
    findings: Vec<Finding>,
) -> Result<(), Failure> {
    let agent = &*fetched.agent;
    let old = agent.status.as_ref();
    let mut new = old.cloned().unwrap_or_default();
    let before = condition::find(&new.conditions, condition_type::READY).map(|c| (c.status, c.reason.clone()));
    new.conditions = condition::merge(
        &new.conditions,
        &findings,
        agent.metadata.generation,
        shared.clock.now(),
    );
    new.observed_generation = agent.metadata.generation;
    if let Some((validated, applied, identity)) = built {
        let status = applied.deployment.status.clone().unwrap_or_default();
        new.replicas = status.replicas.unwrap_or(0);
        new.ready_replicas = status.ready_replicas.unwrap_or(0);
        let pairs: Vec<String> = selector(validated).iter().map(|(k, v)| format!("{k}={v}")).collect();
        new.selector = Some(pairs.join(","));
        new.address = service::address(validated);
        new.identity = Some(identity.status.clone());
        new.service_account_uid = applied.service_account.uid();
    } else if let Some(status) = fetched.deployment.as_ref().and_then(|d| d.status.as_ref()) {
        new.replicas = status.replicas.unwrap_or(0);
        new.ready_replicas = status.ready_replicas.unwrap_or(0);
    }
    let api: Api<Agent> = Api::namespaced(shared.client.clone(), &agent.namespace().unwrap_or_default());
    if let Some(mut written) =
        status::write::<Agent, AgentStatus>(&api, agent, old, &new, MANAGER, status::Guard::Object).await?
    {
        written.managed_fields_mut().clear();
        shared.caches.agents.insert(written);
    }
    if let Some(ready) = findings.iter().find(|f| f.type_ == condition_type::READY)
        && before != Some((ready.status, ready.reason.clone()))
    {
        let expected = ready.status == ConditionStatus::True
            || [reason::PROGRESSING, reason::SUSPENDED, reason::TENANT_SUSPENDED].contains(&ready.reason.as_str());
        if expected {
            shared.events.normal(agent, "Reconcile", &ready.reason, &ready.message);
        } else {
            shared.events.warning(agent, "Reconcile", &ready.reason, &ready.message);
        }
    }
    Ok(())
}
