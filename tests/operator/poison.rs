//! OP-17 and OP-18: one bad object keeps no other waiting.

use std::time::{Duration, Instant};

use crds::{Agent, SandboxRun};
use fault_proxy::{Rule, Verb};
use k8s_openapi::{
    api::events::v1::Event, apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, PostParams},
};
use serde_json::json;
use support::{Scene, wait};

use crate::run_end::program;

#[tokio::test]
async fn an_object_that_always_fails_slows_nobody_down() {
    // With the bad one as many as a tenant's quota has room for: each agent has a Secret.
    let others = if support::full() { 499 } else { 40 };
    let scene = Scene::with_tenant().await;
    let agent = json!({"image": "example.test/any:1", "replicas": 0});
    for n in 0..others {
        scene.make_agent(&format!("agent-{n}"), agent.clone()).await;
    }
    for n in 0..others {
        scene.agent_is(&format!("agent-{n}"), "Ready").await;
    }
    let before = edit_each(&scene, others, 2).await;
    scene.proxy.add(
        Rule::on(Verb::Patch, "deployments")
            .named("poison")
            .refuse(500, "poison"),
    );
    scene.make_agent("poison", agent.clone()).await;
    let beside = edit_each(&scene, others, 3).await;
    eprintln!("an edit of one of {others} to its status, median and p99: {before:?}, beside the poison {beside:?}");
    let failed = "pinfold_operator_reconcile_total{kind=\"Agent\",outcome=\"transient\"}";
    wait::until_true("the poison fails again and again", async || {
        scene.metric(failed).await.is_some_and(|n| n >= 5.0)
    })
    .await;

    let tries: Vec<Duration> = scene
        .proxy
        .writes()
        .iter()
        .filter(|r| r.request.resource == "deployments" && r.request.name.as_deref() == Some("poison"))
        .map(|r| r.at)
        .collect();
    // Each wait is at least half of a base that doubles from 250 ms; the first may be cut short by the agent's other
    // children, whose events ask for a pass.
    let waits: Vec<Duration> = tries.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    let (last, rest) = waits.split_last().expect("several tries");
    assert!(*last >= Duration::from_millis(500), "{waits:?}");
    assert!(rest.len() < 10, "{waits:?}");

    let seen = scene.api::<Agent>().get("poison").await.expect("the agent");
    assert_eq!(seen.status, None);
    scene.proxy.clear_rules();
    scene.agent_is("poison", "Ready").await;
    scene.settle().await;
}

/// Gives each of the others another image, one after the other; how long until their status told of it: median and p99.
async fn edit_each(scene: &Scene, others: usize, version: u32) -> (Duration, Duration) {
    let agents: Api<Agent> = scene.api();
    let mut took = Vec::with_capacity(others);
    for n in 0..others {
        let name = format!("agent-{n}");
        let begun = Instant::now();
        let image = json!({"spec": {"image": format!("example.test/any:{version}")}});
        scene.patch(&agents, &name, image).await;
        scene.agent_is(&name, "Ready").await;
        took.push(begun.elapsed());
    }
    took.sort();
    (took[others / 2], took[(others * 99).div_ceil(100) - 1])
}

/// Loosens the stored schema of runs for as long as it takes to write one that the types of this release cannot read,
/// as an older or a foreign release might have.
async fn write_unreadable(scene: &Scene, name: &str) {
    let definitions: Api<CustomResourceDefinition> = Api::all(scene.admin.clone());
    let definition = definitions
        .get("sandboxruns.pinfold.dev")
        .await
        .expect("the definition");
    let mut loose = definition.clone();
    let schema = loose.spec.versions[0]
        .schema
        .as_mut()
        .and_then(|s| s.open_api_v3_schema.as_mut())
        .expect("a schema");
    let spec = schema
        .properties
        .as_mut()
        .and_then(|p| p.get_mut("spec"))
        .expect("a spec");
    let timeout = spec
        .properties
        .as_mut()
        .and_then(|p| p.get_mut("timeoutSeconds"))
        .expect("the field");
    timeout.type_ = None;
    timeout.format = None;
    timeout.minimum = None;
    timeout.maximum = None;
    timeout.x_kubernetes_int_or_string = Some(true);
    let replace = async |mut wanted: CustomResourceDefinition| {
        let live = definitions
            .get("sandboxruns.pinfold.dev")
            .await
            .expect("the definition");
        wanted.metadata.resource_version = live.metadata.resource_version;
        definitions
            .replace("sandboxruns.pinfold.dev", &PostParams::default(), &wanted)
            .await
            .expect("replace the definition");
    };
    replace(loose).await;
    let resource = ApiResource::erase::<SandboxRun>(&());
    let runs: Api<DynamicObject> = Api::namespaced_with(scene.admin.clone(), &scene.namespace(), &resource);
    let mut spec = program();
    spec["timeoutSeconds"] = json!("soon");
    let object = DynamicObject::new(name, &resource).data(json!({"spec": spec}));
    // The API server takes the new schema up a moment after it has stored it.
    wait::until_true("the loose schema is in force", async || {
        runs.create(&PostParams::default(), &object).await.is_ok()
    })
    .await;
    replace(definition).await;
    let mut strict = object.clone();
    strict.metadata.name = Some(format!("{name}-again"));
    wait::until_true("the schema is in force again", async || {
        match runs.create(&PostParams::default(), &strict).await {
            Ok(made) => {
                runs.delete(&made.name_any(), &DeleteParams::default())
                    .await
                    .expect("delete the object");
                false
            }
            Err(_) => true,
        }
    })
    .await;
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_named_and_left_alone() {
    let scene = Scene::with_tenant_alone().await;
    let namespace = scene.namespace();
    write_unreadable(&scene, "foreign").await;
    let series = format!(
        "pinfold_operator_undecodable_objects{{kind=\"SandboxRun\",namespace=\"{namespace}\",name=\"foreign\"}}"
    );
    wait::until_true("a metric names it", async || scene.metric(&series).await == Some(1.0)).await;
    let events = scene.api::<Event>();
    wait::until_true("an event names it", async || {
        let list = events.list(&ListParams::default()).await.expect("list events");
        list.items.iter().any(|e| {
            e.reason.as_deref() == Some("Undecodable")
                && e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some("foreign")
        })
    })
    .await;

    // Others go on, also after a start that lists it.
    let run = scene.make_run("readable", program()).await;
    scene.pod_of(&run).await;
    scene.kill_operator().await;
    scene.start_operator();
    let run = scene.make_run("readable-too", program()).await;
    scene.pod_of(&run).await;

    let resource = ApiResource::erase::<SandboxRun>(&());
    let runs: Api<DynamicObject> = Api::namespaced_with(scene.admin.clone(), &namespace, &resource);
    runs.delete("foreign", &DeleteParams::default())
        .await
        .expect("delete the object");
    wait::until_true("the metric forgets it", async || scene.metric(&series).await.is_none()).await;
    scene.settle().await;
}
