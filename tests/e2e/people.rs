//! Ordinary users with certificates of their own: each can do what its role says and nothing else.

use crds::{Agent, SandboxRun};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{
    Api, Resource, ResourceExt,
    api::{AttachParams, DeleteParams, ListParams, LogParams, PostParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use support::cluster;

use crate::world::{World, small};

fn object<K: DeserializeOwned + Resource<DynamicType = ()>>(name: &str, body: Value) -> K {
    let mut object = body;
    object["apiVersion"] = json!(K::api_version(&()));
    object["kind"] = json!(K::kind(&()));
    object["metadata"]["name"] = json!(name);
    serde_json::from_value(object).unwrap()
}

/// Forbidden, and by what right.
fn forbidden<T: std::fmt::Debug>(result: &Result<T, kube::Error>) -> bool {
    matches!(result, Err(kube::Error::Api(answer)) if answer.code == 403)
}

async fn tries(world: &World, user: &str) -> Vec<(&'static str, bool)> {
    let client = cluster::client(user).await;
    let namespace = world.namespace();
    let runs: Api<SandboxRun> = Api::namespaced(client.clone(), &namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let agents: Api<Agent> = Api::namespaced(client.clone(), &namespace);
    let name = format!("{user}-made");
    let run = object::<SandboxRun>(
        &name,
        json!({"spec": {"template": "base", "command": ["true"], "resources": small()}}),
    );
    let secret = object::<Secret>(&name, json!({"stringData": {"a": "b"}}));
    let pod = object::<Pod>(&name, json!({"spec": {"containers": [{"name": "c", "image": "x"}]}}));
    let list = ListParams::default();
    let of_run = world.pod_of(&runs_of(world).await).await.name_any();
    let exec = AttachParams::default().stdout(true).stderr(false);
    vec![
        ("list runs", !forbidden(&runs.list(&list).await)),
        ("list pods", !forbidden(&pods.list(&list).await)),
        (
            "read logs",
            !forbidden(&pods.logs(&of_run, &LogParams::default()).await),
        ),
        (
            "make runs",
            !forbidden(&runs.create(&PostParams::default(), &run).await),
        ),
        (
            "delete runs",
            !forbidden(&runs.delete(&name, &DeleteParams::default()).await),
        ),
        (
            "delete agents",
            !forbidden(&agents.delete("none", &DeleteParams::default()).await),
        ),
        ("exec", pods.exec(&of_run, ["true"], &exec).await.is_ok()),
        (
            "make secrets",
            !forbidden(&secrets.create(&PostParams::default(), &secret).await),
        ),
        ("read secrets", !forbidden(&secrets.get(&name).await)),
        ("list secrets", !forbidden(&secrets.list(&list).await)),
        (
            "delete secrets",
            !forbidden(&secrets.delete(&name, &DeleteParams::default()).await),
        ),
        (
            "make pods",
            !forbidden(&pods.create(&PostParams::default(), &pod).await),
        ),
        (
            "delete pods",
            !forbidden(&pods.delete("none", &DeleteParams::default()).await),
        ),
        (
            "list tenants",
            !forbidden(&Api::<crds::Tenant>::all(client.clone()).list(&list).await),
        ),
        (
            "read built-in templates",
            !forbidden(
                &Api::<crds::SandboxTemplate>::namespaced(client, "pinfold-templates")
                    .list(&list)
                    .await,
            ),
        ),
    ]
}

async fn runs_of(world: &World) -> SandboxRun {
    world.api::<SandboxRun>().get("shell").await.unwrap()
}

#[tokio::test]
async fn each_role_can_do_what_it_says_and_nothing_else() {
    let world = World::new().await;
    world.start("shell", json!({"template": "base"})).await;
    world.reason_is("shell", "Running").await;
    let allowed = async |user: &str| -> Vec<&'static str> {
        tries(&world, user)
            .await
            .into_iter()
            .filter(|(_, may)| *may)
            .map(|(what, _)| what)
            .collect()
    };
    let read = vec!["list runs", "list pods", "read logs"];
    let write = ["make runs", "delete runs", "delete agents", "exec"];
    let developer: Vec<&str> = read.iter().chain(&write).copied().collect();
    let admin: Vec<&str> = developer
        .iter()
        .chain(&["make secrets", "delete secrets"])
        .copied()
        .collect();
    assert_eq!(allowed("carol").await, read);
    assert_eq!(allowed("bob").await, developer);
    assert_eq!(allowed("alice").await, admin);
    assert_eq!(allowed("mallory").await, Vec::<&str>::new());
}

#[tokio::test]
async fn an_owner_of_one_tenant_is_nobody_in_another() {
    let other = World::with(json!({"owners": []})).await;
    other.start("shell", json!({"template": "base"})).await;
    other.reason_is("shell", "Running").await;
    let allowed: Vec<&str> = tries(&other, "alice")
        .await
        .into_iter()
        .filter(|(_, may)| *may)
        .map(|(what, _)| what)
        .collect();
    assert_eq!(allowed, Vec::<&str>::new());
}
