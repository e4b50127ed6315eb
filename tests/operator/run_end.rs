//! How runs end, as their kubelet tells it.

use std::collections::BTreeMap;

use crds::SandboxRun;
use fault_proxy::{Record, Verb};
use insta::assert_yaml_snapshot;
use kube::api::DeleteParams;
use sandbox_protocol::{Outcome, ProgramEnd};
use serde_json::{Value, json};
use support::{Kubelet, Scene, dump, kubelet::result, scene::pod_name, wait};

/// A run of the least spec.
pub fn program() -> Value {
    json!({"image": "example.test/any:1", "command": ["true"]})
}

/// What a run says at its end, without identities and times.
pub fn told(scene: &Scene, run: &SandboxRun) -> Value {
    let mut value = serde_json::to_value(run).expect("a run");
    value["kind"] = json!("SandboxRun");
    dump::canonical(value, &scene.id)["status"].clone()
}

fn about_run(record: &Record) -> Option<(Verb, String)> {
    let request = &record.request;
    if !request.is_write() || !["pods", "sandboxruns"].contains(&request.resource.as_str()) {
        return None;
    }
    let subresource = request
        .subresource
        .as_ref()
        .map(|s| format!("/{s}"))
        .unwrap_or_default();
    Some((request.verb, format!("{}{subresource}", request.resource)))
}

#[tokio::test]
async fn a_run_costs_five_writes_and_tells_its_end() {
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let run = scene.make_run("answer", program()).await;
    let pod = pod_name(&run);
    let made = scene.pod_of(&run).await;
    assert_yaml_snapshot!("run_pod", {
        let mut value = serde_json::to_value(made).expect("a pod");
        value["kind"] = json!("Pod");
        dump::canonical(value, &scene.id)
    });
    kubelet.place(&scene.namespace(), &pod).await;
    kubelet.run(&scene.namespace(), &pod).await;
    scene.run_is("answer", "Running").await;
    kubelet
        .end(
            &scene.namespace(),
            &pod,
            &result(Outcome::Exited(0), "42\n", "warning\n"),
        )
        .await;
    let run = scene.finished("answer").await;
    scene.released(&run).await;
    scene.settle().await;

    assert_yaml_snapshot!("run_completed", told(&scene, &run));
    assert_eq!(run.status.and_then(|s| s.duration).as_deref(), Some("1.204s"));
    let writes: Vec<_> = scene.proxy.records().iter().filter_map(about_run).collect();
    let status = || (Verb::Patch, "sandboxruns/status".to_owned());
    assert_eq!(
        writes,
        vec![
            (Verb::Create, "pods".to_owned()),
            status(),
            status(),
            status(),
            (Verb::Patch, "pods".to_owned()),
        ]
    );
}

#[tokio::test]
async fn every_end_has_its_reason() {
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let namespace = scene.namespace();
    let ends: [(&str, Outcome); 7] = [
        ("failed", Outcome::Exited(3)),
        ("signaled", Outcome::Signaled(11)),
        ("deadline", Outcome::DeadlineExceeded),
        ("interactive", Outcome::Completed),
        (
            "not-found",
            Outcome::StartFailed {
                exit_code: 127,
                message: "no such program".into(),
            },
        ),
        ("stopped-by-somebody", Outcome::Stopped(Some(ProgramEnd::Exited(0)))),
        ("stopped-unstarted", Outcome::Stopped(None)),
    ];
    for (name, outcome) in &ends {
        let run = scene.make_run(name, program()).await;
        scene.pod_of(&run).await;
        kubelet.place(&namespace, &pod_name(&run)).await;
        kubelet
            .end(&namespace, &pod_name(&run), &result(outcome.clone(), "out", ""))
            .await;
    }
    let kubelets = [
        ("oom", 137, "OOMKilled", ""),
        ("start-error", 128, "StartError", "exec format error"),
        ("forged", 0, "Completed", "nothing that sandboxd would write"),
        ("killed", 137, "Error", ""),
    ];
    for (name, code, reason, message) in kubelets {
        let run = scene.make_run(name, program()).await;
        scene.pod_of(&run).await;
        kubelet.place(&namespace, &pod_name(&run)).await;
        kubelet.end_as(&namespace, &pod_name(&run), code, reason, message).await;
    }
    for (name, reason) in [
        ("evicted", "Evicted"),
        ("rejected", "OutOfcpu"),
        ("pod-deadline", "DeadlineExceeded"),
    ] {
        let run = scene.make_run(name, program()).await;
        scene.pod_of(&run).await;
        kubelet.place(&namespace, &pod_name(&run)).await;
        kubelet
            .fail(&namespace, &pod_name(&run), reason, "what the node says")
            .await;
    }

    let names = ends
        .iter()
        .map(|(name, _)| *name)
        .chain(kubelets.iter().map(|(name, ..)| *name));
    let mut all = BTreeMap::new();
    for name in names.chain(["evicted", "rejected", "pod-deadline"]) {
        let run = scene.finished(name).await;
        let status = run.status.unwrap_or_default();
        all.insert(name, json!({
            "reason": status.reason, "message": status.message, "exitCode": status.exit_code, "signal": status.signal,
            "stdout": status.stdout,
            "conditions": status.conditions.iter().map(|c| format!("{}={:?} {}", c.type_, c.status, c.reason)).collect::<Vec<_>>(),
        }));
    }
    assert_yaml_snapshot!("run_ends", all);
    scene.settle().await;
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_told_at_once_and_ends_the_run_in_time() {
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let (namespace, mut spec) = (scene.namespace(), program());
    spec["startTimeoutSeconds"] = json!(3);
    let run = scene.make_run("no-image", spec).await;
    scene.pod_of(&run).await;
    kubelet.place(&namespace, &pod_name(&run)).await;
    kubelet
        .hold(&namespace, &pod_name(&run), "ErrImagePull", "no such image")
        .await;
    let waiting = scene.run_is("no-image", "ImageError").await;
    assert_eq!(waiting.status.and_then(|s| s.message).as_deref(), Some("no such image"));

    wait::until(
        &scene.api::<k8s_openapi::api::core::v1::Pod>(),
        &pod_name(&run),
        "the pod is deleted",
        |p| p.is_some_and(|p| p.metadata.deletion_timestamp.is_some()),
    )
    .await;
    kubelet.fail(&namespace, &pod_name(&run), "", "").await;
    kubelet.remove(&namespace, &pod_name(&run)).await;
    let run = scene.finished("no-image").await;
    assert_yaml_snapshot!("run_image_error", told(&scene, &run));
    scene.settle().await;
}

#[tokio::test]
async fn cancel_before_the_start_makes_no_pod() {
    let scene = Scene::with_tenant().await;
    let run = scene
        .make_run("early", json!({"template": "none-such", "command": ["true"]}))
        .await;
    scene.run_is("early", "TemplateNotFound").await;
    scene
        .patch(&scene.api::<SandboxRun>(), "early", json!({"spec": {"cancel": true}}))
        .await;
    let ended = scene.finished("early").await;
    assert_yaml_snapshot!("run_canceled_early", told(&scene, &ended));
    scene.settle().await;
    assert!(
        scene
            .proxy
            .records()
            .iter()
            .all(|r| !(r.created() && r.request.resource == "pods")),
        "{}",
        pod_name(&run)
    );
}

#[tokio::test]
async fn cancel_after_the_start_ends_the_pod_with_its_grace() {
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let (namespace, run) = (scene.namespace(), scene.make_run("late", program()).await);
    scene.pod_of(&run).await;
    kubelet.place(&namespace, &pod_name(&run)).await;
    kubelet.run(&namespace, &pod_name(&run)).await;
    scene.run_is("late", "Running").await;
    scene
        .patch(&scene.api::<SandboxRun>(), "late", json!({"spec": {"cancel": true}}))
        .await;
    let pods = scene.api::<k8s_openapi::api::core::v1::Pod>();
    let pod = wait::until(&pods, &pod_name(&run), "the pod is deleted", |p| {
        p.is_some_and(|p| p.metadata.deletion_timestamp.is_some())
    })
    .await;
    assert_eq!(pod.and_then(|p| p.metadata.deletion_grace_period_seconds), Some(20));
    let stopped = result(Outcome::Stopped(Some(ProgramEnd::Signaled(15))), "half", "");
    kubelet.end(&namespace, &pod_name(&run), &stopped).await;
    kubelet.remove(&namespace, &pod_name(&run)).await;
    let ended = scene.finished("late").await;
    assert_yaml_snapshot!("run_canceled_late", told(&scene, &ended));
    wait::until(&pods, &pod_name(&run), "the pod is gone", |p| p.is_none()).await;
    scene.settle().await;
}

#[tokio::test]
async fn a_run_that_is_over_goes_when_its_time_is_up() {
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let mut spec = program();
    spec["ttlSecondsAfterFinished"] = json!(1);
    let run = scene.make_run("brief", spec).await;
    scene.pod_of(&run).await;
    kubelet.place(&scene.namespace(), &pod_name(&run)).await;
    kubelet
        .end(&scene.namespace(), &pod_name(&run), &result(Outcome::Exited(0), "", ""))
        .await;
    wait::until(&scene.api::<SandboxRun>(), "brief", "the run is gone", |r| r.is_none()).await;
    scene.settle().await;
}

#[tokio::test]
async fn a_run_that_is_deleted_lets_its_pod_go() {
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let run = scene.make_run("dropped", program()).await;
    scene.pod_of(&run).await;
    kubelet.place(&scene.namespace(), &pod_name(&run)).await;
    kubelet.run(&scene.namespace(), &pod_name(&run)).await;
    scene.run_is("dropped", "Running").await;
    scene
        .api::<SandboxRun>()
        .delete("dropped", &DeleteParams::background())
        .await
        .expect("delete the run");
    scene.released(&run).await;
    kubelet.remove(&scene.namespace(), &pod_name(&run)).await;
    let pods = scene.api::<k8s_openapi::api::core::v1::Pod>();
    wait::until(&pods, &pod_name(&run), "the pod is gone", |p| p.is_none()).await;
    scene.settle().await;
}

#[tokio::test]
async fn a_suspended_tenant_ends_its_runs_and_takes_no_new_ones() {
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let run = scene.make_run("under-way", program()).await;
    scene.pod_of(&run).await;
    kubelet.place(&scene.namespace(), &pod_name(&run)).await;
    kubelet.run(&scene.namespace(), &pod_name(&run)).await;
    scene.run_is("under-way", "Running").await;
    let suspend = json!({"spec": {"suspended": true, "suspensionReason": "the bill is open"}});
    scene.patch(&scene.tenants(), &scene.id, suspend).await;
    let pods = scene.api::<k8s_openapi::api::core::v1::Pod>();
    wait::until(&pods, &pod_name(&run), "the pod is deleted", |p| {
        p.is_some_and(|p| p.metadata.deletion_timestamp.is_some())
    })
    .await;
    kubelet
        .end(
            &scene.namespace(),
            &pod_name(&run),
            &result(Outcome::Stopped(Some(ProgramEnd::Exited(0))), "", ""),
        )
        .await;
    let ended = scene.finished("under-way").await.status.unwrap_or_default();
    assert_eq!(ended.reason.as_deref(), Some("Canceled"));
    assert_eq!(
        ended.message.as_deref(),
        Some("the tenant was suspended: the bill is open")
    );

    scene.make_run("too-late", program()).await;
    let refused = scene.finished("too-late").await.status.unwrap_or_default();
    assert_eq!(refused.reason.as_deref(), Some("TenantSuspended"));
    assert_eq!(refused.pod_name, None);
    scene.settle().await;
}
