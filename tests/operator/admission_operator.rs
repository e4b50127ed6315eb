//! SB-02: what the admission policies refuse to the operator itself: whoever takes it over has not taken the cluster.

use crds::Tenant;
use k8s_openapi::api::{
    core::v1::{Namespace, Pod},
    rbac::v1::RoleBinding,
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use support::{Scene, cluster, install, scene::pod_name, wait};

/// What the operator is told in a dry run.
fn answer<T>(answer: Result<T, kube::Error>) -> String {
    match answer {
        Ok(_) => "nothing".to_owned(),
        Err(kube::Error::Api(answer)) => answer.message.clone(),
        Err(error) => error.to_string(),
    }
}

fn dry_patch() -> PatchParams {
    PatchParams {
        dry_run: true,
        ..PatchParams::default()
    }
}

/// A namespace that is no tenant's; nothing of it is looked at by an operator.
async fn plain_namespace(scene: &Scene, name: &str) {
    let namespaces: Api<Namespace> = Api::all(scene.admin.clone());
    let object = serde_json::from_value(json!({"metadata": {"name": name}})).expect("a namespace");
    namespaces
        .create(&PostParams::default(), &object)
        .await
        .expect("make a namespace");
}

#[tokio::test]
async fn the_operator_itself_changes_nothing_of_pods_but_their_finalizers() {
    let scene = Scene::with_tenant().await;
    let run = scene.make_run("guarded", json!({"image": "example.test/any:1"})).await;
    scene.pod_of(&run).await;
    let operator = cluster::client("operator").await;
    let told = async |namespace: &str, pod: &str, change: Value| {
        let pods: Api<Pod> = Api::namespaced(operator.clone(), namespace);
        answer(pods.patch(pod, &dry_patch(), &Patch::Merge(change)).await)
    };
    let (namespace, pod) = (scene.namespace(), pod_name(&run));
    let changes = [
        json!({"metadata": {"labels": {"mine": "x"}}}),
        json!({"metadata": {"annotations": {"mine": "x"}}}),
        json!({"spec": {"containers": [{"name": "sandbox", "image": "other"}]}}),
        json!({"spec": {"activeDeadlineSeconds": 1}}),
    ];
    for change in changes {
        let wanted = "pinfold-operator/finalizer-only: the operator changes nothing of a pod but its finalizers";
        wait::until_true(&format!("{change} is refused"), async || {
            let told = told(&namespace, &pod, change.clone()).await;
            told.contains(wanted) || told.contains("is invalid")
        })
        .await;
    }
    let off = json!({"metadata": {"finalizers": null}});
    assert_eq!(told(&namespace, &pod, off.clone()).await, "nothing");

    let elsewhere = format!("plain-{}", scene.id);
    plain_namespace(&scene, &elsewhere).await;
    let pods: Api<Pod> = Api::namespaced(scene.admin.clone(), &elsewhere);
    let mut theirs = crate::admission::pod(&json!({}));
    theirs.metadata.finalizers = Some(vec!["example.test/hold".to_owned()]);
    // The namespace's service account comes a moment after it.
    wait::until_true("a pod is made", async || {
        pods.create(&PostParams::default(), &theirs).await.is_ok()
    })
    .await;
    let refusal = told(&elsewhere, "p", off).await;
    assert!(
        refusal.contains("pinfold-operator/namespace: the operator changes pods in tenants' namespaces only"),
        "{refusal}"
    );
    scene.patch(&pods, "p", json!({"metadata": {"finalizers": null}})).await;
}

#[tokio::test]
async fn the_operator_itself_binds_roles_in_tenants_namespaces_only() {
    let scene = Scene::with_tenant().await;
    let elsewhere = format!("plain-{}", scene.id);
    plain_namespace(&scene, &elsewhere).await;
    let binding = |name: &str| -> RoleBinding {
        let object = json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "pinfold-tenant-admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}],
        });
        serde_json::from_value(object).expect("a binding")
    };
    Api::<RoleBinding>::namespaced(scene.admin.clone(), &elsewhere)
        .create(&PostParams::default(), &binding("theirs"))
        .await
        .expect("make a binding");
    let operator = cluster::client("operator").await;
    let bindings = |namespace: &str| Api::<RoleBinding>::namespaced(operator.clone(), namespace);
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let wanted = "pinfold-operator-bindings/namespace: the operator writes role bindings in tenants' namespaces only";
    for namespace in [elsewhere.as_str(), "kube-system", install::SYSTEM_NAMESPACE] {
        wait::until_true(&format!("a binding in {namespace} is refused"), async || {
            answer(bindings(namespace).create(&dry, &binding("mine")).await).contains(wanted)
        })
        .await;
    }
    let more = Patch::Merge(json!({"subjects": []}));
    let told = answer(bindings(&elsewhere).patch("theirs", &dry_patch(), &more).await);
    assert!(told.contains(wanted), "{told}");
    let parameters = DeleteParams {
        dry_run: true,
        ..DeleteParams::default()
    };
    let told = answer(bindings(&elsewhere).delete("theirs", &parameters).await);
    assert!(told.contains(wanted), "{told}");
    assert_eq!(
        answer(bindings(&scene.namespace()).create(&dry, &binding("mine")).await),
        "nothing"
    );
}

#[tokio::test]
async fn the_operator_itself_makes_and_marks_tenants_namespaces_only() {
    let scene = Scene::with_tenant().await;
    let plain = format!("plain-{}", scene.id);
    let foreign = format!("tenant-foreign-{}", scene.id);
    plain_namespace(&scene, &plain).await;
    plain_namespace(&scene, &foreign).await;
    let namespaces: Api<Namespace> = Api::all(cluster::client("operator").await);
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let restricted =
        |tenant: &str| json!({"pinfold.dev/tenant": tenant, "pod-security.kubernetes.io/enforce": "restricted"});
    let create = async |name: &str, labels: Value| {
        let object = json!({"metadata": {"name": name, "labels": labels}});
        answer(
            namespaces
                .create(&dry, &serde_json::from_value(object).expect("a namespace"))
                .await,
        )
    };
    let rule = |name: &str| format!("pinfold-operator-namespaces/{name}: ");
    let fresh = format!("fresh-{}", scene.id);
    let made = [
        (fresh.clone(), restricted(&fresh), "name"),
        (format!("tenant-{fresh}"), restricted("another"), "name"),
        (
            format!("tenant-{fresh}"),
            json!({"pod-security.kubernetes.io/enforce": "restricted"}),
            "name",
        ),
        (
            format!("tenant-{fresh}"),
            json!({"pinfold.dev/tenant": fresh}),
            "pod-security",
        ),
    ];
    for (name, labels, wanted) in made {
        wait::until_true(&format!("{name} with {labels} is refused by {wanted}"), async || {
            create(&name, labels.clone()).await.contains(&rule(wanted))
        })
        .await;
    }
    assert_eq!(create(&format!("tenant-{fresh}"), restricted(&fresh)).await, "nothing");

    let mark = |labels: Value| json!({"metadata": {"labels": labels}});
    let changed = [
        ("kube-system".to_owned(), mark(restricted("kube-system")), "name"),
        (plain.clone(), mark(restricted(&plain)), "name"),
        (
            foreign.clone(),
            mark(restricted(&format!("foreign-{}", scene.id))),
            "foreign",
        ),
        (scene.namespace(), mark(json!({"pinfold.dev/tenant": null})), "name"),
        (
            scene.namespace(),
            mark(json!({"pod-security.kubernetes.io/enforce": "privileged"})),
            "pod-security",
        ),
    ];
    for (name, change, wanted) in changed {
        let told = answer(
            namespaces
                .patch(&name, &dry_patch(), &Patch::Merge(change.clone()))
                .await,
        );
        assert!(told.contains(&rule(wanted)), "{name} {change}: {told}");
    }
    let parameters = DeleteParams {
        dry_run: true,
        ..DeleteParams::default()
    };
    let deleted = [
        (install::SYSTEM_NAMESPACE.to_owned(), rule("name")),
        (plain, rule("name")),
        (foreign, rule("name")),
        (scene.namespace(), "nothing".to_owned()),
    ];
    for (name, wanted) in deleted {
        let told = answer(namespaces.delete(&name, &parameters).await);
        assert!(told.contains(&wanted), "delete {name}: {told}");
    }
    let nothing_new = mark(json!({"pinfold.dev/tenant": scene.id}));
    let told = answer(
        namespaces
            .patch(&scene.namespace(), &dry_patch(), &Patch::Merge(nothing_new))
            .await,
    );
    assert_eq!(told, "nothing");
}

#[tokio::test]
async fn the_operator_itself_changes_nothing_of_tenants_but_its_finalizer() {
    let scene = Scene::with_tenant().await;
    let tenants: Api<Tenant> = Api::all(cluster::client("operator").await);
    let told = async |change: &Value| {
        answer(
            tenants
                .patch(&scene.id, &dry_patch(), &Patch::Merge(change.clone()))
                .await,
        )
    };
    let wanted = "pinfold-operator-tenants/finalizer-only: ";
    let changes = [
        json!({"spec": {"deletionPolicy": "Retain"}}),
        json!({"spec": {"owners": [{"kind": "User", "name": "mallory", "role": "admin"}]}}),
        json!({"metadata": {"labels": {"mine": "x"}}}),
        json!({"metadata": {"annotations": {"mine": "x"}}}),
        json!({"metadata": {"finalizers": ["pinfold.dev/namespace", "example.test/hold"]}}),
        json!({"metadata": {"ownerReferences": [
            {"apiVersion": "v1", "kind": "Namespace", "name": "gone", "uid": "6f1c1d1e-0000-4000-8000-000000000000"},
        ]}}),
    ];
    for change in &changes {
        wait::until_true(&format!("{change} is refused"), async || {
            told(change).await.contains(wanted)
        })
        .await;
    }
    assert_eq!(told(&json!({"metadata": {"finalizers": null}})).await, "nothing");
}
