//! RuntimeClasses: a run under gVisor reads a gVisor kernel, and no run is ever given a weaker runtime instead.

use crds::SandboxRun;
use k8s_openapi::api::{
    core::v1::{ConfigMap, Pod},
    node::v1::RuntimeClass,
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use support::{scene::unique, wait};

use crate::world::{World, end};

async fn pods_of(world: &World) -> usize {
    world
        .api::<Pod>()
        .list(&ListParams::default())
        .await
        .unwrap()
        .items
        .len()
}

#[tokio::test]
async fn a_run_under_gvisor_reads_a_gvisor_kernel() {
    let world = World::with(json!({"runtimeClasses": {"default": "gvisor", "allowed": ["gvisor"]}})).await;
    let run = world
        .run(json!({"template": "python", "language": "python", "code": "import platform; print(platform.release(), platform.version())"}))
        .await;
    let end = end(&run);
    assert_eq!(end.reason, "Completed", "{end:?}");
    assert!(end.stdout.contains("gvisor"), "{end:?}");
}

#[tokio::test]
async fn each_runtime_has_a_canary_of_its_own() {
    let world = World::with(json!({"runtimeClasses": {"allowed": ["gvisor"]}})).await;
    let classes: Api<RuntimeClass> = Api::all(world.client.clone());
    let handler = classes.get("gvisor").await.unwrap().handler;
    let spec = json!({"template": "base", "command": ["true"], "runtimeClassName": "gvisor"});
    world.run(spec.clone()).await;
    let maps: Api<ConfigMap> = Api::namespaced(world.client.clone(), "pinfold-system");
    let known = wait::until(
        &maps,
        "pinfold-injection",
        "gVisor's canary has shown something",
        |map| {
            map.and_then(|map| map.data.as_ref())
                .is_some_and(|data| data.contains_key(&format!("injection.{handler}")))
        },
    )
    .await
    .unwrap()
    .data
    .unwrap();
    // Both runtimes of this cluster execute from image volumes.
    assert_eq!(known["injection"], "imageVolume");
    assert_eq!(known[&format!("injection.{handler}")], "imageVolume");

    world.start("second", spec).await;
    let second = world.finished("second").await;
    assert_eq!(end(&second).reason, "Completed");
    let pod = world.pod_of(&second).await;
    assert_eq!(pod.spec.unwrap().init_containers, None);
}

#[tokio::test]
async fn a_class_that_is_absent_is_waited_for() {
    let class = format!("absent-{}", unique());
    let world = World::with(json!({"runtimeClasses": {"allowed": [class]}})).await;
    let spec = json!({"template": "base", "command": ["true"], "runtimeClassName": class});
    world.start("waits", spec).await;
    world.reason_is("waits", "RuntimeClassNotFound").await;
    assert_eq!(pods_of(&world).await, 0);

    let classes: Api<RuntimeClass> = Api::all(world.client.clone());
    let runtime: RuntimeClass =
        serde_json::from_value(json!({"metadata": {"name": class}, "handler": "runc"})).unwrap();
    classes.create(&PostParams::default(), &runtime).await.unwrap();
    let run = world.finished("waits").await;
    classes.delete(&class, &DeleteParams::default()).await.unwrap();
    assert_eq!(end(&run).reason, "Completed");
}

#[tokio::test]
async fn a_class_without_a_handler_on_the_node_is_named() {
    let class = format!("unready-{}", unique());
    let world = World::with(json!({"runtimeClasses": {"allowed": [class]}})).await;
    let classes: Api<RuntimeClass> = Api::all(world.client.clone());
    let runtime: RuntimeClass =
        serde_json::from_value(json!({"metadata": {"name": class}, "handler": "no-such-handler"})).unwrap();
    classes.create(&PostParams::default(), &runtime).await.unwrap();
    let spec = json!({"template": "base", "command": ["true"], "runtimeClassName": class, "startTimeoutSeconds": 8});
    world.start("unready", spec).await;
    world.reason_is("unready", "RuntimeNotReady").await;
    let run = world.finished("unready").await;
    classes.delete(&class, &DeleteParams::default()).await.unwrap();
    assert_eq!(end(&run).reason, "RuntimeNotReady");
    assert!(run.status.unwrap().message.unwrap().contains("no-such-handler"));
}

#[tokio::test]
async fn a_class_that_the_tenant_may_not_use_is_refused_by_name() {
    let world = World::new().await;
    let spec = json!({"template": "base", "command": ["true"], "runtimeClassName": "gvisor"});
    world.start("refused", spec).await;
    let run: SandboxRun = world.reason_is("refused", "RuntimeClassNotAllowed").await;
    assert_eq!(
        run.status.unwrap().message.as_deref(),
        Some("the tenant may not use the RuntimeClass \"gvisor\" (allowed: none); the run starts when it may")
    );
    assert_eq!(pods_of(&world).await, 0);
}
