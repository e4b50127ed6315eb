//! What the tenant's pods may reach: nothing, then what is listed. Policies add up, so each only allows.
//!
//! Traffic between a pod and the node it runs on is always allowed by the definition of the NetworkPolicy API.

use std::collections::BTreeMap;

use crds::{
    labels::{self, component},
    tenant::TenantSpec,
};
use k8s_openapi::{
    api::networking::v1::{
        IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
        NetworkPolicyPort, NetworkPolicySpec,
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use crate::{
    config::{Platform, platform::Dns},
    tenant::{
        build::object_meta,
        validate::{Egress, ValidatedTenant},
    },
    workload_identity::WorkloadIdentity,
};

const INGRESS: &str = "Ingress";
const EGRESS: &str = "Egress";
const ALLOW_EGRESS: &str = "pinfold-allow-egress";

/// Every policy of a tenant.
pub fn build(tenant: &ValidatedTenant, platform: &Platform) -> Vec<NetworkPolicy> {
    let mut policies = vec![
        deny_all(tenant),
        allow_dns(tenant, &platform.dns),
        agents_accept(tenant),
        reach_agents(tenant),
    ];
    policies.extend(platform.workload_identity.as_ref().map(|api| reach_api(tenant, api)));
    if !tenant.egress.is_empty() {
        policies.push(allow_egress(tenant));
    }
    policies
}

/// Whether a policy allows what this spec does not ask for any more; see [`super::role_binding::is_revoked`].
pub fn is_closed(policy: &NetworkPolicy, spec: &TenantSpec) -> bool {
    policy.metadata.name.as_deref() == Some(ALLOW_EGRESS)
        && spec
            .network_policy
            .as_ref()
            .is_none_or(|allowed| allowed.allowed_egress.is_empty())
}

fn deny_all(tenant: &ValidatedTenant) -> NetworkPolicy {
    policy(
        tenant,
        "pinfold-deny-all",
        NetworkPolicySpec {
            pod_selector: Some(LabelSelector::default()),
            policy_types: Some(vec![INGRESS.to_owned(), EGRESS.to_owned()]),
            ..NetworkPolicySpec::default()
        },
    )
}

fn allow_dns(tenant: &ValidatedTenant, dns: &Dns) -> NetworkPolicy {
    let to = NetworkPolicyPeer {
        namespace_selector: Some(selector("kubernetes.io/metadata.name", &dns.namespace)),
        pod_selector: Some(LabelSelector {
            match_labels: Some(dns.pod_labels.clone()),
            ..LabelSelector::default()
        }),
        ..NetworkPolicyPeer::default()
    };
    let rule = NetworkPolicyEgressRule {
        to: Some(vec![to]),
        ports: Some(vec![port("UDP", 53, None), port("TCP", 53, None)]),
    };
    policy(
        tenant,
        "pinfold-allow-dns",
        egress(LabelSelector::default(), vec![rule]),
    )
}

fn agents_accept(tenant: &ValidatedTenant) -> NetworkPolicy {
    let from = NetworkPolicyPeer {
        pod_selector: Some(LabelSelector::default()),
        ..NetworkPolicyPeer::default()
    };
    policy(
        tenant,
        "pinfold-agents-accept",
        NetworkPolicySpec {
            pod_selector: Some(selector(labels::COMPONENT, component::AGENT)),
            policy_types: Some(vec![INGRESS.to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule {
                from: Some(vec![from]),
                ports: None,
            }]),
            egress: None,
        },
    )
}

fn reach_agents(tenant: &ValidatedTenant) -> NetworkPolicy {
    let to = NetworkPolicyPeer {
        pod_selector: Some(selector(labels::COMPONENT, component::AGENT)),
        ..NetworkPolicyPeer::default()
    };
    let rule = NetworkPolicyEgressRule {
        to: Some(vec![to]),
        ports: None,
    };
    policy(
        tenant,
        "pinfold-reach-agents",
        egress(LabelSelector::default(), vec![rule]),
    )
}

/// Pods that prove themselves to the control-plane API reach its pods, whatever else is allowed.
fn reach_api(tenant: &ValidatedTenant, api: &WorkloadIdentity) -> NetworkPolicy {
    let to = NetworkPolicyPeer {
        namespace_selector: Some(selector("kubernetes.io/metadata.name", &api.namespace)),
        pod_selector: Some(LabelSelector {
            match_labels: Some(api.pod_labels.clone()),
            ..LabelSelector::default()
        }),
        ..NetworkPolicyPeer::default()
    };
    let rule = NetworkPolicyEgressRule {
        to: Some(vec![to]),
        ports: Some(vec![port("TCP", api.port, None)]),
    };
    policy(
        tenant,
        "pinfold-reach-api",
        egress(selector(labels::WORKLOAD_IDENTITY, labels::ENABLED), vec![rule]),
    )
}

fn allow_egress(tenant: &ValidatedTenant) -> NetworkPolicy {
    let rules = tenant.egress.iter().map(egress_rule).collect();
    policy(tenant, ALLOW_EGRESS, egress(LabelSelector::default(), rules))
}

fn egress_rule(rule: &Egress) -> NetworkPolicyEgressRule {
    let to = rule.blocks.iter().map(|(cidr, except)| NetworkPolicyPeer {
        ip_block: Some(IPBlock {
            cidr: cidr.to_string(),
            except: (!except.is_empty()).then(|| except.iter().map(ToString::to_string).collect()),
        }),
        ..NetworkPolicyPeer::default()
    });
    let ports: Vec<NetworkPolicyPort> = rule
        .ports
        .iter()
        .map(|p| port(p.protocol.as_str(), p.port, p.end_port))
        .collect();
    NetworkPolicyEgressRule {
        to: Some(to.collect()),
        ports: (!ports.is_empty()).then_some(ports),
    }
}

fn egress(pods: LabelSelector, rules: Vec<NetworkPolicyEgressRule>) -> NetworkPolicySpec {
    NetworkPolicySpec {
        pod_selector: Some(pods),
        policy_types: Some(vec![EGRESS.to_owned()]),
        egress: Some(rules),
        ingress: None,
    }
}

fn port(protocol: &str, port: i32, end_port: Option<i32>) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(port)),
        end_port,
    }
}

fn selector(key: &str, value: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(BTreeMap::from([(key.to_owned(), value.to_owned())])),
        ..LabelSelector::default()
    }
}

fn policy(tenant: &ValidatedTenant, name: &str, spec: NetworkPolicySpec) -> NetworkPolicy {
    NetworkPolicy {
        metadata: object_meta(tenant, name),
        spec: Some(spec),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tenant;

    #[test]
    fn the_allowance_is_closed_when_nothing_is_allowed_any_more() {
        let closed = |name: &str, spec: &str| {
            let mut policy = NetworkPolicy::default();
            policy.metadata.name = Some(name.to_owned());
            is_closed(&policy, &tenant(spec).spec)
        };
        let some = "{networkPolicy: {allowedEgress: [{cidrs: [192.0.2.0/24]}]}}";
        assert!(closed(ALLOW_EGRESS, "{}"));
        assert!(closed(ALLOW_EGRESS, "{networkPolicy: {allowedEgress: []}}"));
        assert!(!closed(ALLOW_EGRESS, some));
        assert!(!closed("pinfold-deny-all", "{}"));
    }
}
