//! User namespaces: a template that demands one gets one, and where there is none its runs wait and never run without.

use crds::{SandboxRun, SandboxTemplate};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::{Value, json};
use support::scene::create;

use crate::world::{World, end, small};

/// More ids than a run's user has: the kubelet gives every pod as many.
const IDS: u32 = 65_536;

async fn world_with_template(tenant: Value) -> World {
    let world = World::with(tenant).await;
    let template = json!({"image": "pinfold.dev/sandbox-base:dev", "hostUsers": false, "resources": small()});
    create::<SandboxTemplate>(&world.api(), "apart", template).await;
    world
}

#[tokio::test]
async fn a_template_that_demands_a_user_namespace_gets_one() {
    let world = world_with_template(json!({})).await;
    let run = world
        .run(json!({"template": "apart", "command": ["cat", "/proc/self/uid_map"]}))
        .await;
    let end = end(&run);
    assert_eq!(end.reason, "Completed", "{end:?}");
    let numbers: Vec<u32> = end.stdout.split_whitespace().map(|n| n.parse().unwrap()).collect();
    let [inside, outside, ids] = numbers[..] else {
        panic!("one range is mapped: {end:?}");
    };
    assert_eq!((inside, ids), (0, IDS));
    assert!(outside >= IDS, "no id of the node's own users: {outside}");
}

/// SB-05: the runtime behind the class makes no user namespaces.
#[tokio::test]
async fn without_a_user_namespace_it_waits_with_the_reason_and_never_runs() {
    let world = world_with_template(json!({"runtimeClasses": {"allowed": ["gvisor"]}})).await;
    let spec = json!({
        "template": "apart", "command": ["true"], "runtimeClassName": "gvisor", "startTimeoutSeconds": 8,
    });
    world.start("waits", spec).await;
    let waiting: SandboxRun = world.reason_is("waits", "UserNamespaceUnsupported").await;
    let pods = world.api::<Pod>().list(&ListParams::default()).await.unwrap().items;
    let weaker: Vec<&Pod> = pods
        .iter()
        .filter(|pod| pod.spec.as_ref().and_then(|s| s.host_users) != Some(false))
        .collect();
    assert!(weaker.is_empty(), "{weaker:?}");
    assert_eq!(waiting.status.unwrap().exit_code, None);

    let run = world.finished("waits").await;
    let end = end(&run);
    assert_eq!(
        (end.reason.as_str(), end.exit_code),
        ("UserNamespaceUnsupported", None),
        "{end:?}"
    );
    let status = run.status.unwrap();
    assert_eq!(status.start_time, None, "the program never began");
}
