//! What keeps an agent answering while nodes are drained.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::agent::{
    build::{label_selector, object_meta},
    validate::ValidatedAgent,
};

/// At most one replica at a time may be taken away; for a single replica a budget would only block drains.
pub fn build(agent: &ValidatedAgent) -> Option<PodDisruptionBudget> {
    (agent.agent.spec.replicas > 1).then(|| PodDisruptionBudget {
        metadata: object_meta(agent, &agent.name),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(label_selector(agent)),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    })
}
