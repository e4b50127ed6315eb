//! Step 2: what the Agent means, or why it cannot be. Pure.

use crds::{Agent, Tenant, agent::reason};
use kube::ResourceExt;

use crate::{
    agent::fetch::Fetched,
    config::Platform,
    resources::{Amounts, Resolved, resolve},
    tenant::validate::readiness,
    workload_identity::{Grant, WorkloadIdentity},
};

/// An Agent that can be built.
#[derive(Debug, Clone)]
pub struct ValidatedAgent {
    /// The Agent itself.
    pub agent: Agent,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its tenant.
    pub tenant: String,
    /// Replicas that are to run now: none while it or its tenant is suspended.
    pub replicas: i32,
    /// Why it is suspended.
    pub suspended: Option<(&'static str, String)>,
    /// What each replica reserves.
    pub requests: Amounts,
    /// What each replica may use.
    pub limits: Amounts,
    /// What its pods prove themselves with, if they are to.
    pub workload: Option<Grant>,
}

/// Why an Agent is not built. What was built before keeps running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The condition's reason.
    pub reason: &'static str,
    /// What is wrong and what to do about it.
    pub message: String,
}

/// Checks an Agent against its tenant and the platform file.
///
/// A tenant that is not ready keeps agents from being built. What is built already is looked after all the same: it
/// must be suspended with its tenant, and an edit of the tenant's limits is no fault of it.
pub fn validate(agent: &Agent, fetched: &Fetched, platform: &Platform) -> Result<ValidatedAgent, Refusal> {
    let tenant = fetched.tenant.as_deref().ok_or_else(|| Refusal {
        reason: reason::TENANT_NOT_READY,
        message: "this namespace belongs to no Tenant".to_owned(),
    })?;
    if fetched.deployment.is_none() {
        readiness(tenant).map_err(|message| Refusal {
            reason: reason::TENANT_NOT_READY,
            message,
        })?;
    }
    let suspended = suspension(agent, tenant);
    let Resolved { requests, limits } =
        resolve(agent.spec.resources.as_ref(), None, &platform.defaults).map_err(|message| Refusal {
            reason: reason::INVALID_SPEC,
            message,
        })?;
    let invalid = |message: String| Refusal {
        reason: reason::INVALID_SPEC,
        message: format!("spec.{message}"),
    };
    let workload =
        WorkloadIdentity::grant(agent.spec.workload_identity, platform.workload_identity.as_ref()).map_err(invalid)?;
    Ok(ValidatedAgent {
        name: agent.name_any(),
        namespace: agent.namespace().unwrap_or_default(),
        tenant: tenant.name_any(),
        replicas: if suspended.is_some() { 0 } else { agent.spec.replicas },
        suspended,
        requests,
        limits,
        workload,
        agent: agent.clone(),
    })
}

/// Why an agent has no replicas, if it is to have none whatever it asks for.
pub fn suspension(agent: &Agent, tenant: &Tenant) -> Option<(&'static str, String)> {
    if tenant.spec.suspended {
        let why = tenant.spec.suspension_reason.clone().unwrap_or_default();
        return Some((reason::TENANT_SUSPENDED, format!("the tenant is suspended: {why}")));
    }
    agent
        .spec
        .suspended
        .then(|| (reason::SUSPENDED, "spec.suspended is set".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crds::{condition, tenant::condition_type};
    use k8s_openapi::api::apps::v1::Deployment;

    use super::*;
    use crate::testing::{at, fetched_agent};

    fn unready(spec: &str, tenant: &str, built: bool) -> Result<ValidatedAgent, Refusal> {
        let mut fetched = fetched_agent(spec, tenant);
        let mut tenant = (**fetched.tenant.as_ref().unwrap()).clone();
        let status = tenant.status.as_mut().unwrap();
        let not = condition::Finding::new(condition_type::READY, false, "QuotaPending", "wait");
        status.conditions = condition::merge(&status.conditions, &[not], Some(1), at(1));
        fetched.tenant = Some(Arc::new(tenant));
        fetched.deployment = built.then(|| Arc::new(Deployment::default()));
        validate(&fetched.agent.clone(), &fetched, &Platform::for_tests())
    }

    #[test]
    fn only_what_is_not_built_waits_for_the_tenant() {
        let told = |spec: &str, tenant: &str, built: bool| unready(spec, tenant, built).map(|a| a.replicas);
        let refused = told("{image: x, replicas: 2}", "{}", false).unwrap_err();
        assert_eq!(refused.reason, reason::TENANT_NOT_READY);
        assert_eq!(told("{image: x, replicas: 2}", "{}", true), Ok(2));
    }

    #[test]
    fn suspension_does_not_wait_for_the_tenant() {
        let built = unready(
            "{image: x, replicas: 2}",
            "{suspended: true, suspensionReason: unpaid}",
            true,
        )
        .unwrap();
        assert_eq!(
            (built.replicas, built.suspended),
            (
                0,
                Some((reason::TENANT_SUSPENDED, "the tenant is suspended: unpaid".to_owned()))
            )
        );
    }
}
