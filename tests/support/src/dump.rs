//! The end state of a tenant in a form that two runs of the same workload can be compared by.

use std::{collections::BTreeMap, fmt::Debug};

use crds::{Agent, SandboxRun, SandboxTemplate, Tenant, labels};
use fault_proxy::Record;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        core::v1::{LimitRange, Namespace, Pod, ResourceQuota, Secret, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
        rbac::v1::RoleBinding,
    },
};
use kube::{Api, Client, Resource, api::ListParams};
use regex::Regex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// Fields that differ from run to run: identities and times.
const VARYING: [&str; 21] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "managedFields",
    "lastTransitionTime",
    "startTime",
    "finishTime",
    "startedAt",
    "finishedAt",
    "duration",
    "publicKey",
    "thumbprint",
    "secretUid",
    "namespaceUid",
    "podUid",
    "clusterIP",
    "clusterIPs",
    labels::DESIRED,
    "used",
    "deployment.kubernetes.io/revision",
];

/// Every object of a tenant by kind and name, with identities, times and the tenant's name taken out.
pub async fn tenant(client: &Client, id: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let tenants: Api<Tenant> = Api::all(client.clone());
    if let Some(tenant) = tenants.get_opt(id).await.expect("read the tenant") {
        add(&mut found, id, &tenant);
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    if let Some(namespace) = namespaces
        .get_opt(&format!("tenant-{id}"))
        .await
        .expect("read the namespace")
    {
        add(&mut found, id, &namespace);
    }
    all::<RoleBinding>(client, id, &mut found).await;
    all::<NetworkPolicy>(client, id, &mut found).await;
    all::<ResourceQuota>(client, id, &mut found).await;
    all::<LimitRange>(client, id, &mut found).await;
    all::<ServiceAccount>(client, id, &mut found).await;
    all::<Secret>(client, id, &mut found).await;
    all::<Deployment>(client, id, &mut found).await;
    all::<Service>(client, id, &mut found).await;
    all::<PodDisruptionBudget>(client, id, &mut found).await;
    all::<Agent>(client, id, &mut found).await;
    all::<SandboxTemplate>(client, id, &mut found).await;
    all::<SandboxRun>(client, id, &mut found).await;
    all::<Pod>(client, id, &mut found).await;
    // Pods that a Deployment's controller names at random say nothing about the operator.
    found.retain(|_, object| object["kind"] != "Pod" || object["metadata"]["labels"].get(labels::RUN).is_some());
    found
}

async fn all<K>(client: &Client, id: &str, found: &mut BTreeMap<String, Value>)
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + Serialize + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), &format!("tenant-{id}"));
    for object in api
        .list(&ListParams::default())
        .await
        .expect("list the tenant's objects")
    {
        add(found, id, &object);
    }
}

fn add<K: Resource<DynamicType = ()> + Serialize>(found: &mut BTreeMap<String, Value>, id: &str, object: &K) {
    let mut value = serde_json::to_value(object).expect("an object");
    value["kind"] = K::kind(&()).into();
    let value = canonical(value, id);
    let name = value["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    found.insert(format!("{}/{name}", K::kind(&())), value);
}

/// An object without identities, times and the tenant's name.
pub fn canonical(mut object: Value, id: &str) -> Value {
    match object["kind"].as_str() {
        // What other controllers say there comes when it comes.
        Some("Deployment" | "PodDisruptionBudget" | "Pod" | "Service" | "Namespace") => object["status"] = Value::Null,
        Some("Secret") => {
            let data = object["data"].as_object_mut();
            data.into_iter()
                .flat_map(|d| d.values_mut())
                .for_each(|value| *value = json!("SECRET"));
        }
        _ => {}
    }
    // How often somebody else's edit was taken back does not matter.
    if !["Tenant", "Agent", "SandboxRun"].contains(&object["kind"].as_str().unwrap_or_default())
        && let Some(metadata) = object["metadata"].as_object_mut()
    {
        metadata.remove("generation");
    }
    if let Some(conditions) = object["status"]["conditions"].as_array_mut() {
        conditions.sort_by_key(|c| c["type"].to_string());
    }
    clean(&mut object, id, &uid());
    object
}

fn uid() -> Regex {
    Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").expect("a pattern")
}

fn clean(value: &mut Value, id: &str, uid: &Regex) {
    match value {
        Value::Object(map) => {
            map.retain(|key, value| !VARYING.contains(&key.as_str()) && !value.is_null());
            let input = map
                .get("name")
                .and_then(Value::as_str)
                .is_some_and(|name| name.starts_with("PINFOLD_"));
            if input && map.contains_key("value") {
                map.insert("value".to_owned(), json!("INPUT"));
            }
            map.values_mut().for_each(|value| clean(value, id, uid));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| clean(value, id, uid)),
        Value::String(text) => *text = uid.replace_all(&text.replace(id, "TENANT"), "UID").into_owned(),
        _ => {}
    }
}

/// What was made and deleted, object by object, with the tenant's name and identities taken out.
pub fn effects(records: &[Record], id: &str) -> Vec<String> {
    let mut all: Vec<String> = records
        .iter()
        .filter(|r| r.request.is_write())
        .filter_map(|record| {
            let what = match (record.created(), record.deleted()) {
                (true, _) => "create",
                (_, true) => "delete",
                _ => return None,
            };
            let name = record.request.name.clone().unwrap_or_default();
            let mut line = json!(format!("{what} {} {name}", record.request.resource));
            clean(&mut line, id, &uid());
            line.as_str().map(str::to_owned)
        })
        .collect();
    all.sort();
    all
}

/// Compares two end states; tells the objects that differ, and how.
pub fn assert_same(what: &str, wanted: &BTreeMap<String, Value>, found: &BTreeMap<String, Value>) {
    let mut names: Vec<&String> = wanted.keys().chain(found.keys()).collect();
    names.sort();
    names.dedup();
    let yaml = |object: Option<&Value>| {
        object.map_or_else(
            || "nothing".to_owned(),
            |o| serde_saphyr::to_string(o).unwrap_or_default(),
        )
    };
    let differences: Vec<String> = names
        .into_iter()
        .filter(|name| wanted.get(*name) != found.get(*name))
        .map(|name| {
            format!(
                "{name}\nwanted:\n{}found:\n{}",
                yaml(wanted.get(name)),
                yaml(found.get(name))
            )
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{what}: the end state differs:\n{}",
        differences.join("\n")
    );
}
