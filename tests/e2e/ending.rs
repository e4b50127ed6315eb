//! Runs that somebody ends, that cannot start, and what is left of them.

use crds::SandboxRun;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};
use serde_json::json;
use support::wait;

use crate::world::{World, end, ended};

const FOREVER: &str = "trap 'echo stopped; exit 0' TERM; echo started; sleep 1000 & wait";

#[tokio::test]
async fn cancel() {
    let world = World::new().await;
    world
        .start("long", json!({"template": "base", "language": "bash", "code": FOREVER}))
        .await;
    world.reason_is("long", "Running").await;
    world
        .edit::<SandboxRun>(&world.api(), "long", json!({"spec": {"cancel": true}}))
        .await;
    let run = world.finished("long").await;
    assert_eq!(end(&run), ended("Canceled", Some(0), None, "started\nstopped\n", ""));
    assert_eq!(run.status.unwrap().message.as_deref(), Some("spec.cancel was set"));
}

// The kubelet tells of a container that it cannot start at its next look at the pod, ten seconds later, if an init
// container has ended meanwhile: the start time-outs below leave room for that.

#[tokio::test]
async fn an_image_that_does_not_exist() {
    let world = World::new().await;
    let spec = json!({"image": "pinfold.dev/no-such-image:1", "command": ["true"], "startTimeoutSeconds": 25});
    world.start("missing", spec).await;
    world.reason_is("missing", "ImageError").await;
    let run = world.finished("missing").await;
    let status = run.status.clone().unwrap();
    assert_eq!((end(&run).reason.as_str(), status.start_time), ("ImageError", None));
    assert!(status.message.unwrap().contains("pinfold.dev/no-such-image:1"));
    released(&world, &run).await;
}

#[tokio::test]
async fn a_secret_that_does_not_exist() {
    let world = World::new().await;
    let spec = json!({
        "template": "base", "command": ["true"], "startTimeoutSeconds": 25,
        "env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "k"}}}],
    });
    world.start("secretless", spec).await;
    world.reason_is("secretless", "SecretNotFound").await;
    let run = world.finished("secretless").await;
    assert_eq!(end(&run).reason, "SecretNotFound");
    assert!(run.status.unwrap().message.unwrap().contains("absent"));
}

#[tokio::test]
async fn a_working_directory_that_cannot_be_made() {
    let world = World::new().await;
    let run = world
        .run(json!({"template": "base", "command": ["true"], "workdir": "/proc/nowhere"}))
        .await;
    assert_eq!(end(&run).reason, "StartError");
    assert!(run.status.unwrap().message.unwrap().contains("/proc/nowhere"));
}

#[tokio::test]
async fn time_to_live() {
    let world = World::new().await;
    world
        .start(
            "brief",
            json!({"template": "base", "command": ["true"], "ttlSecondsAfterFinished": 1}),
        )
        .await;
    let run = world.finished("brief").await;
    wait::until(&world.api::<SandboxRun>(), "brief", "the run is deleted", |r| {
        r.is_none()
    })
    .await;
    gone(&world, &run).await;
}

#[tokio::test]
async fn a_deleted_run_takes_its_pod_with_it() {
    let world = World::new().await;
    let run = world
        .start("long", json!({"template": "base", "language": "bash", "code": FOREVER}))
        .await;
    world.reason_is("long", "Running").await;
    world
        .api::<SandboxRun>()
        .delete("long", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    gone(&world, &run).await;
}

#[tokio::test]
async fn what_the_program_left_running_is_ended() {
    let world = World::new().await;
    let code = "setsid sleep 1000 & (setsid sh -c 'trap \"\" TERM; sleep 1000' &) ; echo done";
    let run = world
        .run(json!({"template": "base", "language": "bash", "code": code}))
        .await;
    assert_eq!(end(&run), ended("Completed", Some(0), None, "done\n", ""));
    let took = run.status.unwrap().duration.unwrap();
    assert!(took.trim_end_matches('s').parse::<f64>().unwrap() < 10.0, "{took}");
}

/// The pod of a finished run stays for its log, without our finalizer.
pub(crate) async fn released(world: &World, run: &SandboxRun) {
    let pods: Api<Pod> = world.api();
    let name = format!("run-{}", run.uid().unwrap());
    wait::until(&pods, &name, "the pod is released", |p| {
        p.is_none_or(|p| p.finalizers().is_empty())
    })
    .await;
}

async fn gone(world: &World, run: &SandboxRun) {
    let name = format!("run-{}", run.uid().unwrap());
    wait::until(&world.api::<Pod>(), &name, "the pod is gone", |p| p.is_none()).await;
}
