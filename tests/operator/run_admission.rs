//! What runs wait for before they get a pod, each told apart against the real API server.

use crds::{SandboxRun, SandboxTemplate};
use k8s_openapi::api::{core::v1::Namespace, node::v1::RuntimeClass};
use kube::{Api, api::PostParams};
use sandbox_protocol::Outcome;
use serde_json::{Value, json};
use support::{
    Kubelet, Scene,
    kubelet::result,
    scene::{create, pod_name},
};

use crate::run_end::program;

fn with(mut spec: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    spec
}

fn message(run: SandboxRun) -> String {
    run.status.and_then(|s| s.message).unwrap_or_default()
}

#[tokio::test]
async fn a_run_outside_of_any_tenant_waits() {
    let scene = Scene::start().await;
    let namespaces: Api<Namespace> = Api::all(scene.admin.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": scene.namespace()}})).expect("a namespace");
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .expect("make the namespace");
    scene.make_run("homeless", program()).await;
    let waiting = scene.run_is("homeless", "TenantNotReady").await;
    assert_eq!(message(waiting), "this namespace belongs to no Tenant");
}

#[tokio::test]
async fn a_run_starts_when_its_template_comes() {
    let scene = Scene::with_tenant().await;
    let run = scene
        .make_run("early", json!({"template": "mine", "command": ["true"]}))
        .await;
    let waiting = scene.run_is("early", "TemplateNotFound").await;
    assert_eq!(
        message(waiting),
        "spec.template: there is no SandboxTemplate \"mine\" in this namespace, and the built-in ones are base, node, python; the run starts when there is one"
    );
    create(
        &scene.api::<SandboxTemplate>(),
        "mine",
        json!({"image": "example.test/mine:1", "runAsUser": 4711}),
    )
    .await;
    let pod = scene.pod_of(&run).await.spec.unwrap_or_default();
    assert_eq!(pod.containers[0].image.as_deref(), Some("example.test/mine:1"));
    assert_eq!(pod.security_context.and_then(|c| c.run_as_user), Some(4711));
    scene.settle().await;
}

#[tokio::test]
async fn the_tenants_own_template_wins_over_the_built_in_one() {
    let scene = Scene::with_tenant().await;
    create(
        &scene.api::<SandboxTemplate>(),
        "python",
        json!({"image": "example.test/own:1"}),
    )
    .await;
    let built_in = scene
        .make_run("built-in", json!({"template": "base", "command": ["true"]}))
        .await;
    let image =
        |pod: k8s_openapi::api::core::v1::Pod| pod.spec.and_then(|s| s.containers[0].image.clone()).unwrap_or_default();
    assert!(image(scene.pod_of(&built_in).await).contains("sandbox-base"));
    let own = scene
        .make_run("own", json!({"template": "python", "command": ["true"]}))
        .await;
    assert_eq!(image(scene.pod_of(&own).await), "example.test/own:1");
}

#[tokio::test]
async fn a_run_waits_for_its_runtime_class_to_be_allowed_and_to_exist() {
    let scene = Scene::with_tenant().await;
    let class = format!("{}-gvisor", scene.id);
    let run = scene
        .make_run("sandboxed", with(program(), &json!({"runtimeClassName": class})))
        .await;
    let waiting = scene.run_is("sandboxed", "RuntimeClassNotAllowed").await;
    assert_eq!(
        message(waiting),
        format!("the tenant may not use the RuntimeClass \"{class}\" (allowed: none); the run starts when it may")
    );
    scene
        .patch(
            &scene.tenants(),
            &scene.id,
            json!({"spec": {"runtimeClasses": {"allowed": [class]}}}),
        )
        .await;
    let waiting = scene.run_is("sandboxed", "RuntimeClassNotFound").await;
    assert_eq!(
        message(waiting),
        format!("the RuntimeClass \"{class}\" does not exist in this cluster; the run starts when it does")
    );
    let classes: Api<RuntimeClass> = Api::all(scene.admin.clone());
    let object = serde_json::from_value(json!({"metadata": {"name": class}, "handler": "runsc"})).expect("a class");
    classes
        .create(&PostParams::default(), &object)
        .await
        .expect("make the class");
    let pod = scene.pod_of(&run).await;
    assert_eq!(pod.spec.and_then(|s| s.runtime_class_name), Some(class));
    scene.settle().await;
}

#[tokio::test]
async fn runs_beyond_the_limit_wait_for_one_to_end() {
    let scene = Scene::start().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    scene
        .make_tenant(&scene.id, json!({"plan": "small", "limits": {"concurrentRuns": 1}}))
        .await;
    scene.ready_tenant(&scene.id).await;
    let first = scene.make_run("first", program()).await;
    scene.pod_of(&first).await;
    let second = scene.make_run("second", program()).await;
    let waiting = scene.run_is("second", "ConcurrencyLimit").await;
    assert_eq!(
        message(waiting),
        "the tenant has 1 runs under way, as many as it may; the run waits for one of them to end"
    );
    kubelet.place(&scene.namespace(), &pod_name(&first)).await;
    kubelet
        .end(
            &scene.namespace(),
            &pod_name(&first),
            &result(Outcome::Exited(0), "", ""),
        )
        .await;
    scene.pod_of(&second).await;
    scene.settle().await;
}

#[tokio::test]
async fn a_full_quota_holds_runs_until_there_is_room() {
    let scene = Scene::start().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    scene.make_tenant(&scene.id, json!({"plan": "small"})).await;
    scene.ready_tenant(&scene.id).await;
    let large = with(program(), &json!({"resources": {"limits": {"cpu": "1500m"}}}));
    let first = scene.make_run("first", large.clone()).await;
    scene.pod_of(&first).await;
    let second = scene.make_run("second", large).await;
    let waiting = message(scene.run_is("second", "QuotaExceeded").await);
    assert!(
        waiting.starts_with("the tenant's quota leaves no room; the run waits: "),
        "{waiting}"
    );
    assert!(waiting.contains("exceeded quota: pinfold-quota"), "{waiting}");
    kubelet.place(&scene.namespace(), &pod_name(&first)).await;
    kubelet
        .end(
            &scene.namespace(),
            &pod_name(&first),
            &result(Outcome::Exited(0), "", ""),
        )
        .await;
    scene.pod_of(&second).await;
    scene.settle().await;
}

#[tokio::test]
async fn what_can_never_be_ends_the_run_at_once() {
    let scene = Scene::start().await;
    scene.make_tenant(&scene.id, json!({"plan": "small"})).await;
    scene.ready_tenant(&scene.id).await;
    let cases = [
        (
            "long",
            json!({"timeoutSeconds": 601}),
            "spec.timeoutSeconds: 601 s is more than the 600 s that the tenant's plan allows; make a run with less",
        ),
        (
            "large",
            json!({"resources": {"limits": {"memory": "3Gi"}}}),
            "spec.resources.limits.memory: 3Gi is more than the 2Gi that all pods of the tenant may use together; make a run with less, or mend its template",
        ),
        (
            "upside-down",
            json!({"resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "500m"}}}),
            "spec.resources.requests.cpu: 1 is more than the limit 500m; lower it or raise spec.resources.limits.cpu",
        ),
    ];
    for (name, more, wanted) in cases {
        scene.make_run(name, with(program(), &more)).await;
        let status = scene.finished(name).await.status.unwrap_or_default();
        assert_eq!(
            (status.reason.as_deref(), status.message.as_deref()),
            (Some("InvalidSpec"), Some(wanted)),
            "{name}"
        );
    }
    scene.settle().await;
}
