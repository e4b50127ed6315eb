//! What the deletion brake holds back, and what it never does.

use k8s_openapi::api::{networking::v1::NetworkPolicy, rbac::v1::RoleBinding};
use kube::{
    Api, ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::json;
use support::{Scene, wait};

use crate::tenant::owners;

/// Makes policies that carry our label and that no spec asks for; only the platform may.
async fn make_strays(scene: &Scene, count: usize) {
    let policies: Api<NetworkPolicy> = Api::namespaced(support::cluster::client("operator").await, &scene.namespace());
    for n in 0..count {
        let stray = json!({
            "metadata": {"name": format!("stray-{n}"), "labels": {"app.kubernetes.io/managed-by": "pinfold"}},
            "spec": {"podSelector": {"matchLabels": {"nobody": "here"}}},
        });
        let stray = serde_json::from_value(stray).expect("a policy");
        policies
            .create(&PostParams::default(), &stray)
            .await
            .expect("make a policy");
    }
}

async fn strays(scene: &Scene) -> usize {
    let all = scene.api::<NetworkPolicy>().list(&ListParams::default()).await;
    let all = all.expect("list policies").items;
    all.iter().filter(|p| p.name_any().starts_with("stray-")).count()
}

#[tokio::test]
async fn what_nothing_explains_is_held_and_what_the_spec_revokes_is_not() {
    let scene = Scene::start().await;
    let network = json!({"allowedEgress": [{"cidrs": ["203.0.113.0/24"]}]});
    scene
        .make_tenant(&scene.id, json!({"owners": owners(), "networkPolicy": network}))
        .await;
    scene.ready_tenant(&scene.id).await;
    scene.settle().await;
    // Unseen, or each of them would be one deletion of its own.
    scene.kill_operator().await;
    make_strays(&scene, 4).await;
    scene.start_operator();
    assert_eq!(
        scene.tenant_refused(&scene.id, "DeletionHeld").await,
        "4 objects are no longer wanted, more than are deleted unconfirmed; to let them go, annotate this object with pinfold.dev/confirm-deletions=4"
    );

    // Four deletions as well, but each by the tenant's own spec.
    let revoke = json!({"spec": {"owners": [], "networkPolicy": null}});
    scene.patch(&scene.tenants(), &scene.id, revoke).await;
    for gone in ["pinfold-admins", "pinfold-developers", "pinfold-viewers"] {
        wait::until(&scene.api::<RoleBinding>(), gone, "the role is revoked", |b| {
            b.is_none()
        })
        .await;
    }
    let policies = scene.api::<NetworkPolicy>();
    wait::until(&policies, "pinfold-allow-egress", "the egress is closed", |p| {
        p.is_none()
    })
    .await;
    scene.tenant_refused(&scene.id, "DeletionHeld").await;
    assert_eq!(strays(&scene).await, 4);

    let confirm = |count: &str| json!({"metadata": {"annotations": {"pinfold.dev/confirm-deletions": count}}});
    scene.patch(&scene.tenants(), &scene.id, confirm("3")).await;
    scene.settle().await;
    assert_eq!(strays(&scene).await, 4, "fewer were confirmed");
    scene.patch(&scene.tenants(), &scene.id, confirm("4")).await;
    scene.ready_tenant(&scene.id).await;
    assert_eq!(strays(&scene).await, 0);
    scene.settle().await;
}

#[tokio::test]
async fn everything_that_was_granted_can_be_revoked_in_one_edit() {
    let scene = Scene::start().await;
    let network = json!({"allowedEgress": [{"cidrs": ["203.0.113.0/24"]}]});
    scene
        .make_tenant(&scene.id, json!({"owners": owners(), "networkPolicy": network}))
        .await;
    scene.ready_tenant(&scene.id).await;
    let revoke = json!({"spec": {"owners": [], "networkPolicy": null}});
    scene.patch(&scene.tenants(), &scene.id, revoke).await;
    scene.ready_tenant(&scene.id).await;
    scene.settle().await;
    let bindings = scene.api::<RoleBinding>().list(&ListParams::default()).await;
    let names: Vec<String> = bindings
        .expect("list bindings")
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    assert_eq!(names, ["pinfold-operator"]);
    let policies = scene.api::<NetworkPolicy>();
    assert!(policies.get_opt("pinfold-allow-egress").await.expect("look").is_none());
}
