//! Agents answer through their Service, and stop and start with their tenant.

use std::fmt::Debug;

use crds::{Agent, Tenant};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        core::v1::{Pod, Secret, Service, ServiceAccount},
        policy::v1::PodDisruptionBudget,
    },
};
use kube::{Resource, ResourceExt, api::ListParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::world::{World, end, ended, small};

fn greeter() -> Value {
    let code = "import http.server\nclass G(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.send_response(200)\n        self.end_headers()\n        self.wfile.write(b'hello\\n')\n    def log_message(self, *a):\n        pass\nhttp.server.ThreadingHTTPServer(('', 8080), G).serve_forever()";
    json!({
        "image": "pinfold.dev/sandbox-python:dev",
        "command": ["python3", "-c", code],
        "ports": [{"name": "http", "port": 8080}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "resources": small(),
    })
}

async fn ask(world: &World, address: &str) -> crate::world::End {
    let url = format!("http://{address}/");
    end(&world
        .run(json!({"template": "base", "command": ["curl", "-sS", "--max-time", "10", url]}))
        .await)
}

async fn names_of<K>(world: &World, which: &ListParams) -> Vec<String>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let list = world.api::<K>().list(which).await.unwrap();
    list.iter().map(ResourceExt::name_any).collect()
}

#[tokio::test]
async fn an_agent_answers_through_its_service() {
    let world = World::new().await;
    let agent = world.agent("greeter", greeter()).await;
    let status = agent.status.unwrap();
    let address = status.address.unwrap();
    assert_eq!(address, format!("greeter.{}.svc:8080", world.namespace()));
    assert_eq!((status.replicas, status.ready_replicas), (1, 1));
    assert_eq!(
        ask(&world, &address).await,
        ended("Completed", Some(0), None, "hello\n", "")
    );
}

#[tokio::test]
async fn suspended_and_resumed() {
    let world = World::new().await;
    world.agent("greeter", greeter()).await;
    let (agents, tenants) = (world.api::<Agent>(), world.tenants());
    let pods = async || {
        let list = world
            .api::<Pod>()
            .list(&ListParams::default().labels("pinfold.dev/agent=greeter"))
            .await
            .unwrap();
        list.items
            .into_iter()
            .filter(|p| p.metadata.deletion_timestamp.is_none())
            .count()
    };

    world
        .edit(&agents, "greeter", json!({"spec": {"suspended": true}}))
        .await;
    world.agent_is("greeter", "Suspended").await;
    support::wait::until_true("no pod is left", async || pods().await == 0).await;
    world
        .edit(&agents, "greeter", json!({"spec": {"suspended": false}}))
        .await;
    world.agent_is("greeter", "Ready").await;

    world
        .start("long", json!({"template": "base", "command": ["sleep", "1000"]}))
        .await;
    world.reason_is("long", "Running").await;
    let suspend = json!({"spec": {"suspended": true, "suspensionReason": "the invoice is open"}});
    world.edit::<Tenant>(&tenants, &world.tenant, suspend).await;
    world.agent_is("greeter", "TenantSuspended").await;
    let run = world.finished("long").await;
    assert_eq!(
        run.status.unwrap().message.as_deref(),
        Some("the tenant was suspended: the invoice is open")
    );
    let refused = world.run(json!({"template": "base", "command": ["true"]})).await;
    assert_eq!(end(&refused), ended("TenantSuspended", None, None, "", ""));
    support::wait::until_true("no pod is left", async || pods().await == 0).await;

    world
        .edit::<Tenant>(&tenants, &world.tenant, json!({"spec": {"suspended": false}}))
        .await;
    world.agent_is("greeter", "Ready").await;
    assert_eq!(
        end(&world.run(json!({"template": "base", "command": ["true"]})).await).reason,
        "Completed"
    );
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_keeps_the_old_one_running() {
    let world = World::new().await;
    let agent = world.agent("greeter", greeter()).await;
    world
        .edit::<Agent>(
            &world.api(),
            "greeter",
            json!({"spec": {"image": "pinfold.dev/no-such-image:1"}}),
        )
        .await;
    let broken = world.agent_is("greeter", "ImageError").await;
    assert_eq!(broken.status.unwrap().ready_replicas, 1);
    let address = agent.status.unwrap().address.unwrap();
    assert_eq!(ask(&world, &address).await.stdout, "hello\n");
}

#[tokio::test]
async fn a_deleted_agent_leaves_nothing() {
    let world = World::new().await;
    let mut spec = greeter();
    spec["replicas"] = json!(2);
    world.agent("greeter", spec).await;
    world.api::<PodDisruptionBudget>().get("greeter").await.unwrap();
    world
        .api::<Agent>()
        .delete("greeter", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    let left = async || {
        let by_label = ListParams::default().labels("pinfold.dev/agent=greeter");
        let mut names = names_of::<Deployment>(&world, &by_label).await;
        names.extend(names_of::<Service>(&world, &by_label).await);
        names.extend(names_of::<ServiceAccount>(&world, &by_label).await);
        names.extend(names_of::<PodDisruptionBudget>(&world, &by_label).await);
        names.extend(names_of::<Pod>(&world, &by_label).await);
        names.extend(names_of::<Secret>(&world, &ListParams::default()).await);
        names
    };
    support::wait::until_true("nothing of the agent is left", async || left().await.is_empty()).await;
}
