//! Step 3: every object of an agent, as it should be. Pure.

use std::{collections::BTreeMap, marker::PhantomData};

use crds::labels::{self, component};
use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{Service, ServiceAccount},
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta},
};

use crate::{
    agent::{identity::Identity, validate::ValidatedAgent},
    cluster::meta,
    tenant::build::{Applied, Prepared},
};

pub mod deployment;
pub mod disruption_budget;
pub mod probe;
pub mod service;
pub mod service_account;

/// Every object of an agent.
#[derive(Debug, Clone)]
pub struct Resources<State> {
    /// Who its pods are: nobody with a token.
    pub service_account: ServiceAccount,
    /// What runs.
    pub deployment: Deployment,
    /// Where it is reached; nothing without ports.
    pub service: Option<Service>,
    /// What keeps one replica alive through disruptions; nothing for a single one.
    pub disruption_budget: Option<PodDisruptionBudget>,
    /// Prepared or applied.
    pub state: PhantomData<State>,
}

/// The applied form.
pub type AppliedResources = Resources<Applied>;

/// Builds every object of an agent.
pub fn build(agent: &ValidatedAgent, identity: &Identity) -> Resources<Prepared> {
    Resources {
        service_account: service_account::build(agent),
        deployment: deployment::build(agent, identity),
        service: service::build(agent),
        disruption_budget: disruption_budget::build(agent),
        state: PhantomData,
    }
}

/// The metadata of an agent's child.
fn object_meta(agent: &ValidatedAgent, name: &str) -> ObjectMeta {
    meta::child(
        name,
        Some(&agent.namespace),
        pod_labels(agent),
        meta::owned_by(&agent.agent),
    )
}

/// The labels of an agent's pods and other children.
pub fn pod_labels(agent: &ValidatedAgent) -> BTreeMap<String, String> {
    let mut all = meta::labels(component::AGENT, &agent.tenant);
    all.insert(labels::AGENT.to_owned(), agent.name.clone());
    all
}

/// What selects an agent's pods.
pub fn selector(agent: &ValidatedAgent) -> BTreeMap<String, String> {
    BTreeMap::from([
        (labels::AGENT.to_owned(), agent.name.clone()),
        (labels::COMPONENT.to_owned(), component::AGENT.to_owned()),
    ])
}

fn label_selector(agent: &ValidatedAgent) -> LabelSelector {
    LabelSelector {
        match_labels: Some(selector(agent)),
        ..LabelSelector::default()
    }
}

#[cfg(test)]
mod tests {
    use crds::agent::AgentIdentityStatus;
    use insta::assert_yaml_snapshot;

    use super::*;
    use crate::testing::validated_agent;

    const FULL: &str = r"
image: example.test/agent:1
command: [/bin/agent, $(HOME)]
args: [--price, $5]
env:
  - {name: PLAIN, value: a $$ b $(C)}
  - {name: TOKEN, valueFrom: {secretKeyRef: {name: tokens, key: api}}}
ports:
  - {name: http, port: 8080}
  - {name: dns, port: 53, protocol: UDP}
replicas: 3
runAsUser: 1234
livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 5}
readinessProbe: {httpGet: {path: /ready, port: 8080}, initialDelaySeconds: 2}
startupProbe: {exec: {command: [/bin/up, $(X)]}}
resources: {requests: {cpu: 0.25, memory: 1024Mi}, limits: {memory: 2Gi}}
";

    fn identity() -> Identity {
        Identity {
            status: AgentIdentityStatus {
                public_key: "key".into(),
                thumbprint: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".into(),
                secret_name: "pinfold-identity-greeter".into(),
                secret_uid: "uid-of-secret".into(),
            },
            provided: false,
        }
    }

    #[test]
    fn every_object_of_a_full_agent() {
        let agent = validated_agent(&FULL.replace("0.25", "'0.25'"), "{}").unwrap();
        let built = build(&agent, &identity());
        assert_yaml_snapshot!("full-deployment", built.deployment);
        assert_yaml_snapshot!("full-service", built.service);
        assert_yaml_snapshot!("full-service-account", built.service_account);
        assert_yaml_snapshot!("full-disruption-budget", built.disruption_budget);
    }

    #[test]
    fn an_agent_that_proves_itself_has_a_token_and_is_told_so() {
        let spec = "{image: x, workloadIdentity: true, env: [{name: PLAIN, value: a}]}";
        let agent = validated_agent(spec, "{}").unwrap();
        let template = build(&agent, &identity()).deployment.spec.unwrap().template;
        let labels = template.metadata.unwrap().labels.unwrap();
        assert_eq!(labels[labels::WORKLOAD_IDENTITY], "enabled");
        let spec = template.spec.unwrap();
        assert_eq!(spec.automount_service_account_token, Some(false));
        assert_yaml_snapshot!("workload-volumes", spec.volumes);
        assert_yaml_snapshot!("workload-environment", spec.containers[0].env);
        assert_yaml_snapshot!("workload-mounts", spec.containers[0].volume_mounts);
    }

    #[test]
    fn where_there_is_no_api_nobody_proves_themselves() {
        let fetched = crate::testing::fetched_agent("{image: x, workloadIdentity: true}", "{}");
        let mut platform = crate::config::Platform::for_tests();
        platform.workload_identity = None;
        let refusal = crate::agent::validate::validate(&fetched.agent, &fetched, &platform).unwrap_err();
        assert_eq!(
            (refusal.reason, refusal.message.as_str()),
            (
                crds::agent::reason::INVALID_SPEC,
                "spec.workloadIdentity: this installation runs no control-plane API (api.enabled of the chart), so nobody \
                 could be shown the token; leave it out"
            )
        );
    }

    #[test]
    fn a_single_replica_without_ports_has_neither_service_nor_budget() {
        let built = build(&validated_agent("{image: x}", "{}").unwrap(), &identity());
        assert_eq!((built.service, built.disruption_budget), (None, None));
    }

    #[test]
    fn suspension_scales_to_zero_and_keeps_the_rest() {
        let replicas = |agent: &str, tenant: &str| {
            let built = build(&validated_agent(agent, tenant).unwrap(), &identity());
            (
                built.deployment.spec.unwrap().replicas,
                built.disruption_budget.is_some(),
            )
        };
        assert_eq!(replicas("{image: x, replicas: 2}", "{}"), (Some(2), true));
        assert_eq!(
            replicas("{image: x, replicas: 2, suspended: true}", "{}"),
            (Some(0), true)
        );
        assert_eq!(
            replicas("{image: x, replicas: 2}", "{suspended: true, suspensionReason: unpaid}"),
            (Some(0), true)
        );
    }
}
