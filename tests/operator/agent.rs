//! An agent's children and its identity.

use std::collections::BTreeMap;

use crds::{Agent, condition};
use insta::assert_yaml_snapshot;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Secret, Service},
    policy::v1::PodDisruptionBudget,
};
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use support::{Scene, dump, wait};

/// The private key that RFC 8410 shows, and its public half.
const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
const PUBLIC: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE";

async fn make_secret(scene: &Scene, name: &str, content: &str) -> Secret {
    let secret = serde_json::from_value(json!({"metadata": {"name": name}, "stringData": {"private.pem": content}}));
    scene
        .api::<Secret>()
        .create(&PostParams::default(), &secret.expect("a Secret"))
        .await
        .expect("make a Secret")
}

fn identity(agent: &Agent) -> (String, String) {
    let status = agent.status.clone().unwrap_or_default();
    let found = condition::find(&status.conditions, "IdentityReady");
    let told = found
        .map(|c| format!("{:?} {} {}", c.status, c.reason, c.message))
        .unwrap_or_default();
    (told, status.identity.map(|i| i.public_key).unwrap_or_default())
}

fn idle() -> Value {
    json!({"image": "example.test/any:1", "replicas": 0})
}

#[tokio::test]
async fn an_agent_is_a_deployment_behind_a_service_with_a_key() {
    let scene = Scene::with_tenant().await;
    let spec = json!({
        "image": "example.test/agent:1",
        "command": ["/agent"], "args": ["--greet", "$(HOME) $$"],
        "env": [
            {"name": "PLAIN", "value": "$(X)"},
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "k"}}},
        ],
        "ports": [{"name": "http", "port": 8080}, {"name": "dns", "port": 53, "protocol": "UDP"}],
        "replicas": 2,
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "128Mi"}},
        "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "startupProbe": {"exec": {"command": ["true"]}},
    });
    scene.make_agent("worker", spec).await;
    wait::until(&scene.api::<Agent>(), "worker", "both replicas exist", |a| {
        a.and_then(|a| a.status.as_ref()).is_some_and(|s| s.replicas == 2)
    })
    .await;
    scene.settle().await;
    let mut objects = dump::tenant(&scene.admin, &scene.id).await;
    objects.retain(|name, _| name.contains("worker") && !name.starts_with("Pod/"));
    assert_yaml_snapshot!("agent_objects", objects);
}

#[tokio::test]
async fn a_generated_key_is_never_replaced_without_a_word() {
    let scene = Scene::with_tenant().await;
    scene.make_agent("worker", idle()).await;
    let first = scene.agent_is("worker", "Ready").await;
    let (told, key) = identity(&first);
    assert_eq!(
        told,
        "True Generated a key was generated into the Secret pinfold-identity-worker"
    );
    assert_eq!(key.len(), 43, "{key}");
    let secrets = scene.api::<Secret>();
    let uid = secrets
        .get("pinfold-identity-worker")
        .await
        .expect("the Secret")
        .uid()
        .unwrap_or_default();

    secrets
        .delete("pinfold-identity-worker", &DeleteParams::default())
        .await
        .expect("delete the Secret");
    scene
        .patch(
            &scene.api::<Agent>(),
            "worker",
            json!({"spec": {"env": [{"name": "A", "value": "1"}]}}),
        )
        .await;
    let lost = scene.agent_is("worker", "SecretLost").await;
    assert_eq!(
        identity(&lost),
        (
            format!(
                "False SecretLost the Secret pinfold-identity-worker that held this agent's key is gone; restore it, or have a new key made by annotating the agent with pinfold.dev/replace-identity={uid}"
            ),
            key.clone(),
        )
    );
    scene.settle().await;
    assert!(
        secrets
            .get_opt("pinfold-identity-worker")
            .await
            .expect("look")
            .is_none(),
        "a key was made without a word"
    );

    let confirm = json!({"metadata": {"annotations": {"pinfold.dev/replace-identity": uid}}});
    scene.patch(&scene.api::<Agent>(), "worker", confirm).await;
    let second = scene.agent_is("worker", "Ready").await;
    let (told, new) = identity(&second);
    assert_eq!(
        told,
        "True Generated a key was generated into the Secret pinfold-identity-worker"
    );
    assert_ne!(new, key);
    scene.settle().await;
}

#[tokio::test]
async fn a_secret_of_the_reserved_name_that_is_not_ours_is_not_used() {
    let scene = Scene::with_tenant().await;
    make_secret(&scene, "pinfold-identity-worker", PEM).await;
    scene.make_agent("worker", idle()).await;
    let agent = scene.agent_is("worker", "SecretInvalid").await;
    let told = "False SecretInvalid the Secret pinfold-identity-worker belongs to something else; delete it".to_owned();
    assert_eq!(identity(&agent), (told, String::new()));
    assert!(
        scene
            .api::<Deployment>()
            .get_opt("worker")
            .await
            .expect("look")
            .is_none()
    );
}

#[tokio::test]
async fn a_key_can_be_brought() {
    let scene = Scene::with_tenant().await;
    let mut spec = idle();
    spec["identity"] = json!({"secretName": "mine"});
    scene.make_agent("worker", spec).await;
    let agent = scene.agent_is("worker", "SecretNotFound").await;
    assert_eq!(
        identity(&agent).0,
        "False SecretNotFound spec.identity.secretName: there is no Secret \"mine\" in this namespace; create it with the key private.pem"
    );
    make_secret(&scene, "mine", "not a key").await;
    let agent = scene.agent_is("worker", "SecretInvalid").await;
    assert!(
        identity(&agent)
            .0
            .starts_with("False SecretInvalid the Secret mine holds no PEM; its key private.pem must hold")
    );
    scene
        .api::<Secret>()
        .delete("mine", &DeleteParams::default())
        .await
        .expect("delete the Secret");
    make_secret(&scene, "mine", PEM).await;
    let agent = scene.agent_is("worker", "Ready").await;
    assert_eq!(
        identity(&agent),
        (
            "True Provided the key is in the Secret mine".to_owned(),
            PUBLIC.to_owned()
        )
    );
    scene.settle().await;
}

#[tokio::test]
async fn a_refused_edit_keeps_what_runs() {
    let scene = Scene::with_tenant().await;
    scene.make_agent("worker", idle()).await;
    scene.agent_is("worker", "Ready").await;
    scene.settle().await;
    let before = scene
        .api::<Deployment>()
        .get("worker")
        .await
        .expect("the Deployment")
        .resource_version();
    let edit = json!({"spec": {"image": "example.test/any:2", "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}});
    scene.patch(&scene.api::<Agent>(), "worker", edit).await;
    let agent = scene.agent_is("worker", "InvalidSpec").await;
    let status = agent.status.unwrap_or_default();
    assert_eq!(
        condition::find(&status.conditions, "Ready").map(|c| c.message.as_str()),
        Some("spec.resources.requests.cpu: 2 is more than the limit 1; lower it or raise spec.resources.limits.cpu")
    );
    scene.settle().await;
    assert_eq!(
        scene
            .api::<Deployment>()
            .get("worker")
            .await
            .expect("the Deployment")
            .resource_version(),
        before
    );
}

#[tokio::test]
async fn children_come_and_go_with_what_asks_for_them() {
    let scene = Scene::with_tenant().await;
    let agents = scene.api::<Agent>();
    scene.make_agent("worker", idle()).await;
    scene.agent_is("worker", "Ready").await;
    let there = async || {
        let service = scene.api::<Service>().get_opt("worker").await.expect("look").is_some();
        let budget = scene
            .api::<PodDisruptionBudget>()
            .get_opt("worker")
            .await
            .expect("look")
            .is_some();
        (service, budget)
    };
    assert_eq!(there().await, (false, false));
    let steps = [
        (
            json!({"spec": {"ports": [{"name": "http", "port": 80}], "replicas": 2}}),
            (true, true),
        ),
        (json!({"spec": {"replicas": 1}}), (true, false)),
        (json!({"spec": {"ports": null, "replicas": 3}}), (false, true)),
        (json!({"spec": {"replicas": 0}}), (false, false)),
    ];
    for (edit, wanted) in steps {
        scene.patch(&agents, "worker", edit.clone()).await;
        wait::until_true(&format!("{edit} is carried out"), async || there().await == wanted).await;
    }
    scene.agent_is("worker", "Ready").await;
    scene.settle().await;
}

#[tokio::test]
async fn an_agent_can_be_scaled_and_suspended() {
    let scene = Scene::with_tenant().await;
    let agents = scene.api::<Agent>();
    scene.make_agent("worker", idle()).await;
    scene.agent_is("worker", "Ready").await;
    let replicas =
        |wanted: i32| move |d: Option<&Deployment>| d.and_then(|d| d.spec.as_ref()?.replicas) == Some(wanted);
    let scale = Patch::Merge(json!({"spec": {"replicas": 3}}));
    agents
        .patch_scale("worker", &PatchParams::default(), &scale)
        .await
        .expect("scale the agent");
    wait::until(&scene.api::<Deployment>(), "worker", "it is scaled", replicas(3)).await;
    wait::until(&agents, "worker", "the replicas are counted", |a| {
        a.and_then(|a| a.status.as_ref()).is_some_and(|s| s.replicas == 3)
    })
    .await;
    let read = agents.get_scale("worker").await.expect("read the scale");
    assert_eq!(
        (
            read.spec.and_then(|s| s.replicas),
            read.status.map(|s| (s.replicas, s.selector))
        ),
        (
            Some(3),
            Some((
                3,
                Some("pinfold.dev/agent=worker,pinfold.dev/component=agent".to_owned())
            ))
        )
    );

    scene
        .patch(&agents, "worker", json!({"spec": {"suspended": true}}))
        .await;
    scene.agent_is("worker", "Suspended").await;
    wait::until(&scene.api::<Deployment>(), "worker", "it is at zero", replicas(0)).await;
    scene
        .patch(&agents, "worker", json!({"spec": {"suspended": false}}))
        .await;
    wait::until(&scene.api::<Deployment>(), "worker", "it is back", replicas(3)).await;
    let suspend = json!({"spec": {"suspended": true, "suspensionReason": "the bill is open"}});
    scene.patch(&scene.tenants(), &scene.id, suspend).await;
    let agent = scene.agent_is("worker", "TenantSuspended").await;
    wait::until(&scene.api::<Deployment>(), "worker", "it is at zero", replicas(0)).await;
    let status = agent.status.unwrap_or_default();
    assert_eq!(
        condition::find(&status.conditions, "Ready").map(|c| c.message.as_str()),
        Some("the tenant is suspended: the bill is open")
    );
    scene.settle().await;
    let children: BTreeMap<String, Value> = dump::tenant(&scene.admin, &scene.id).await;
    assert!(
        children.contains_key("Secret/pinfold-identity-worker"),
        "everything else is kept"
    );
}

async fn has_replicas(scene: &Scene, name: &str, wanted: i32) {
    let what = format!("{name} is scaled to {wanted}");
    wait::until(&scene.api::<Deployment>(), name, &what, |d| {
        d.and_then(|d| d.spec.as_ref()?.replicas) == Some(wanted)
    })
    .await;
}

/// Who is suspended can neither wait in a tenant that is not ready nor hide behind an edit that is refused or a key that
/// is gone.
#[tokio::test]
async fn suspension_reaches_every_agent_that_was_built() {
    let scene = Scene::with_tenant().await;
    let spec = json!({"image": "example.test/any:1", "replicas": 1});
    for name in ["plain", "refused", "lost"] {
        scene.make_agent(name, spec.clone()).await;
        scene.agent_is(name, "Progressing").await;
        has_replicas(&scene, name, 1).await;
    }
    let bad = json!({"spec": {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}});
    scene.patch(&scene.api::<Agent>(), "refused", bad).await;
    scene.agent_is("refused", "InvalidSpec").await;
    scene
        .api::<Secret>()
        .delete("pinfold-identity-lost", &DeleteParams::default())
        .await
        .expect("delete the Secret");
    let edit = json!({"spec": {"env": [{"name": "A", "value": "1"}]}});
    scene.patch(&scene.api::<Agent>(), "lost", edit).await;
    scene.agent_is("lost", "SecretLost").await;

    // In the same edit the tenant loses its plan, so it is not ready.
    let suspend = json!({"spec": {"plan": "golden", "suspended": true, "suspensionReason": "the bill is open"}});
    scene.patch(&scene.tenants(), &scene.id, suspend).await;
    scene.tenant_refused(&scene.id, "PlanNotFound").await;
    for name in ["plain", "refused", "lost"] {
        has_replicas(&scene, name, 0).await;
        scene.agent_is(name, "TenantSuspended").await;
    }
    scene.settle().await;

    let back = json!({"spec": {"plan": "standard", "suspended": false}});
    scene.patch(&scene.tenants(), &scene.id, back).await;
    has_replicas(&scene, "plain", 1).await;
    scene.agent_is("refused", "InvalidSpec").await;
    scene.agent_is("lost", "SecretLost").await;
    scene.settle().await;
}

#[tokio::test]
async fn an_edit_of_the_tenant_that_is_refused_changes_no_agent_that_is_built() {
    let scene = Scene::with_tenant().await;
    scene.make_agent("worker", idle()).await;
    let before = scene.agent_is("worker", "Ready").await;
    scene.settle().await;
    scene
        .patch(&scene.tenants(), &scene.id, json!({"spec": {"plan": "golden"}}))
        .await;
    let told = scene.tenant_refused(&scene.id, "PlanNotFound").await;
    scene.make_agent("late", idle()).await;
    let late = scene.agent_is("late", "TenantNotReady").await;
    let status = late.status.unwrap_or_default();
    assert_eq!(
        condition::find(&status.conditions, "Ready").map(|c| c.message.clone()),
        Some(format!("the tenant {} is not ready: PlanNotFound: {told}", scene.id))
    );
    scene.settle().await;
    let after = scene.api::<Agent>().get("worker").await.expect("the agent");
    assert_eq!(after.status, before.status);

    // It is still looked after.
    scene
        .patch(&scene.api::<Agent>(), "worker", json!({"spec": {"replicas": 1}}))
        .await;
    has_replicas(&scene, "worker", 1).await;
    scene
        .patch(&scene.tenants(), &scene.id, json!({"spec": {"plan": "standard"}}))
        .await;
    scene.agent_is("late", "Ready").await;
    scene.settle().await;
}
