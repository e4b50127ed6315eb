//! Where the agent is reached.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::agent::{
    build::{object_meta, selector},
    validate::ValidatedAgent,
};

/// A Service with the agent's ports; none without.
pub fn build(agent: &ValidatedAgent) -> Option<Service> {
    let ports = &agent.agent.spec.ports;
    if ports.is_empty() {
        return None;
    }
    let ports = ports.iter().map(|p| ServicePort {
        name: Some(p.name.clone()),
        port: p.port,
        protocol: Some(p.protocol.as_str().to_owned()),
        target_port: Some(IntOrString::String(p.name.clone())),
        ..ServicePort::default()
    });
    Some(Service {
        metadata: object_meta(agent, &agent.name),
        spec: Some(ServiceSpec {
            ports: Some(ports.collect()),
            selector: Some(selector(agent)),
            type_: Some("ClusterIP".to_owned()),
            ..ServiceSpec::default()
        }),
        status: None,
    })
}

/// Where the agent is reached inside the cluster.
pub fn address(agent: &ValidatedAgent) -> Option<String> {
    let port = agent.agent.spec.ports.first()?.port;
    Some(format!("{}.{}.svc:{port}", agent.name, agent.namespace))
}
