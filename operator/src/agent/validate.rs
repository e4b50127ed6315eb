//! Step 2: what the Agent means, or why it cannot be. Pure.

use crds::{Agent, agent::reason};
use kube::ResourceExt;

use crate::{
    agent::fetch::Fetched,
    config::Platform,
    resources::{Amounts, Resolved, resolve},
    tenant::validate::readiness,
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
pub fn validate(agent: &Agent, fetched: &Fetched, platform: &Platform) -> Result<ValidatedAgent, Refusal> {
    let tenant = fetched.tenant.as_deref().ok_or_else(|| Refusal {
        reason: reason::TENANT_NOT_READY,
        message: "this namespace belongs to no Tenant".to_owned(),
    })?;
    readiness(tenant).map_err(|message| Refusal {
        reason: reason::TENANT_NOT_READY,
        message,
    })?;
    let suspended = suspension(agent, tenant);
    let Resolved { requests, limits } =
        resolve(agent.spec.resources.as_ref(), None, &platform.defaults).map_err(|message| Refusal {
            reason: reason::INVALID_SPEC,
            message,
        })?;
    Ok(ValidatedAgent {
        name: agent.name_any(),
        namespace: agent.namespace().unwrap_or_default(),
        tenant: tenant.name_any(),
        replicas: if suspended.is_some() { 0 } else { agent.spec.replicas },
        suspended,
        requests,
        limits,
        agent: agent.clone(),
    })
}

fn suspension(agent: &Agent, tenant: &crds::Tenant) -> Option<(&'static str, String)> {
    if tenant.spec.suspended {
        let why = tenant.spec.suspension_reason.clone().unwrap_or_default();
        return Some((reason::TENANT_SUSPENDED, format!("the tenant is suspended: {why}")));
    }
    agent
        .spec
        .suspended
        .then(|| (reason::SUSPENDED, "spec.suspended is set".to_owned()))
}
