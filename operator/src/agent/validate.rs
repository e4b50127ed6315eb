//! Step 2: what the Agent means, or why it cannot be. Pure.

use std::collections::BTreeMap;

use crds::{Agent, agent::reason, common::ResourceList, condition, tenant};
use domain::Quantity;
use kube::ResourceExt;

use crate::{agent::fetch::Fetched, config::Platform};

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
    pub requests: BTreeMap<String, Quantity>,
    /// What each replica may use.
    pub limits: BTreeMap<String, Quantity>,
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
    let conditions = tenant
        .status
        .as_ref()
        .map(|s| s.conditions.as_slice())
        .unwrap_or_default();
    if !condition::is_true(conditions, tenant::condition_type::READY) {
        return Err(Refusal {
            reason: reason::TENANT_NOT_READY,
            message: format!(
                "the tenant {} is not ready: see kubectl describe tenant {0}",
                tenant.name_any()
            ),
        });
    }
    let suspended = suspension(agent, tenant);
    let (requests, limits) = resources(agent, platform)?;
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

type Amounts = BTreeMap<String, Quantity>;

fn resources(agent: &Agent, platform: &Platform) -> Result<(Amounts, Amounts), Refusal> {
    type Find = fn(&ResourceList) -> Option<&String>;
    let kinds: [(&str, &str, Find, Quantity); 3] = [
        ("cpu", "cpu", |l| l.cpu.as_ref(), platform.defaults.cpu),
        ("memory", "memory", |l| l.memory.as_ref(), platform.defaults.memory),
        (
            "ephemeral-storage",
            "ephemeralStorage",
            |l| l.ephemeral_storage.as_ref(),
            platform.defaults.ephemeral_storage,
        ),
    ];
    let asked = agent.spec.resources.clone().unwrap_or_default();
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    for (name, field, find, default) in kinds {
        let parse = |side: &str, text: Option<&String>| {
            text.map(|text| text.parse::<Quantity>())
                .transpose()
                .map_err(|error| Refusal {
                    reason: reason::INVALID_SPEC,
                    message: format!("spec.resources.{side}.{field}: {error}"),
                })
        };
        let request = parse("requests", asked.requests.as_ref().and_then(find))?;
        let limit = parse("limits", asked.limits.as_ref().and_then(find))?;
        let limit = limit.unwrap_or_else(|| request.map_or(default, |r| r.max(default)));
        let request = request.unwrap_or(limit);
        if request > limit {
            return Err(Refusal {
                reason: reason::INVALID_SPEC,
                message: format!(
                    "spec.resources.requests.{field}: {request} is more than the limit {limit}; lower it or raise spec.resources.limits.{field}"
                ),
            });
        }
        requests.insert(name.to_owned(), request);
        limits.insert(name.to_owned(), limit);
    }
    Ok((requests, limits))
}
