//! Whose a namespace is: never adopted from somebody else, waited for while it goes, kept or taken along at the end.

use std::collections::BTreeMap;

use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace},
    rbac::v1::RoleBinding,
};
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::{Value, json};
use support::{Scene, dump, wait};

use crate::tenant::namespaces;

async fn make_namespace(scene: &Scene, metadata: Value) -> Namespace {
    let object = serde_json::from_value(json!({"metadata": metadata})).expect("a namespace");
    namespaces(scene)
        .create(&PostParams::default(), &object)
        .await
        .expect("make a namespace")
}

#[tokio::test]
async fn a_namespace_of_somebody_else_is_never_adopted() {
    let scene = Scene::start().await;
    let stranger = make_namespace(&scene, json!({"name": scene.namespace()})).await;
    let tenant = scene.make_tenant(&scene.id, json!({})).await;
    let uid = tenant.uid().unwrap_or_default();
    let namespace = scene.namespace();
    let wanted = format!(
        "the namespace {namespace} exists and does not belong to this Tenant; delete it, or hand it over by the annotation pinfold.dev/tenant-uid={uid} and the label app.kubernetes.io/managed-by=pinfold"
    );
    assert_eq!(scene.tenant_refused(&scene.id, "NamespaceConflict").await, wanted);

    // A namespace of an earlier tenant of the name, kept by its deletion policy, is somebody else's as well.
    let foreign = json!({"metadata": {
        "labels": {"app.kubernetes.io/managed-by": "pinfold"},
        "annotations": {"pinfold.dev/tenant-uid": "6f1c1d1e-0000-4000-8000-000000000000"},
    }});
    let marked = scene.patch(&namespaces(&scene), &namespace, foreign).await;
    scene.settle().await;
    assert_eq!(scene.tenant_refused(&scene.id, "NamespaceConflict").await, wanted);
    let after = namespaces(&scene).get(&namespace).await.expect("the namespace");
    assert_eq!(
        (after.resource_version(), after.uid()),
        (marked.resource_version(), stranger.uid())
    );
    assert_eq!(
        scene
            .api::<RoleBinding>()
            .list(&ListParams::default())
            .await
            .expect("list")
            .items
            .len(),
        0
    );

    scene
        .patch(
            &namespaces(&scene),
            &namespace,
            json!({"metadata": {"annotations": {"pinfold.dev/tenant-uid": uid}}}),
        )
        .await;
    let ready = scene.ready_tenant(&scene.id).await;
    assert_eq!(ready.status.and_then(|s| s.namespace_uid), stranger.uid());
    scene.settle().await;
}

#[tokio::test]
async fn a_namespace_that_is_being_deleted_is_waited_for() {
    let scene = Scene::with_tenant().await;
    let namespace = scene.namespace();
    let held: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "holds", "finalizers": ["example.test/hold"]}}))
            .expect("a map");
    scene
        .api::<ConfigMap>()
        .create(&PostParams::default(), &held)
        .await
        .expect("make a map");
    namespaces(&scene)
        .delete(&namespace, &DeleteParams::default())
        .await
        .expect("delete the namespace");
    let told = scene.tenant_refused(&scene.id, "NamespaceTerminating").await;
    assert_eq!(
        told,
        format!(
            "the namespace {namespace} of an earlier tenant is still being deleted; this goes on by itself when it is gone"
        )
    );
    let old = namespaces(&scene).get(&namespace).await.expect("the namespace").uid();
    scene
        .patch(
            &scene.api::<ConfigMap>(),
            "holds",
            json!({"metadata": {"finalizers": null}}),
        )
        .await;
    let ready = scene.ready_tenant(&scene.id).await;
    let new = ready.status.and_then(|s| s.namespace_uid);
    assert!(new.is_some() && new != old, "{old:?} became {new:?}");
    scene.settle().await;
}

/// Deletes a tenant and waits until nothing but its namespace can be left of it.
async fn delete_tenant(scene: &Scene) {
    scene
        .tenants()
        .delete(&scene.id, &DeleteParams::background())
        .await
        .expect("delete the tenant");
    wait::until(&scene.tenants(), &scene.id, "the tenant is gone", |t| t.is_none()).await;
}

async fn is_going(scene: &Scene) -> bool {
    let namespace = namespaces(scene).get_opt(&scene.namespace()).await.expect("look");
    namespace.is_none_or(|n| n.metadata.deletion_timestamp.is_some())
}

#[tokio::test]
async fn a_tenant_is_held_before_its_namespace_is_made() {
    let scene = Scene::with_tenant().await;
    let tenant = scene.tenants().get(&scene.id).await.expect("the tenant");
    assert_eq!(tenant.finalizers(), ["pinfold.dev/namespace"]);
    let writes = scene.proxy.writes();
    let first = |resource: &str| {
        writes
            .iter()
            .position(|w| w.request.resource == resource && w.request.subresource.is_none())
            .expect("a write")
    };
    assert!(first("tenants") < first("namespaces"), "{writes:#?}");
    // Neither the namespace nor anything in it follows the Tenant by itself.
    let owned: Vec<String> = dump::tenant(&scene.admin, &scene.id)
        .await
        .into_iter()
        .filter(|(_, o)| o["metadata"].get("ownerReferences").is_some())
        .map(|(name, _)| name)
        .collect();
    assert_eq!(owned, Vec::<String>::new());
}

#[tokio::test]
async fn a_namespace_is_retained_though_nobody_was_there_to_hear_of_it() {
    let scene = Scene::start().await;
    let owners = json!({"owners": [{"kind": "User", "name": "alice", "role": "admin"}]});
    scene.make_tenant(&scene.id, owners).await;
    scene.ready_tenant(&scene.id).await;
    scene.settle().await;
    let inside = async || {
        let mut all = dump::tenant(&scene.admin, &scene.id).await;
        all.retain(|name, _| !name.starts_with("Tenant/"));
        all
    };
    let before = inside().await;
    scene.kill_operator().await;
    let retain = json!({"spec": {"deletionPolicy": "Retain"}});
    scene.patch(&scene.tenants(), &scene.id, retain).await;
    scene
        .tenants()
        .delete(&scene.id, &DeleteParams::background())
        .await
        .expect("delete the tenant");
    scene.start_operator();
    wait::until(&scene.tenants(), &scene.id, "the tenant is gone", |t| t.is_none()).await;
    scene.settle().await;
    assert!(!is_going(&scene).await);
    dump::assert_same("retained", &before, &inside().await);

    scene.make_tenant(&scene.id, json!({})).await;
    scene.tenant_refused(&scene.id, "NamespaceConflict").await;
    // Nor does it go with a Tenant that never had it.
    delete_tenant(&scene).await;
    scene.settle().await;
    assert!(!is_going(&scene).await);
}

#[tokio::test]
async fn a_namespace_that_was_handed_on_does_not_go_with_its_first_tenant() {
    let scene = Scene::with_tenant().await;
    scene.kill_operator().await;
    let other =
        json!({"metadata": {"annotations": {"pinfold.dev/tenant-uid": "6f1c1d1e-0000-4000-8000-000000000000"}}});
    scene.patch(&namespaces(&scene), &scene.namespace(), other).await;
    scene.start_operator();
    delete_tenant(&scene).await;
    scene.settle().await;
    assert!(!is_going(&scene).await);
}

#[tokio::test]
async fn a_tenant_that_nobody_saw_going_takes_its_namespace_along() {
    let scene = Scene::with_tenant().await;
    scene.kill_operator().await;
    scene
        .tenants()
        .delete(&scene.id, &DeleteParams::background())
        .await
        .expect("delete the tenant");
    scene.start_operator();
    wait::until(&namespaces(&scene), &scene.namespace(), "the namespace is gone", |n| {
        n.is_none()
    })
    .await;
    wait::until(&scene.tenants(), &scene.id, "the tenant is gone", |t| t.is_none()).await;
    scene.settle().await;
}

#[tokio::test]
async fn a_deleted_tenant_leaves_nothing_and_its_name_can_be_used_again() {
    let scene = Scene::with_tenant().await;
    scene.make_run("old", json!({"image": "example.test/any:1"})).await;
    scene.run_is("old", "Starting").await;
    let old = namespaces(&scene)
        .get(&scene.namespace())
        .await
        .expect("the namespace")
        .uid();
    scene
        .tenants()
        .delete(&scene.id, &DeleteParams::background())
        .await
        .expect("delete the tenant");
    wait::until(&namespaces(&scene), &scene.namespace(), "the namespace is gone", |n| {
        n.is_none()
    })
    .await;
    assert_eq!(dump::tenant(&scene.admin, &scene.id).await, BTreeMap::new());
    scene.make_tenant(&scene.id, json!({})).await;
    let again = scene.ready_tenant(&scene.id).await;
    assert_ne!(again.status.and_then(|s| s.namespace_uid), old);
    scene.settle().await;
    let objects = dump::tenant(&scene.admin, &scene.id).await;
    assert!(
        !objects
            .keys()
            .any(|name| name.starts_with("SandboxRun/") || name.starts_with("Pod/")),
        "{objects:?}"
    );
}
