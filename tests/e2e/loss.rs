//! Pods that are taken away: the program ran once, its result is kept, and it is not run again.

use std::fs;

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

/// The shape of an end under cgroup v2, where running out of memory takes the sandbox's init with it.
#[tokio::test]
async fn killing_the_sandboxs_init_from_the_node_ends_the_run() {
    let world = World::new().await;
    world
        .start("killed", json!({"template": "base", "language": "bash", "code": SLOW}))
        .await;
    let run = world.reason_is("killed", "Running").await;
    let uid = world.pod_of(&run).await.uid().unwrap();
    rustix::process::kill_process(init_of(&uid), rustix::process::Signal::KILL).unwrap();
    let run = world.finished("killed").await;
    let end = end(&run);
    assert_eq!(
        (end.reason.as_str(), end.exit_code, end.signal),
        ("Failed", None, Some(9)),
        "{end:?}"
    );
    let status = run.status.clone().unwrap();
    assert_eq!(status.message.as_deref(), Some("the sandbox was killed from outside"));
    assert!(status.start_time.is_some(), "{status:?}");
    released(&world, &run).await;
}

/// The process of this machine that is the first one in the sandbox of a pod.
fn init_of(pod_uid: &str) -> rustix::process::Pid {
    let mut found = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let folder = entry.ok()?.path();
        let pid: i32 = folder.file_name()?.to_str()?.parse().ok()?;
        let groups = fs::read_to_string(folder.join("cgroup")).ok()?;
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let first = status.lines().any(|l| l.starts_with("NSpid:") && l.ends_with("\t1"));
        let name = fs::read_to_string(folder.join("comm")).ok()?;
        (groups.contains(pod_uid) && first && name.trim() == "sandboxd").then_some(pid)
    });
    let pid = found.next().expect("the sandbox's init runs on this machine");
    rustix::process::Pid::from_raw(pid).unwrap()
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
