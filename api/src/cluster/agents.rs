//! Agents as the cluster has them: whose identities are rows here, too.

use std::collections::HashSet;

use crds::agent::Agent;
use domain::AgentId;
use futures::{Stream, StreamExt as _};
use kube::{
    Api, ResourceExt,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};
use telemetry::logging::chain;
use tracing::warn;
use uuid::Uuid;

use crate::cluster::{
    Cluster, ClusterError, Namespace,
    mirror::{PAGE, WATCH},
    workloads::AgentResource,
};

/// An Agent, or one that this release cannot read.
type Guarded = DeserializeGuard<Agent>;

/// Something that is seen of agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// There is one that proves itself, and it is so now.
    Agent(AgentResource),
    /// One is gone.
    Gone(AgentId),
    /// These are all that there are.
    All(HashSet<AgentId>),
}

impl Cluster {
    /// What is seen of agents, until the process ends.
    pub fn agents(&self) -> impl Stream<Item = Seen> + Send + use<> {
        let api: Api<Guarded> = Api::all(self.watching.clone());
        let config = watcher::Config::default().timeout(WATCH).page_size(PAGE);
        let events = watcher::watcher(api, config).default_backoff();
        let seen = events.scan(HashSet::new(), |filling, event| {
            std::future::ready(Some(event.map_or_else(
                |error| {
                    warn!(error = chain(&error), "agents cannot be watched at the moment");
                    Vec::new()
                },
                |event| of(event, filling),
            )))
        });
        seen.flat_map(futures::stream::iter)
    }

    /// Whether an Agent of this name has this UID.
    pub async fn has_agent(&self, namespace: &Namespace, name: &str, id: AgentId) -> Result<bool, ClusterError> {
        let found = self.get::<Agent>(namespace, name).await?;
        Ok(found.as_ref().and_then(id_of) == Some(id))
    }
}

/// The id of an Agent: its UID.
pub(super) fn id_of(agent: &impl ResourceExt) -> Option<AgentId> {
    Some(AgentId::of_uuid(Uuid::try_parse(&agent.uid()?).ok()?))
}

/// What an event tells; the ids of a list gather in `filling` until it is whole.
fn of(event: Event<Guarded>, filling: &mut HashSet<AgentId>) -> Vec<Seen> {
    match event {
        Event::Init => {
            filling.clear();
            Vec::new()
        }
        Event::InitApply(agent) => {
            filling.extend(id_of(&agent));
            shown(agent).into_iter().collect()
        }
        Event::InitDone => vec![Seen::All(std::mem::take(filling))],
        Event::Apply(agent) => shown(agent).into_iter().collect(),
        Event::Delete(agent) => id_of(&agent).map(Seen::Gone).into_iter().collect(),
    }
}

/// An agent that proves itself: the others need no row.
fn shown(agent: Guarded) -> Option<Seen> {
    let agent = agent.0.ok().filter(|agent| agent.spec.workload_identity)?;
    AgentResource::of(&agent).map(Seen::Agent)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UID: &str = "0198c5b4-5a0e-4000-8000-00000000000c";

    fn agent(proves: bool) -> Guarded {
        let agent = serde_json::from_value(json!({
            "apiVersion": "pinfold.dev/v1alpha1", "kind": "Agent",
            "metadata": {"name": "scout", "namespace": "tenant-acme", "uid": UID},
            "spec": {"image": "x", "workloadIdentity": proves},
            "status": {"identity": {"publicKey": "k", "secretName": "s", "secretUid": "u"}},
        }));
        DeserializeGuard(Ok(agent.unwrap()))
    }

    #[test]
    fn all_count_and_only_those_that_prove_themselves_are_shown() {
        let id = AgentId::of_uuid(Uuid::try_parse(UID).unwrap());
        let resource = AgentResource {
            id,
            namespace: "tenant-acme".to_owned(),
            name: "scout".to_owned(),
            public_key: Some("k".to_owned()),
        };
        let mut filling = HashSet::new();
        assert_eq!(of(Event::Init, &mut filling), []);
        assert_eq!(of(Event::InitApply(agent(false)), &mut filling), []);
        assert_eq!(of(Event::InitDone, &mut filling), [Seen::All([id].into())]);
        assert_eq!(of(Event::Apply(agent(true)), &mut filling), [Seen::Agent(resource)]);
        assert_eq!(of(Event::Delete(agent(true)), &mut filling), [Seen::Gone(id)]);
    }
}
