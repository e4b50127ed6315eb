//! Records every version of a tenant's objects and checks what must hold at each of them.

use std::{
    collections::{BTreeMap, HashSet},
    pin::pin,
    sync::Arc,
};

use crds::{Agent, SandboxRun, Tenant};
use futures::StreamExt;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{
    Api, Client, Resource,
    core::{ApiResource, DynamicObject},
    runtime::watcher::{self, Event, watcher},
};
use serde_json::Value;
use tokio::{sync::watch, task::JoinSet};

use crate::wait;

/// One version of one object.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its kind.
    pub kind: String,
    /// The object.
    pub object: Value,
    /// Whether it was deleted at this version.
    pub deleted: bool,
}

impl Version {
    fn uid(&self) -> &str {
        self.object["metadata"]["uid"].as_str().unwrap_or_default()
    }

    fn key(&self) -> (String, String) {
        (
            self.uid().to_owned(),
            self.object["metadata"]["resourceVersion"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    }

    /// The store's revision of this version: the API server compares resource versions as numbers, too.
    fn revision(&self) -> u64 {
        self.key().1.parse().unwrap_or(0)
    }

    fn name(&self) -> String {
        format!(
            "{}/{}",
            self.kind,
            self.object["metadata"]["name"].as_str().unwrap_or_default()
        )
    }
}

/// Follows the objects of one tenant.
pub struct Recorder {
    client: Client,
    id: String,
    versions: Arc<watch::Sender<Vec<Version>>>,
    _tasks: JoinSet<()>,
}

impl Recorder {
    /// Starts to record the tenant `id` and what is in its namespace.
    pub fn start(client: Client, id: &str) -> Self {
        let versions = Arc::new(watch::Sender::default());
        let mut tasks = JoinSet::new();
        for resource in kinds() {
            tasks.spawn(follow(
                api(&client, &resource, id),
                resource,
                id.to_owned(),
                versions.clone(),
            ));
        }
        Self {
            client,
            id: id.to_owned(),
            versions,
            _tasks: tasks,
        }
    }

    /// Everything up to now, in the order of each object's versions.
    pub async fn versions(&self) -> Vec<Version> {
        let mut now = HashSet::new();
        for resource in kinds() {
            let list = api(&self.client, &resource, &self.id)
                .list(&selection(&resource, &self.id))
                .await;
            now.extend(list.expect("list what was recorded").items.into_iter().map(|object| {
                let object = serde_json::to_value(object).unwrap_or_default();
                Version {
                    kind: resource.kind.clone(),
                    object,
                    deleted: false,
                }
                .key()
            }));
        }
        let mut seen = self.versions.subscribe();
        let caught_up = seen.wait_for(|all: &Vec<Version>| {
            let known: HashSet<_> = all.iter().map(Version::key).collect();
            now.is_subset(&known)
        });
        wait::soon("the recorder sees the present", caught_up)
            .await
            .expect("the recorder runs")
            .clone()
    }

    /// Checks what must hold at every version.
    pub async fn check(&self) {
        let violations = violations(&self.versions().await);
        assert!(
            violations.is_empty(),
            "the history of {} breaks its rules:\n{}",
            self.id,
            violations.join("\n")
        );
    }
}

fn kinds() -> [ApiResource; 5] {
    [
        ApiResource::erase::<Tenant>(&()),
        ApiResource::erase::<Agent>(&()),
        ApiResource::erase::<SandboxRun>(&()),
        ApiResource::erase::<Pod>(&()),
        ApiResource::erase::<Deployment>(&()),
    ]
}

fn api(client: &Client, resource: &ApiResource, id: &str) -> Api<DynamicObject> {
    if resource.kind == Tenant::kind(&()) {
        Api::all_with(client.clone(), resource)
    } else {
        Api::namespaced_with(client.clone(), &format!("tenant-{id}"), resource)
    }
}

fn selection(resource: &ApiResource, id: &str) -> kube::api::ListParams {
    let all = kube::api::ListParams::default();
    if resource.kind == Tenant::kind(&()) {
        all.fields(&format!("metadata.name={id}"))
    } else {
        all
    }
}

async fn follow(
    api: Api<DynamicObject>,
    resource: ApiResource,
    id: String,
    versions: Arc<watch::Sender<Vec<Version>>>,
) {
    let mut config = watcher::Config::default();
    if resource.kind == Tenant::kind(&()) {
        config = config.fields(&format!("metadata.name={id}"));
    }
    let mut events = pin!(watcher(api, config));
    while let Some(event) = events.next().await {
        let (object, deleted) = match event {
            Ok(Event::InitApply(object) | Event::Apply(object)) => (object, false),
            Ok(Event::Delete(object)) => (object, true),
            Ok(Event::Init | Event::InitDone) | Err(_) => continue,
        };
        let object = serde_json::to_value(object).unwrap_or_default();
        versions.send_modify(|all| {
            all.push(Version {
                kind: resource.kind.clone(),
                object,
                deleted,
            });
        });
    }
}

/// What of the rules about status is broken, in words.
pub fn violations(versions: &[Version]) -> Vec<String> {
    let mut by_object: BTreeMap<&str, Vec<&Version>> = BTreeMap::new();
    for version in versions
        .iter()
        .filter(|v| !matches!(v.kind.as_str(), "Pod" | "Deployment"))
    {
        by_object.entry(version.uid()).or_default().push(version);
    }
    let mut found = Vec::new();
    for history in by_object.values() {
        for version in history {
            check_version(version, &mut found);
        }
        for pair in history.windows(2) {
            check_step(pair[0], pair[1], &mut found);
            // An edit leaves the status as it was; what counts is what the operator says when it says it.
            let said = pair[0].object["status"] != pair[1].object["status"];
            if said && pair[1].kind == "Agent" && !pair[1].deleted {
                check_children(pair[1], history, versions, &mut found);
            }
        }
    }
    found
}

/// An agent that is ready for a generation has the Deployment that this generation asks for.
fn check_children(agent: &Version, history: &[&Version], versions: &[Version], found: &mut Vec<String>) {
    let ready = conditions(agent)
        .into_iter()
        .any(|c| c["type"] == "Ready" && c["status"] == "True");
    if !ready {
        return;
    }
    let generation = &agent.object["status"]["observedGeneration"];
    let Some(asked) = history
        .iter()
        .find(|v| &v.object["metadata"]["generation"] == generation)
    else {
        return;
    };
    let newest = versions
        .iter()
        .filter(|v| v.kind == "Deployment" && v.revision() < agent.revision())
        .filter(|v| v.object["metadata"]["ownerReferences"][0]["uid"] == agent.uid())
        .max_by_key(|v| v.revision())
        .filter(|v| !v.deleted);
    let seen = newest.map(|deployment| {
        let spec = &deployment.object["spec"];
        let container = &spec["template"]["spec"]["containers"][0];
        (container["image"].clone(), spec["replicas"].clone())
    });
    let spec = &asked.object["spec"];
    let wanted = (spec["image"].clone(), spec["replicas"].clone());
    if seen.as_ref() != Some(&wanted) {
        found.push(format!(
            "{}: Ready is True for generation {generation}, which asks for {wanted:?}; the Deployment has {seen:?}",
            agent.name()
        ));
    }
}

fn check_version(version: &Version, found: &mut Vec<String>) {
    let observed = version.object["status"]["observedGeneration"].as_i64().unwrap_or(0);
    let generation = version.object["metadata"]["generation"].as_i64().unwrap_or(0);
    if observed > generation {
        found.push(format!(
            "{}: observedGeneration {observed} exceeds generation {generation}",
            version.name()
        ));
    }
    let ready = conditions(version)
        .into_iter()
        .find(|c| c["type"] == "Ready" && c["status"] == "True");
    if let Some(ready) = ready
        && ready["observedGeneration"].as_i64() != Some(observed)
    {
        found.push(format!(
            "{}: Ready is True for generation {} while {observed} was observed",
            version.name(),
            ready["observedGeneration"]
        ));
    }
}

fn check_step(before: &Version, after: &Version, found: &mut Vec<String>) {
    let observed = |v: &Version| v.object["status"]["observedGeneration"].as_i64().unwrap_or(0);
    if observed(after) < observed(before) {
        found.push(format!(
            "{}: observedGeneration went from {} to {}",
            after.name(),
            observed(before),
            observed(after)
        ));
    }
    for condition in conditions(after) {
        let Some(old) = conditions(before).into_iter().find(|c| c["type"] == condition["type"]) else {
            continue;
        };
        if old["status"] == condition["status"] && old["lastTransitionTime"] != condition["lastTransitionTime"] {
            found.push(format!(
                "{}: the transition time of {} moved without a flip",
                after.name(),
                condition["type"]
            ));
        }
    }
    for condition in conditions(before) {
        if !conditions(after).iter().any(|c| c["type"] == condition["type"]) {
            found.push(format!(
                "{}: the condition {} went away",
                after.name(),
                condition["type"]
            ));
        }
    }
}

fn conditions(version: &Version) -> Vec<&Value> {
    version.object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .collect()
}
