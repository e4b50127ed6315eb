//! Fixtures for tests of the pure steps: minimal YAML in, the real validate, whole objects out.

use std::sync::Arc;

use crds::{Agent, SandboxRun, SandboxTemplate, Tenant};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResourceExt, Resource, core::ObjectMeta};
use serde::de::DeserializeOwned;

use crate::{
    agent,
    config::Platform,
    sandbox_run::{
        refusal::Refusal,
        validate::{self, ValidatedRun},
    },
    shared::Installation,
    tenant,
};

/// A resource as the API server would have stored it.
pub(crate) fn stored<K>(name: &str, namespace: Option<&str>, spec: &str) -> K
where
    K: Resource<DynamicType = ()> + CustomResourceExt + DeserializeOwned,
{
    let spec: serde_json::Value = serde_saphyr::from_str(spec).expect("YAML");
    let object = serde_json::json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": ObjectMeta {
            name: Some(name.to_owned()),
            namespace: namespace.map(str::to_owned),
            uid: Some(format!("uid-of-{name}")),
            generation: Some(1),
            creation_timestamp: Some(Time(at(0))),
            ..ObjectMeta::default()
        },
        "spec": spec,
    });
    serde_json::from_value(object).expect("a valid resource")
}

/// So many seconds after a fixed moment.
pub(crate) fn at(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

pub(crate) fn installation() -> Installation {
    Installation {
        namespace: "pinfold-system".to_owned(),
        service_account: "pinfold-operator".to_owned(),
        api_service_account: None,
    }
}

/// The tenant `acme`, ready.
pub(crate) fn tenant(spec: &str) -> Tenant {
    let mut tenant: Tenant = stored("acme", None, spec);
    let ready = crds::condition::Finding::new(
        crds::tenant::condition_type::READY,
        true,
        crds::tenant::reason::READY,
        "",
    );
    tenant.status = Some(crds::TenantStatus {
        conditions: crds::condition::merge(&[], &[ready], Some(1), at(0)),
        ..crds::TenantStatus::default()
    });
    tenant
}

pub(crate) fn fetched_tenant(tenant: &Tenant) -> tenant::fetch::Fetched {
    tenant::fetch::Fetched {
        tenant: Arc::new(tenant.clone()),
        namespace: None,
        network_policies: Vec::new(),
        role_bindings: Vec::new(),
    }
}

pub(crate) fn validated_tenant(spec: &str) -> Result<tenant::validate::ValidatedTenant, tenant::validate::Refusal> {
    let tenant = tenant(spec);
    tenant::validate::validate(&tenant, &fetched_tenant(&tenant), &Platform::for_tests())
}

/// An agent of the tenant `acme`.
pub(crate) fn validated_agent(
    spec: &str,
    tenant_spec: &str,
) -> Result<agent::validate::ValidatedAgent, agent::validate::Refusal> {
    let fetched = fetched_agent(spec, tenant_spec);
    agent::validate::validate(&fetched.agent, &fetched, &Platform::for_tests())
}

/// The same agent, nothing of which was built yet.
pub(crate) fn fetched_agent(spec: &str, tenant_spec: &str) -> agent::fetch::Fetched {
    agent::fetch::Fetched {
        agent: Arc::new(stored::<Agent>("greeter", Some("tenant-acme"), spec)),
        tenant: Some(Arc::new(tenant(tenant_spec))),
        deployment: None,
        service: None,
        disruption_budget: None,
        pods: Vec::new(),
    }
}

pub(crate) fn run(spec: &str) -> SandboxRun {
    stored("answer", Some("tenant-acme"), spec)
}

/// A run of the tenant `acme`, with its template if it has one; the RuntimeClass `gvisor` exists.
pub(crate) fn validated_run(spec: &str, template: Option<&str>, tenant_spec: &str) -> Result<ValidatedRun, Refusal> {
    let platform = Platform::for_tests();
    let tenant = tenant(tenant_spec);
    let limits = tenant::validate::effective_limits(&tenant, &platform).expect("a plan");
    validate::validate(
        &run(spec),
        built_in(template).as_ref(),
        &tenant,
        &limits,
        &platform,
        |name| name == "gvisor",
    )
}

/// What such a run hands to its program.
pub(crate) fn program(spec: &str, template: Option<&str>) -> Result<validate::Program, Refusal> {
    validate::program(&run(spec), built_in(template).as_ref())
}

fn built_in(template: Option<&str>) -> Option<SandboxTemplate> {
    template.map(|t| stored("python", Some("pinfold-templates"), t))
}
