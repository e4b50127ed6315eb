//! Step 3: every object of a tenant, as it should be. Pure.

use std::marker::PhantomData;

use crds::labels::component;
use k8s_openapi::{
    api::{
        core::v1::{LimitRange, Namespace, ResourceQuota, ServiceAccount},
        networking::v1::NetworkPolicy,
        rbac::v1::RoleBinding,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use crate::{cluster::meta, config::Platform, shared::Installation, tenant::validate::ValidatedTenant};

pub mod limit_range;
pub mod namespace;
pub mod network_policy;
pub mod quota;
pub mod role_binding;
pub mod service_account;

/// Built, not applied.
#[derive(Debug)]
pub struct Prepared;

/// Applied, as the API server has it.
#[derive(Debug)]
pub struct Applied;

/// Every object of a tenant.
#[derive(Debug, Clone)]
pub struct Resources<State> {
    /// The namespace.
    pub namespace: Namespace,
    /// The operator's own rights in it.
    pub operator_binding: RoleBinding,
    /// What all pods may use together.
    pub quota: ResourceQuota,
    /// How many objects there may be.
    pub counts: ResourceQuota,
    /// What a container gets where nobody says.
    pub limit_range: LimitRange,
    /// What may be reached.
    pub network_policies: Vec<NetworkPolicy>,
    /// Service accounts without tokens.
    pub service_accounts: Vec<ServiceAccount>,
    /// The owners' rights.
    pub role_bindings: Vec<RoleBinding>,
    /// Prepared or applied.
    pub state: PhantomData<State>,
}

/// Builds every object of a tenant.
pub fn build(tenant: &ValidatedTenant, platform: &Platform, installation: &Installation) -> Resources<Prepared> {
    Resources {
        namespace: namespace::build(tenant),
        operator_binding: role_binding::build_operator(tenant, installation),
        quota: quota::build(tenant),
        counts: quota::build_counts(tenant),
        limit_range: limit_range::build(tenant, &platform.defaults),
        network_policies: network_policy::build(tenant, platform),
        service_accounts: service_account::build(tenant),
        role_bindings: role_binding::build(tenant, installation),
        state: PhantomData,
    }
}

/// The metadata of an object in the tenant's namespace.
///
/// Nothing is owned by the Tenant: it goes with its namespace, which is deleted or let go before the Tenant is gone
/// (see [`crate::tenant::finalizer`]).
fn object_meta(tenant: &ValidatedTenant, name: &str) -> ObjectMeta {
    let labels = meta::labels(component::TENANT, tenant.name.as_str());
    meta::child(name, Some(&tenant.name.namespace()), labels, None)
}

#[cfg(test)]
mod tests {
    use insta::assert_yaml_snapshot;

    use crate::{
        config::Platform,
        testing::{installation, validated_tenant},
    };

    const FULL: &str = r"
plan: standard
limits: {cpu: 500m, concurrentRuns: 3, runs: 20000}
owners:
  - {kind: User, name: zoe, role: developer}
  - {kind: Group, name: acme-admins, role: admin}
  - {kind: User, name: alice, role: developer}
networkPolicy:
  allowedEgress:
    - cidrs: [0.0.0.0/0, 203.0.113.0/24]
      ports: [{port: 443}, {protocol: UDP, port: 8000, endPort: 8010}]
    - cidrs: ['2000::/3']
suspended: false
";

    #[test]
    fn every_object_of_a_minimal_tenant() {
        let tenant = validated_tenant("{}").unwrap();
        let built = super::build(&tenant, &Platform::for_tests(), &installation());
        assert_yaml_snapshot!("minimal-namespace", built.namespace);
        assert_yaml_snapshot!("minimal-operator-binding", built.operator_binding);
        assert_yaml_snapshot!("minimal-quota", built.quota);
        assert_yaml_snapshot!("minimal-counts", built.counts);
        assert_yaml_snapshot!("minimal-limit-range", built.limit_range);
        assert_yaml_snapshot!("minimal-network-policies", built.network_policies);
        assert_yaml_snapshot!("minimal-service-accounts", built.service_accounts);
        assert_eq!(built.role_bindings, vec![]);
    }

    #[test]
    fn what_a_full_tenant_adds() {
        let tenant = validated_tenant(FULL).unwrap();
        let built = super::build(&tenant, &Platform::for_tests(), &installation());
        assert_yaml_snapshot!("full-quota", built.quota.spec);
        assert_yaml_snapshot!("full-counts", built.counts.spec);
        assert_yaml_snapshot!("full-role-bindings", built.role_bindings);
        assert_yaml_snapshot!("full-egress", built.network_policies.last());
    }

    #[test]
    fn the_api_reads_logs_where_there_is_one() {
        let tenant = validated_tenant("{}").unwrap();
        let with_api = crate::shared::Installation {
            api_service_account: Some("pinfold-api".to_owned()),
            ..installation()
        };
        let built = super::build(&tenant, &Platform::for_tests(), &with_api);
        assert_yaml_snapshot!("api-role-bindings", built.role_bindings);
    }

    #[test]
    fn nothing_of_a_tenant_is_owned_by_it() {
        let tenant = validated_tenant("{owners: [{kind: User, name: alice}]}").unwrap();
        let built = super::build(&tenant, &Platform::for_tests(), &installation());
        let json = serde_json::json!([
            built.namespace,
            built.operator_binding,
            built.quota,
            built.counts,
            built.limit_range,
            built.network_policies,
            built.service_accounts,
            built.role_bindings
        ]);
        assert!(!json.to_string().contains("ownerReferences"));
    }
}
