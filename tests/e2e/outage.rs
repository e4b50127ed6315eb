//! What happens while no operator is there: deadlines hold, results are kept. Alone on the cluster, since it takes the
//! operator away from everybody.

#[expect(dead_code, reason = "this suite needs a part of what the other does")]
mod world;

use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{Api, ResourceExt, api::ListParams};
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
    world
        .start(
            "deleted",
            json!({"template": "base", "language": "bash", "code": "echo here; sleep 1000"}),
        )
        .await;
    let stubborn = world.reason_is("stubborn", "Running").await;
    let deleted = world.reason_is("deleted", "Running").await;
    scale(&world, 0).await;

    let pods: Api<Pod> = world.api();
    let name = world.pod_of(&deleted).await.name_any();
    pods.delete(&name, &kube::api::DeleteParams::default()).await.unwrap();
    for run in [&stubborn, &deleted] {
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
    let run = world.finished("deleted").await;
    assert_eq!(end(&run), ended("PodDeleted", None, Some(15), "here\n", ""));
}
