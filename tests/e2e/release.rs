//! The chart's life on a cluster with work on it (UP-07): upgraded to what it is, to something else and back, uninstalled
//! and installed again. Alone on the cluster, since it takes the operator away from everybody.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

#[expect(dead_code, reason = "this suite needs a part of what the others do")]
mod world;

use std::{env, fs, process::Command};

use crds::{Agent, SandboxRun, Tenant};
use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::Pod},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::{Value, json};
use support::{cluster, wait};

use crate::world::{World, end, ended, small};

const SYSTEM: &str = "pinfold-system";

/// Runs helm on the release, and gives what it says.
fn helm(arguments: &[&str]) -> String {
    let output = Command::new(env::var_os("PINFOLD_HELM").unwrap_or_else(|| "helm".into()))
        .arg(format!("--kubeconfig={}", cluster::kubeconfig("admin").display()))
        .args(["--namespace", SYSTEM])
        .args(arguments)
        .output()
        .unwrap();
    let (told, failed) = (output.stdout, output.stderr);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&failed)
    );
    String::from_utf8(told).unwrap()
}

/// The UIDs of the pods that a label selects.
async fn pods(api: &Api<Pod>, labels: &str) -> Vec<String> {
    let list = api.list(&ListParams::default().labels(labels)).await.unwrap();
    let mut all: Vec<String> = list.iter().filter_map(ResourceExt::uid).collect();
    all.sort();
    all
}

/// What tenants have, which no release may touch.
#[derive(Debug, PartialEq)]
struct Work {
    tenant: Option<String>,
    agent: Option<String>,
    agent_pods: Vec<String>,
    run: Option<String>,
    run_status: Value,
}

async fn work(world: &World) -> Work {
    let run = world.api::<SandboxRun>().get("kept").await.unwrap();
    Work {
        tenant: world.tenants().get(&world.tenant).await.unwrap().uid(),
        agent: world.api::<Agent>().get("sleeper").await.unwrap().uid(),
        agent_pods: pods(&world.api(), "pinfold.dev/agent=sleeper").await,
        run: run.uid(),
        run_status: serde_json::to_value(run.status).unwrap(),
    }
}

async fn answers(world: &World) {
    let run = world
        .run(json!({"template": "base", "command": ["echo", "here"]}))
        .await;
    assert_eq!(end(&run), ended("Completed", Some(0), None, "here\n", ""));
}

#[tokio::test]
async fn a_release_comes_and_goes_and_leaves_the_tenants_work() {
    let world = World::new().await;
    let sleeper = json!({"image": "pinfold.dev/sandbox-base:dev", "command": ["sleep", "inf"], "resources": small()});
    world.agent("sleeper", sleeper).await;
    world
        .start("kept", json!({"template": "base", "command": ["echo", "kept"]}))
        .await;
    assert_eq!(
        end(&world.finished("kept").await),
        ended("Completed", Some(0), None, "kept\n", "")
    );
    let kept = work(&world).await;

    let chart = cluster::top().join("charts/pinfold").display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    fs::write(&values, helm(&["get", "values", "pinfold", "--output", "yaml"])).unwrap();
    let values = format!("--values={}", values.display());
    let (wait, patience) = ("--wait", "--timeout=3m");
    let deployments: Api<Deployment> = Api::namespaced(world.client.clone(), SYSTEM);
    let system: Api<Pod> = Api::namespaced(world.client.clone(), SYSTEM);
    let ours = "app.kubernetes.io/component in (operator,api,api-work)";
    let template = async || {
        deployments
            .get("pinfold-operator")
            .await
            .unwrap()
            .spec
            .unwrap()
            .template
    };
    let (before, running) = (template().await, pods(&system, ours).await);

    // The same once more changes nothing.
    helm(&["upgrade", "pinfold", &chart, &values, wait, patience]);
    assert_eq!(
        (template().await, pods(&system, ours).await),
        (before.clone(), running.clone())
    );
    assert_eq!(work(&world).await, kept);

    // Another one replaces the operator alone, and the way back leads to what was there.
    helm(&["upgrade", "pinfold", &chart, &values, "--set=workers=8", wait, patience]);
    assert_ne!(template().await, before);
    wait::until_true("every operator is another", async || {
        let there = pods(&system, "app.kubernetes.io/component=operator").await;
        there.len() == 2 && there.iter().all(|pod| !running.contains(pod))
    })
    .await;
    answers(&world).await;
    helm(&["rollback", "pinfold", wait, patience]);
    assert_eq!(template().await, before);
    answers(&world).await;
    assert_eq!(work(&world).await, kept);

    // What tenants have stays when the release goes, and the next one finds it.
    helm(&["uninstall", "pinfold", wait, patience]);
    wait::until_true("nothing of the release runs", async || {
        pods(&system, ours).await.is_empty()
    })
    .await;
    assert_eq!(work(&world).await, kept);
    let definitions: Api<CustomResourceDefinition> = Api::all(world.client.clone());
    for name in ["tenants", "agents", "sandboxtemplates", "sandboxruns"] {
        definitions.get(&format!("{name}.pinfold.dev")).await.unwrap();
    }
    helm(&["install", "pinfold", &chart, &values, wait, patience]);
    world.tenant_is_ready().await;
    answers(&world).await;
    assert_eq!(work(&world).await, kept);

    // A tenant that is deleted goes as ever.
    let tenants: Api<Tenant> = world.tenants();
    tenants
        .delete(&world.tenant, &kube::api::DeleteParams::default())
        .await
        .unwrap();
    wait::until(&tenants, &world.tenant, "the tenant is gone", |found| found.is_none()).await;
}
