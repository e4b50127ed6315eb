//! The API server says 403 to the creation of a pod for several things; each is told apart by what the real server says.

use fault_proxy::{Rule, Verb};
use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    core::v1::{ConfigMap, Namespace, Pod, ServiceAccount},
    node::v1::RuntimeClass,
};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use support::{
    Scene,
    scene::{pod_name, unique},
    wait,
};

use crate::run_end::program;

fn dry() -> PostParams {
    PostParams {
        dry_run: true,
        ..PostParams::default()
    }
}

fn plain_pod(spec: &Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "asked"}, "spec": spec})).expect("a pod")
}

/// What the API server says to the administrator's pod.
async fn told(client: &Client, namespace: &str, pod: &Pod) -> String {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    match pods.create(&dry(), pod).await {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

/// What the run says when the operator is told this.
async fn said_to(scene: &Scene, name: &str, answer: &str) -> (String, bool) {
    scene
        .proxy
        .add(Rule::on(Verb::Create, "pods").times(1).refuse(403, answer));
    scene.make_run(name, program()).await;
    let run = wait::until(&scene.api::<crds::SandboxRun>(), name, "the run says why", |run| {
        run.and_then(|r| r.status.as_ref()?.reason.as_deref()).is_some()
    })
    .await
    .expect("a run");
    let over = support::scene::is_finished(&run);
    let status = run.status.unwrap_or_default();
    (status.reason.unwrap_or_default(), over)
}

#[tokio::test]
async fn pod_security_is_for_good() {
    let scene = Scene::with_tenant().await;
    let violating = plain_pod(&json!({
        "automountServiceAccountToken": false,
        "serviceAccountName": "pinfold-sandbox",
        "containers": [{"name": "a", "image": "x", "securityContext": {"privileged": true}}],
    }));
    let answer = told(&scene.admin, &scene.namespace(), &violating).await;
    assert!(answer.contains("violates PodSecurity"), "{answer}");
    let (reason, over) = said_to(&scene, "violating", &answer).await;
    assert_eq!((reason.as_str(), over), ("PodSecurityViolation", true));
}

#[tokio::test]
async fn a_namespace_on_its_way_out_is_waited_for() {
    let scene = Scene::with_tenant().await;
    let namespaces: Api<Namespace> = Api::all(scene.admin.clone());
    let name = format!("leaving-{}", unique());
    let object = serde_json::from_value(json!({"metadata": {"name": name}})).expect("a namespace");
    namespaces
        .create(&PostParams::default(), &object)
        .await
        .expect("make a namespace");
    let maps: Api<ConfigMap> = Api::namespaced(scene.admin.clone(), &name);
    let hold: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "hold", "finalizers": ["example.test/hold"]}}))
            .expect("a map");
    maps.create(&PostParams::default(), &hold).await.expect("make a map");
    namespaces
        .delete(&name, &DeleteParams::default())
        .await
        .expect("delete the namespace");
    let pod = plain_pod(&json!({"containers": [{"name": "a", "image": "x"}]}));
    wait::until_true("the namespace takes no pods", async || {
        told(&scene.admin, &name, &pod).await.contains("being terminated")
    })
    .await;
    let answer = told(&scene.admin, &name, &pod).await;
    scene
        .patch(&maps, "hold", json!({"metadata": {"finalizers": null}}))
        .await;
    let (reason, over) = said_to(&scene, "leaving", &answer).await;
    assert_eq!((reason.as_str(), over), ("TenantNotReady", false));
}

#[tokio::test]
async fn a_runtime_class_that_goes_at_the_last_moment_is_waited_for() {
    let scene = Scene::with_tenant().await;
    let class = format!("{}-late", scene.id);
    scene
        .patch(
            &scene.tenants(),
            &scene.id,
            json!({"spec": {"runtimeClasses": {"allowed": [class]}}}),
        )
        .await;
    scene.ready_tenant(&scene.id).await;
    let classes: Api<RuntimeClass> = Api::all(scene.admin.clone());
    let object: RuntimeClass =
        serde_json::from_value(json!({"metadata": {"name": class}, "handler": "runsc"})).expect("a class");
    classes
        .create(&PostParams::default(), &object)
        .await
        .expect("make the class");
    let mut spec = program();
    spec["runtimeClassName"] = json!(class);
    let seen = scene.make_run("seen", spec.clone()).await;
    scene.pod_of(&seen).await;

    let frozen = scene.proxy.add(Rule::on(Verb::Watch, "runtimeclasses").freeze_events());
    classes
        .delete(&class, &DeleteParams::default())
        .await
        .expect("delete the class");
    let late = scene.make_run("late", spec).await;
    scene.run_is("late", "RuntimeClassNotFound").await;
    scene.proxy.remove(frozen);
    classes
        .create(&PostParams::default(), &object)
        .await
        .expect("make the class again");
    scene.pod_of(&late).await;
    scene.settle().await;
}

#[tokio::test]
async fn a_service_account_that_is_gone_is_waited_for() {
    let scene = Scene::with_tenant().await;
    let frozen = scene
        .proxy
        .add(Rule::on(Verb::Watch, "serviceaccounts").freeze_events());
    let accounts = scene.api::<ServiceAccount>();
    accounts
        .delete("pinfold-sandbox", &DeleteParams::default())
        .await
        .expect("delete the account");
    let answer = plain_pod(&json!({
        "automountServiceAccountToken": false,
        "serviceAccountName": "pinfold-sandbox",
        "containers": [{"name": "a", "image": "x"}],
    }));
    wait::until_true("admission misses the account", async || {
        told(&scene.admin, &scene.namespace(), &answer)
            .await
            .contains("error looking up service account")
    })
    .await;
    let run = scene.make_run("homeless", program()).await;
    scene.run_is("homeless", "TenantNotReady").await;
    scene.proxy.remove(frozen);
    scene.pod_of(&run).await;
    scene.settle().await;
}

#[tokio::test]
async fn the_refusal_of_another_policy_is_passed_on_word_by_word() {
    let scene = Scene::with_tenant().await;
    let name = format!("company-{}", scene.id);
    let policy: ValidatingAdmissionPolicy = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
            ]},
            "validations": [{"expression": "false", "message": "company/registry: images come from our registry"}],
        },
    }))
    .expect("a policy");
    let binding: ValidatingAdmissionPolicyBinding = serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": scene.namespace()}}},
        },
    }))
    .expect("a binding");
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(scene.admin.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(scene.admin.clone());
    policies
        .create(&PostParams::default(), &policy)
        .await
        .expect("make a policy");
    bindings
        .create(&PostParams::default(), &binding)
        .await
        .expect("bind the policy");
    let pod = plain_pod(&json!({
        "automountServiceAccountToken": false,
        "serviceAccountName": "pinfold-sandbox",
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "a", "image": "x",
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        }],
    }));
    wait::until_true("the policy is in force", async || {
        let pods: Api<Pod> = scene.api();
        matches!(pods.create(&dry(), &pod).await, Err(kube::Error::Api(answer)) if answer.message.contains("company/registry"))
    })
    .await;
    let run = scene.make_run("refused", program()).await;
    let status = scene.finished("refused").await.status.unwrap_or_default();
    bindings.delete(&name, &DeleteParams::default()).await.expect("tidy up");
    policies.delete(&name, &DeleteParams::default()).await.expect("tidy up");
    assert_eq!(status.reason.as_deref(), Some("PodRefused"));
    let message = status.message.unwrap_or_default();
    assert!(
        message.contains("company/registry: images come from our registry"),
        "{message}"
    );
    assert!(
        scene
            .api::<Pod>()
            .get_opt(&pod_name(&run))
            .await
            .expect("look")
            .is_none()
    );
}
