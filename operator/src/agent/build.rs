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
