//! Brings definitions, rights, policies and templates into the control plane, once for each process.

use std::{
    collections::{BTreeMap, HashSet},
    env, fs,
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
    discovery::{Discovery, Scope},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{cluster, scene::ISSUER, wait};

/// Where the operator belongs.
pub const SYSTEM_NAMESPACE: &str = "pinfold-system";

/// Where the built-in templates are.
pub const TEMPLATES_NAMESPACE: &str = "pinfold-templates";

/// What of the chart means something without nodes.
const KINDS: [&str; 9] = [
    "Namespace",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "SandboxTemplate",
];

static INSTALLED: OnceCell<()> = OnceCell::const_new();

/// Installs what is not there yet.
pub async fn ensure() {
    INSTALLED
        .get_or_init(async || install().await.expect("install Pinfold into the control plane"))
        .await;
}

async fn install() -> Result<()> {
    let client = cluster::client("admin").await;
    definitions(&client).await?;
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}}),
        // Every operator of a suite has a lease of its own; the chart's role knows one name only.
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "suite-leases", "namespace": SYSTEM_NAMESPACE},
            "rules": [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "update"]}],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "suite-leases", "namespace": SYSTEM_NAMESPACE},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "suite-leases"},
            "subjects": [{"kind": "ServiceAccount", "name": "pinfold-operator", "namespace": SYSTEM_NAMESPACE}],
        }),
    ];
    let version = client
        .apiserver_version()
        .await
        .context("ask for the version")?
        .git_version;
    objects.extend(chart(&version)?);
    // Namespaces before what is in them.
    objects.sort_by_key(|o| o["kind"] != "Namespace");
    let discovery = Discovery::new(client.clone()).run().await.context("discover the API")?;
    for object in objects {
        apply(&client, &discovery, object).await?;
    }
    counted(&client).await
}

/// Waits until the quota controller knows our kinds, up to half a minute after they were defined. What operators do
/// until then is a test of its own, and would differ from play to play in the others.
async fn counted(client: &Client) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let name = format!("counted-{}", crate::scene::unique());
    let namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
    namespaces.create(&PostParams::default(), &namespace).await?;
    let quotas: Api<ResourceQuota> = Api::namespaced(client.clone(), &name);
    let counts = ["sandboxruns", "agents", "sandboxtemplates"].map(|kind| format!("count/{kind}.pinfold.dev"));
    let hard: BTreeMap<&String, &str> = counts.iter().map(|count| (count, "1")).collect();
    let quota: ResourceQuota = serde_json::from_value(json!({"metadata": {"name": "counts"}, "spec": {"hard": hard}}))?;
    wait::until_true("the quota controller counts our kinds", async || {
        // It counts a quota when it first sees it, and one that it has counted already only after minutes.
        drop(quotas.delete("counts", &DeleteParams::default()).await);
        drop(quotas.create(&PostParams::default(), &quota).await);
        // Nothing tells that it was counted without our kinds, but that it was counted.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let found = quotas.get("counts").await.ok().and_then(|q| q.status?.used);
        found.is_some_and(|used| counts.iter().all(|count| used.contains_key(count)))
    })
    .await;
    namespaces.delete(&name, &DeleteParams::default()).await?;
    Ok(())
}

/// The definitions as they are committed.
pub fn committed_definitions() -> Result<Vec<CustomResourceDefinition>> {
    let folder = cluster::top().join("crds/yaml");
    let mut all = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        all.push(serde_saphyr::from_str(&text).with_context(|| format!("parse {}", path.display()))?);
    }
    ensure!(!all.is_empty(), "{} holds no definitions", folder.display());
    Ok(all)
}

async fn definitions(client: &Client) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in committed_definitions()? {
        let name = definition.name_any();
        let parameters = PatchParams::apply("suite").force();
        api.patch(&name, &parameters, &Patch::Apply(&definition))
            .await
            .with_context(|| format!("apply {name}"))?;
        wait::until(&api, &name, "the definition is established", |found| {
            let conditions = found.and_then(|d| d.status.as_ref()?.conditions.as_ref());
            conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Established" && c.status == "True"))
        })
        .await;
    }
    Ok(())
}

fn chart(version: &str) -> Result<Vec<Value>> {
    let helm = env::var_os("PINFOLD_HELM").unwrap_or_else(|| "helm".into());
    let output = Command::new(&helm)
        .args([
            "template",
            "pinfold",
            "--namespace",
            SYSTEM_NAMESPACE,
            "--kube-version",
            version,
            "--set",
            &format!("api.enabled=true,api.serviceURL={ISSUER}"),
        ])
        .arg(cluster::top().join("charts/pinfold"))
        .output()
        .with_context(|| format!("run {} (set PINFOLD_HELM to its path)", helm.display()))?;
    ensure!(
        output.status.success(),
        "helm template: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let wanted: HashSet<&str> = KINDS.into();
    let text = String::from_utf8(output.stdout)?;
    let documents: Vec<Option<Value>> = serde_saphyr::from_multiple(&text).context("parse the rendered chart")?;
    let known = |object: &Value| object["kind"].as_str().is_some_and(|kind| wanted.contains(kind));
    Ok(documents.into_iter().flatten().filter(known).collect())
}

async fn apply(client: &Client, discovery: &Discovery, object: Value) -> Result<()> {
    let object: DynamicObject = serde_json::from_value(object).context("an object of the chart")?;
    let name = object.name_any();
    let types = object.types.as_ref().context("an object of the chart has a kind")?;
    let kind = kube::core::GroupVersionKind::try_from(types)?;
    let (resource, capabilities) = discovery
        .resolve_gvk(&kind)
        .with_context(|| format!("no resource for {kind:?}"))?;
    let api: Api<DynamicObject> = match (&capabilities.scope, object.namespace()) {
        (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client.clone(), &namespace, &resource),
        _ => Api::all_with(client.clone(), &resource),
    };
    let parameters = PatchParams::apply("suite").force();
    api.patch(&name, &parameters, &Patch::Apply(&object))
        .await
        .with_context(|| format!("apply {} {name}", kind.kind))?;
    Ok(())
}
