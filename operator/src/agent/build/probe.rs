//! Probes, field by field: a tenant's probe can never name a host.

use crds::agent::Probe;
use k8s_openapi::{
    api::core::v1::{ExecAction, HTTPGetAction, Probe as PodProbe, TCPSocketAction},
    apimachinery::pkg::util::intstr::IntOrString,
};
use sandbox_protocol::env::escape_expansion;

/// A probe as the kubelet runs it.
pub fn build(probe: &Probe) -> PodProbe {
    PodProbe {
        http_get: probe.http_get.as_ref().map(|get| HTTPGetAction {
            path: Some(get.path.clone()),
            port: IntOrString::Int(get.port),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        tcp_socket: probe.tcp_socket.as_ref().map(|socket| TCPSocketAction {
            port: IntOrString::Int(socket.port),
            host: None,
        }),
        exec: probe.exec.as_ref().map(|exec| ExecAction {
            command: Some(exec.command.iter().map(|word| escape_expansion(word)).collect()),
        }),
        initial_delay_seconds: (probe.initial_delay_seconds > 0).then_some(probe.initial_delay_seconds),
        period_seconds: Some(probe.period_seconds),
        timeout_seconds: Some(probe.timeout_seconds),
        failure_threshold: Some(probe.failure_threshold),
        ..PodProbe::default()
    }
}
