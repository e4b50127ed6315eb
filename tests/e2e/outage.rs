//! What happens while no operator is there: deadlines hold, results are kept. Alone on the cluster, since it takes the
//! operator away from everybody.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

#[expect(dead_code, reason = "this suite needs a part of what the other does")]
mod world;

use crds::SandboxRun;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod, events::v1::Event};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, EvictParams, ListParams},
};
use serde_json::json;
use support::wait;

use crate::world::{World, end, ended};

async fn scale(world: &World, replicas: i32) {
    let deployments: Api<Deployment> = Api::namespaced(world.client.clone(), "pinfold-system");
    world
        .edit(
            &deployments,
            "pinfold-operator",
            json!({"spec": {"replicas": replicas}}),
        )
        .await;
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), "pinfold-system");
    let running = ListParams::default().labels("app.kubernetes.io/component=operator");
    wait::until_true("the operator has that many copies", async || {
        let list = pods.list(&running).await.unwrap();
        list.items.len() == usize::try_from(replicas).unwrap()
    })
    .await;
}

#[tokio::test]
async fn a_run_ends_at_its_deadline_and_keeps_its_result_without_an_operator() {
    let world = World::new().await;
    let stubborn = "trap '' TERM; echo started; while :; do sleep 1000; done";
    let spec = json!({"template": "base", "language": "bash", "code": stubborn, "timeoutSeconds": 3});
    world.start("stubborn", spec).await;
    let taken = json!({"template": "base", "language": "bash", "code": "echo here; sleep 1000"});
    for name in ["deleted", "evicted", "forced"] {
        world.start(name, taken.clone()).await;
    }
    let stubborn = world.reason_is("stubborn", "Running").await;
    let deleted = world.reason_is("deleted", "Running").await;
    let evicted = world.reason_is("evicted", "Running").await;
    let forced = world.reason_is("forced", "Running").await;
    let before = [&deleted, &evicted, &forced].map(|run| run.status.clone().unwrap().pod_uid.unwrap());
    scale(&world, 0).await;

    let pods: Api<Pod> = world.api();
    let name = |run: &SandboxRun| format!("run-{}", run.uid().unwrap());
    pods.delete(&name(&deleted), &DeleteParams::default()).await.unwrap();
    pods.evict(&name(&evicted), &EvictParams::default()).await.unwrap();
    pods.delete(&name(&forced), &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    for run in [&stubborn, &deleted, &evicted] {
        let over = |p: &Pod| {
            p.status
                .as_ref()
                .is_some_and(|s| matches!(s.phase.as_deref(), Some("Failed" | "Succeeded")))
        };
        wait::until(&pods, &format!("run-{}", run.uid().unwrap()), "the pod is over", |p| {
            p.is_some_and(over)
        })
        .await;
    }
    scale(&world, 2).await;

    let run = world.finished("stubborn").await;
    assert_eq!(end(&run), ended("DeadlineExceeded", None, None, "started\n", ""));
    let status = run.status.unwrap();
    let took = status
        .finish_time
        .unwrap()
        .duration_since(status.start_time.unwrap())
        .as_secs_f64();
    // SB-13: the timeout of three seconds, the grace of ten, and no more than five beyond.
    assert!((13.0..18.0).contains(&took), "{took}");
    let deleted = world.finished("deleted").await;
    assert_eq!(end(&deleted), ended("PodDeleted", None, Some(15), "here\n", ""));
    let evicted = world.finished("evicted").await;
    assert_eq!(end(&evicted), ended("Evicted", None, Some(15), "here\n", ""));
    let forced = world.finished("forced").await;
    assert_eq!(end(&forced).reason, "PodDeleted");
    // Each program was started once: the same pod from beginning to end, whose container was never started again.
    let after = [&deleted, &evicted, &forced].map(|run| run.status.clone().unwrap().pod_uid.unwrap());
    assert_eq!(after, before);
    let events: Api<Event> = world.api();
    for run in [&deleted, &evicted, &forced] {
        let started = format!("reason=Started,regarding.name={}", name(run));
        let list = events.list(&ListParams::default().fields(&started)).await.unwrap();
        let starts: i32 = list
            .iter()
            .filter(|e| e.regarding.as_ref().and_then(|r| r.field_path.as_deref()) == Some("spec.containers{sandbox}"))
            .map(|e| e.deprecated_count.unwrap_or(1))
            .sum();
        assert_eq!(starts, 1, "{list:?}");
    }
}
