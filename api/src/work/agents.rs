//! Follows the Agents of the cluster, so that each is an identity here before it first proves its key, and none any more once it
//! is gone.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    time::Duration,
};

use domain::AgentId;
use futures::StreamExt as _;
use telemetry::logging::chain;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use crate::{
    app::AppState,
    cluster::{AgentResource, Cluster, ClusterError, Seen},
    service::{
        namespaces::{self, NamespaceError},
        resource_agents::{self, Adoption},
    },
    store::agents::{self, Resource},
    work::Failed,
};

/// After so long is done again what failed.
const AGAIN: Duration = Duration::from_secs(5);

/// What is still to be done.
#[derive(Debug, Default)]
struct Todo {
    /// Agents whose row is to be what the resource says.
    changed: HashMap<AgentId, AgentResource>,
    /// Agents whose resource is gone.
    gone: HashSet<AgentId>,
    /// All resources that there were when the rows were to be compared with them.
    all: Option<HashSet<AgentId>>,
    /// What the rows say already: most changes of a resource are none of its identity.
    done: HashMap<AgentId, AgentResource>,
}

/// Follows until the task is dropped.
pub async fn follow(state: &AppState, cluster: &Cluster) {
    let mut seen = pin!(cluster.agents());
    let mut ticks = tokio::time::interval(AGAIN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut todo = Todo::default();
    loop {
        tokio::select! {
            next = seen.next() => match next {
                Some(seen) => todo.note(seen),
                None => return,
            },
            _ = ticks.tick() => {}
        }
        if let Err(error) = todo.work(state, cluster).await {
            warn!(
                error = chain(&error),
                "agents of the cluster were not taken up; it is tried again"
            );
            ticks.reset();
            // Whatever is seen meanwhile waits as well.
            ticks.tick().await;
        }
    }
}

impl Todo {
    fn note(&mut self, seen: Seen) {
        match seen {
            Seen::Agent(resource) if self.done.get(&resource.id) == Some(&resource) => {}
            Seen::Agent(resource) => {
                self.changed.insert(resource.id, resource);
            }
            Seen::Gone(id) => {
                self.changed.remove(&id);
                self.done.remove(&id);
                self.gone.insert(id);
            }
            Seen::All(all) => {
                self.changed.retain(|id, _| all.contains(id));
                self.done.retain(|id, _| all.contains(id));
                self.all = Some(all);
            }
        }
    }

    async fn work(&mut self, state: &AppState, cluster: &Cluster) -> Result<(), Failed> {
        self.adopt(state, cluster).await?;
        self.end(state, cluster).await
    }

    async fn adopt(&mut self, state: &AppState, cluster: &Cluster) -> Result<(), Failed> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let places = cluster.places().await?;
        let ids: Vec<AgentId> = self.changed.keys().copied().collect();
        for id in ids {
            let Some(resource) = self.changed.get(&id) else {
                continue;
            };
            // One of a Tenant that is nobody's here is looked at again when it changes, or proves itself.
            if let Some(place) = places.get(&resource.namespace)
                && namespaces::is_of(&state.database, place.account, place.uid).await?
            {
                let (tenant, now) = (place.account, state.clock.now());
                let adopted = resource_agents::adopt(&state.database, tenant, resource, "", now).await?;
                if adopted == Adoption::NoOwner {
                    info!(agent = %id, %tenant, "an Agent of a tenant without an owner is nobody's");
                }
            }
            if let Some(resource) = self.changed.remove(&id) {
                self.done.insert(id, resource);
            }
        }
        Ok(())
    }

    /// Ends what has no resource any more. The lists may be of another moment than the rows: the cluster is asked of each.
    async fn end(&mut self, state: &AppState, cluster: &Cluster) -> Result<(), Failed> {
        if self.gone.is_empty() && self.all.is_none() {
            return Ok(());
        }
        let rows = agents::of_resources(state.database.pool()).await?;
        let is_missing =
            |id: &AgentId| self.gone.contains(id) || self.all.as_ref().is_some_and(|all| !all.contains(id));
        for row in rows.iter().filter(|row| is_missing(&row.id)) {
            if !is_there(state, cluster, row).await? {
                resource_agents::end(&state.database, row.tenant, row.id, state.clock.now()).await?;
                info!(agent = %row.id, tenant = %row.tenant, "the Agent is gone, and so its identity has ended");
            }
        }
        self.gone.clear();
        self.all = None;
        Ok(())
    }
}

async fn is_there(state: &AppState, cluster: &Cluster, row: &Resource) -> Result<bool, Failed> {
    let namespace = match namespaces::find(&state.database, cluster, row.tenant).await {
        Ok(namespace) => namespace,
        Err(NamespaceError::NoTenant | NamespaceError::Cluster(ClusterError::NoNamespace)) => return Ok(false),
        Err(NamespaceError::Store(error)) => return Err(error.into()),
        Err(NamespaceError::Cluster(error)) => return Err(error.into()),
    };
    Ok(cluster.has_agent(&namespace, &row.name, row.id).await?)
}
