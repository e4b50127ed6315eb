//! Pods that are taken away: the program ran once, its result is kept, and it is not run again.

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, EvictParams},
};
use serde_json::json;

use crate::{
    ending::released,
    world::{World, end, ended},
};

const SLOW: &str = "trap 'echo stopped; exit 9' TERM; echo started; sleep 1000 & wait";

#[tokio::test]
async fn deleting_the_pod_ends_the_run() {
    let world = World::new().await;
    world
        .start("taken", json!({"template": "base", "language": "bash", "code": SLOW}))
        .await;
    let run = world.reason_is("taken", "Running").await;
    let pods: Api<Pod> = world.api();
    let pod = world.pod_of(&run).await;
    pods.delete(&pod.name_any(), &DeleteParams::default()).await.unwrap();
    let run = world.finished("taken").await;
    assert_eq!(end(&run), ended("PodDeleted", Some(9), None, "started\nstopped\n", ""));
    released(&world, &run).await;
}

#[tokio::test]
async fn deleting_the_pod_by_force_still_leaves_its_result() {
    let world = World::new().await;
    world
        .start("forced", json!({"template": "base", "language": "bash", "code": SLOW}))
        .await;
    let run = world.reason_is("forced", "Running").await;
    let pods: Api<Pod> = world.api();
    let pod = world.pod_of(&run).await;
    pods.delete(&pod.name_any(), &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    let run = world.finished("forced").await;
    assert_eq!(end(&run).reason, "PodDeleted");
    let status = run.status.clone().unwrap();
    assert_eq!(status.pod_uid, pod.uid(), "the same pod from beginning to end");
    released(&world, &run).await;
}

#[tokio::test]
async fn evicting_the_pod_ends_the_run() {
    let world = World::new().await;
    world
        .start("evicted", json!({"template": "base", "language": "bash", "code": SLOW}))
        .await;
    let run = world.reason_is("evicted", "Running").await;
    let pod = world.pod_of(&run).await;
    let pods: Api<Pod> = world.api();
    pods.evict(&pod.name_any(), &EvictParams::default()).await.unwrap();
    let run = world.finished("evicted").await;
    assert_eq!(end(&run), ended("Evicted", Some(9), None, "started\nstopped\n", ""));
}
