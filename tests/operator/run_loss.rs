//! A run never runs twice, whatever becomes of its pod and of the operator.

use fault_proxy::{Rule, Verb};
use insta::assert_yaml_snapshot;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use sandbox_protocol::{Outcome, ProgramEnd};
use serde_json::json;
use support::{Kubelet, Scene, kubelet::result, scene::pod_name, wait};

use crate::run_end::{program, told};

fn pods_made(scene: &Scene) -> usize {
    scene
        .proxy
        .records()
        .iter()
        .filter(|r| r.created() && r.request.resource == "pods")
        .count()
}

#[tokio::test]
async fn a_pod_deleted_while_the_operator_is_down_is_not_made_again_and_its_result_is_kept() {
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let (namespace, run) = (scene.namespace(), scene.make_run("kept", program()).await);
    scene.pod_of(&run).await;
    kubelet.place(&namespace, &pod_name(&run)).await;
    kubelet.run(&namespace, &pod_name(&run)).await;
    scene.run_is("kept", "Running").await;

    scene.kill_operator().await;
    kubelet
        .end(
            &namespace,
            &pod_name(&run),
            &result(Outcome::Exited(0), "the answer", ""),
        )
        .await;
    kubelet.remove(&namespace, &pod_name(&run)).await;
    scene.start_operator();

    let run = scene.finished("kept").await;
    assert_yaml_snapshot!("run_kept", told(&scene, &run));
    wait::until(&scene.api::<Pod>(), &pod_name(&run), "the pod is gone", |p| p.is_none()).await;
    scene.settle().await;
    assert_eq!(pods_made(&scene), 1);
}

#[tokio::test]
async fn a_pod_deleted_while_it_runs_is_told_as_such() {
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let (namespace, run) = (scene.namespace(), scene.make_run("deleted", program()).await);
    scene.pod_of(&run).await;
    kubelet.place(&namespace, &pod_name(&run)).await;
    kubelet.run(&namespace, &pod_name(&run)).await;
    scene.run_is("deleted", "Running").await;
    scene
        .api::<Pod>()
        .delete(&pod_name(&run), &DeleteParams::default())
        .await
        .expect("delete the pod");
    kubelet
        .end(&namespace, &pod_name(&run), &result(Outcome::Stopped(None), "", ""))
        .await;
    kubelet.remove(&namespace, &pod_name(&run)).await;
    let run = scene.finished("deleted").await;
    assert_yaml_snapshot!("run_pod_deleted", told(&scene, &run));
    scene.settle().await;
    assert_eq!(pods_made(&scene), 1);
}

#[tokio::test]
async fn a_pod_torn_away_with_its_finalizer_is_lost_and_not_made_again() {
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let (namespace, pods) = (scene.namespace(), scene.api::<Pod>());
    for (name, operator_is_up) in [("lost-seen", true), ("lost-unseen", false)] {
        let run = scene.make_run(name, program()).await;
        let pod = pod_name(&run);
        scene.pod_of(&run).await;
        kubelet.place(&namespace, &pod).await;
        kubelet.run(&namespace, &pod).await;
        scene.run_is(name, "Running").await;
        if !operator_is_up {
            scene.kill_operator().await;
        }
        scene
            .patch(&pods, &pod, json!({"metadata": {"finalizers": null}}))
            .await;
        kubelet.remove(&namespace, &pod).await;
        if !operator_is_up {
            scene.start_operator();
        }
    }
    let seen = scene.finished("lost-seen").await;
    let unseen = scene.finished("lost-unseen").await;
    assert_yaml_snapshot!("run_lost", [told(&scene, &seen), told(&scene, &unseen)]);
    scene.settle().await;
    assert_eq!(pods_made(&scene), 2);
}

/// A replica that takes over with an old view: in it the run is new, though its program has run and its pod is gone.
#[tokio::test]
async fn a_run_that_is_over_is_not_run_again_by_one_that_has_not_seen_it() {
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let (namespace, run) = (scene.namespace(), scene.make_run("over", program()).await);
    let pod = pod_name(&run);
    scene.pod_of(&run).await;
    kubelet.place(&namespace, &pod).await;
    kubelet
        .end(&namespace, &pod, &result(Outcome::Exited(0), "once", ""))
        .await;
    scene.finished("over").await;
    scene.released(&run).await;
    scene.kill_operator().await;
    kubelet.remove(&namespace, &pod).await;

    let version = run.metadata.resource_version.clone();
    let old = move |object: &mut serde_json::Value| {
        object["status"] = json!(null);
        object["metadata"]["resourceVersion"] = json!(version);
    };
    scene.proxy.add(Rule::on(Verb::List, "sandboxruns").rewrite(old));
    let frozen = scene.proxy.add(Rule::on(Verb::Watch, "sandboxruns").freeze_events());
    scene.start_operator();
    wait::until_true("the operator looks at the run", async || {
        let passes = scene
            .metric("pinfold_operator_reconcile_duration_seconds_count{kind=\"SandboxRun\"}")
            .await;
        passes.is_some_and(|n| n >= 1.0)
    })
    .await;
    scene.settle().await;
    scene.proxy.clear_rules();
    scene.proxy.remove(frozen);
    assert_eq!(pods_made(&scene), 1);
    let pods = scene
        .api::<Pod>()
        .list(&kube::api::ListParams::default())
        .await
        .expect("list pods");
    assert_eq!(pods.items.len(), 0, "nothing runs");
}

/// Its pod was made, but nobody saw the answer or the pod: canceling must still end the program.
#[tokio::test]
async fn a_run_canceled_before_its_pod_was_seen_ends_that_pod() {
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let frozen = scene.proxy.add(Rule::on(Verb::Watch, "pods").freeze_events());
    scene.proxy.add(Rule::on(Verb::Create, "pods").times(1).lose_reply());
    let (namespace, run) = (scene.namespace(), scene.make_run("unseen", program()).await);
    scene.pod_of(&run).await;
    kubelet.place(&namespace, &pod_name(&run)).await;
    kubelet.run(&namespace, &pod_name(&run)).await;
    scene
        .patch(
            &scene.api::<crds::SandboxRun>(),
            "unseen",
            json!({"spec": {"cancel": true}}),
        )
        .await;
    wait::until(&scene.api::<Pod>(), &pod_name(&run), "the pod is asked to end", |pod| {
        pod.is_some_and(|p| p.metadata.deletion_timestamp.is_some())
    })
    .await;
    scene.proxy.remove(frozen);
    kubelet
        .end(
            &namespace,
            &pod_name(&run),
            &result(Outcome::Stopped(Some(ProgramEnd::Signaled(15))), "", ""),
        )
        .await;
    kubelet.remove(&namespace, &pod_name(&run)).await;
    let status = scene.finished("unseen").await.status.unwrap_or_default();
    assert_eq!(
        (status.reason.as_deref(), status.signal),
        (Some("Canceled"), Some(15)),
        "{status:?}"
    );
    scene.settle().await;
    assert_eq!(pods_made(&scene), 1);
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_pod() {
    let count = if support::full() { 500 } else { 40 };
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    // Every pod is made, and the operator never hears of it the first time, in one way or the other.
    scene
        .proxy
        .add(Rule::on(Verb::Create, "pods").times(count / 2).lose_reply());
    scene
        .proxy
        .add(Rule::on(Verb::Create, "pods").times(count / 2).answer_instead(504));
    let mut runs = Vec::new();
    for n in 0..count {
        runs.push(scene.make_run(&format!("run-{n}"), program()).await);
    }
    for run in &runs {
        scene.pod_of(run).await;
        kubelet.place(&scene.namespace(), &pod_name(run)).await;
        kubelet
            .end(&scene.namespace(), &pod_name(run), &result(Outcome::Exited(0), "", ""))
            .await;
    }
    for n in 0..count {
        assert_eq!(
            scene
                .finished(&format!("run-{n}"))
                .await
                .status
                .unwrap_or_default()
                .reason
                .as_deref(),
            Some("Completed")
        );
    }
    scene.settle().await;
    assert_eq!(pods_made(&scene), count);
    let pods = scene
        .api::<Pod>()
        .list(&kube::api::ListParams::default())
        .await
        .expect("list pods");
    let mut names: Vec<_> = pods.items.iter().filter_map(|p| p.metadata.name.clone()).collect();
    names.sort();
    let mut wanted: Vec<_> = runs.iter().map(pod_name).collect();
    wanted.sort();
    assert_eq!(names, wanted, "one pod for each run, and no other");
}
