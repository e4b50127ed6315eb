//! The Agent controller: a long-running program with an address and an identity.

use std::{sync::Arc, time::Duration};

use crds::{
    Agent,
    agent::{condition_type, reason},
    condition::Finding,
};
use kube::ResourceExt;

use crate::{
    agent::{
        build::build,
        fetch::Fetched,
        validate::{suspension, validate},
    },
    runtime::{Action, Failure, Key, Reconciler},
    shared::Shared,
};

mod apply;
pub(crate) mod build;
pub(crate) mod fetch;
pub(crate) mod identity;
mod status;
pub(crate) mod validate;

/// The field manager of this controller.
pub const MANAGER: &str = "pinfold-agent";

/// An agent that waits for something is looked at again after this time, events apart.
const WAITING: Duration = Duration::from_secs(10);

/// Makes passes over Agents.
#[derive(Debug)]
pub struct AgentController {
    shared: Arc<Shared>,
}

impl AgentController {
    /// The controller over the process's caches.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Reconciler for AgentController {
    const KIND: &'static str = "Agent";

    fn uid(&self, key: &Key) -> Option<String> {
        self.shared
            .caches
            .agents
            .get(&key.scope, &key.name)
            .and_then(|a| a.uid())
    }

    async fn reconcile(&self, key: &Key) -> Result<Action, Failure> {
        let shared = &*self.shared;
        let step = |name| shared.metrics.step(Self::KIND, name);

        let timer = step("fetch");
        let Some(fetched) = fetch::fetch(shared, key) else {
            return Ok(Action::Wait);
        };
        drop(timer);
        let agent = &*fetched.agent;
        // Its children go with it: the garbage collector follows the owner references.
        if agent.metadata.deletion_timestamp.is_some() {
            return Ok(Action::Wait);
        }

        let timer = step("validate");
        let validated = match validate(agent, &fetched, &shared.platform) {
            Ok(validated) => validated,
            Err(refusal) => {
                let ready = Finding::new(condition_type::READY, false, refusal.reason, refusal.message);
                refuse(shared, &fetched, vec![ready]).await?;
                return Ok(if refusal.reason == reason::INVALID_SPEC {
                    Action::Wait
                } else {
                    Action::After(WAITING)
                });
            }
        };
        drop(timer);

        let timer = step("identity");
        let identity = match identity::ensure(shared, agent).await? {
            Ok(identity) => identity,
            Err(trouble) => {
                let ready = Finding::new(condition_type::READY, false, trouble.reason, trouble.message.clone());
                let identity = Finding::new(condition_type::IDENTITY_READY, false, trouble.reason, trouble.message);
                refuse(shared, &fetched, vec![ready, identity]).await?;
                return Ok(Action::After(WAITING));
            }
        };
        drop(timer);

        let timer = step("build");
        let prepared = build(&validated, &identity);
        drop(timer);

        let timer = step("apply");
        let applied = Box::pin(apply::apply(shared, &fetched, prepared)).await?;
        drop(timer);

        let _timer = step("status");
        let findings = status::judge(&fetched, &validated, &applied, &identity);
        let settled = findings.iter().all(|f| f.reason != reason::PROGRESSING);
        status::write(shared, &fetched, Some((&validated, &applied, &identity)), findings).await?;
        Ok(if settled { Action::Wait } else { Action::After(WAITING) })
    }
}

/// Ends a pass over an agent that cannot be built as it is. Suspension reaches what was built before all the same:
/// otherwise an edit that is refused, or a Secret that is deleted, would keep a suspended agent running.
async fn refuse(shared: &Shared, fetched: &Fetched, mut findings: Vec<Finding>) -> Result<(), Failure> {
    if let (Some(tenant), Some(deployment)) = (&fetched.tenant, &fetched.deployment)
        && let Some((why, message)) = suspension(&fetched.agent, tenant)
    {
        apply::halt(shared, deployment).await?;
        findings.retain(|f| f.type_ != condition_type::READY);
        findings.push(Finding::new(condition_type::READY, false, why, message));
    }
    status::write(shared, fetched, None, findings).await
}

/// The key of an agent.
pub fn key(agent: &Agent) -> Key {
    Key::new(agent.namespace().unwrap_or_default(), agent.name_any())
}
