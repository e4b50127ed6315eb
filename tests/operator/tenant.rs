//! A tenant's namespace and everything in it that keeps it apart from the others.

use insta::assert_yaml_snapshot;
use k8s_openapi::api::{
    core::v1::{Namespace, ResourceQuota},
    networking::v1::NetworkPolicy,
    rbac::v1::RoleBinding,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};
use support::{Scene, dump, wait};

/// Namespaces.
pub fn namespaces(scene: &Scene) -> Api<Namespace> {
    Api::all(scene.admin.clone())
}

/// Four people and groups, all three roles.
pub fn owners() -> Value {
    json!([
        {"kind": "User", "name": "carol", "role": "viewer"},
        {"kind": "User", "name": "bob"},
        {"kind": "Group", "name": "builders", "role": "developer"},
        {"kind": "User", "name": "alice", "role": "admin"},
    ])
}

#[tokio::test]
async fn a_tenant_is_a_namespace_with_everything_that_guards_it() {
    let scene = Scene::start().await;
    let spec = json!({
        "limits": {"cpu": "500m", "memory": "1024Mi", "pods": 7},
        "owners": owners(),
        "networkPolicy": {"allowedEgress": [
            {"cidrs": ["203.0.113.0/24", "10.0.0.0/8"], "ports": [{"port": 443}, {"protocol": "UDP", "port": 4000, "endPort": 4010}]},
            {"cidrs": ["2001:db8::/32"]},
        ]},
    });
    scene.make_tenant(&scene.id, spec).await;
    scene.ready_tenant(&scene.id).await;
    scene.settle().await;
    assert_yaml_snapshot!("tenant_objects", dump::tenant(&scene.admin, &scene.id).await);
}

#[tokio::test]
async fn what_others_change_is_put_back() {
    let scene = Scene::start().await;
    scene.make_tenant(&scene.id, json!({"owners": owners()})).await;
    scene.ready_tenant(&scene.id).await;
    scene.settle().await;
    let wanted = dump::tenant(&scene.admin, &scene.id).await;

    let enforce = "pod-security.kubernetes.io/enforce";
    let name = scene.namespace();
    scene
        .patch(
            &namespaces(&scene),
            &name,
            json!({"metadata": {"labels": {enforce: "privileged"}}}),
        )
        .await;
    wait::until(&namespaces(&scene), &name, "the label is put back", |n| {
        n.is_some_and(|n| n.labels().get(enforce).is_some_and(|v| v == "restricted"))
    })
    .await;

    let policies = scene.api::<NetworkPolicy>();
    let open = json!({"spec": {"podSelector": {"matchLabels": {"nobody": "here"}}}});
    scene.patch(&policies, "pinfold-deny-all", open).await;
    wait::until(&policies, "pinfold-deny-all", "the selector is put back", |p| {
        p.and_then(|p| p.spec.as_ref()?.pod_selector.as_ref())
            .is_some_and(|s| s.match_labels.is_none())
    })
    .await;
    let before = policies.get("pinfold-allow-dns").await.expect("the policy").uid();
    policies
        .delete("pinfold-allow-dns", &DeleteParams::default())
        .await
        .expect("delete a policy");
    wait::until(&policies, "pinfold-allow-dns", "the policy is made again", |p| {
        p.is_some_and(|p| p.uid() != before)
    })
    .await;

    let bindings = scene.api::<RoleBinding>();
    let intruder = json!({"subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}]});
    scene.patch(&bindings, "pinfold-admins", intruder).await;
    wait::until(&bindings, "pinfold-admins", "the subjects are put back", |b| {
        b.and_then(|b| b.subjects.as_ref())
            .is_some_and(|s| s.len() == 1 && s[0].name == "alice")
    })
    .await;

    let quotas = scene.api::<ResourceQuota>();
    scene
        .patch(&quotas, "pinfold-quota", json!({"spec": {"hard": {"pods": "5000"}}}))
        .await;
    scene.ready_tenant(&scene.id).await;
    wait::until(&quotas, "pinfold-quota", "the quota is put back", |q| {
        q.and_then(|q| q.status.as_ref()?.hard.as_ref()?.get("pods"))
            .is_some_and(|pods| pods.0 == "1k")
    })
    .await;
    scene.ready_tenant(&scene.id).await;
    scene.settle().await;
    dump::assert_same("drift", &wanted, &dump::tenant(&scene.admin, &scene.id).await);
}

#[tokio::test]
async fn owners_that_are_taken_off_lose_their_rights() {
    let scene = Scene::start().await;
    scene.make_tenant(&scene.id, json!({"owners": owners()})).await;
    scene.ready_tenant(&scene.id).await;
    scene
        .patch(
            &scene.tenants(),
            &scene.id,
            json!({"spec": {"owners": [{"kind": "User", "name": "bob", "role": "viewer"}]}}),
        )
        .await;
    for gone in ["pinfold-admins", "pinfold-developers"] {
        wait::until(&scene.api::<RoleBinding>(), gone, "the binding is gone", |b| {
            b.is_none()
        })
        .await;
    }
    scene.settle().await;
    let bindings = scene
        .api::<RoleBinding>()
        .list(&ListParams::default())
        .await
        .expect("list bindings");
    let held: Vec<_> = bindings
        .items
        .iter()
        .map(|b| {
            (
                b.name_any(),
                b.subjects.iter().flatten().map(|s| s.name.clone()).collect::<Vec<_>>(),
            )
        })
        .collect();
    assert_eq!(
        held,
        vec![
            ("pinfold-operator".to_owned(), vec!["pinfold-operator".to_owned()]),
            ("pinfold-viewers".to_owned(), vec!["bob".to_owned()]),
        ]
    );
}

#[tokio::test]
async fn a_refused_edit_leaves_what_there_is() {
    let scene = Scene::with_tenant().await;
    scene.settle().await;
    let guards = async || {
        let mut all = dump::tenant(&scene.admin, &scene.id).await;
        all.retain(|name, _| !name.starts_with("Tenant/"));
        all
    };
    let before = guards().await;
    let cases = [
        (
            json!({"plan": "golden"}),
            "PlanNotFound",
            "spec.plan: there is no plan \"golden\"; choose one of small, standard",
        ),
        (
            json!({"plan": "standard", "networkPolicy": {"allowedEgress": [{"cidrs": ["10.0.7.0/24"]}]}}),
            "InvalidSpec",
            "spec.networkPolicy.allowedEgress[0].cidrs[0]: 10.0.7.0/24 lies within 10.0.0.0/16, which the platform denies to every tenant; remove it",
        ),
        (
            json!({"networkPolicy": {"allowedEgress": [{"cidrs": ["203.0.113.0/24", "169.254.169.254/32"]}]}}),
            "InvalidSpec",
            "spec.networkPolicy.allowedEgress[0].cidrs[1]: 169.254.169.254/32 lies within 169.254.0.0/16, which the platform denies to every tenant; remove it",
        ),
    ];
    for (spec, reason, message) in cases {
        scene.patch(&scene.tenants(), &scene.id, json!({"spec": spec})).await;
        assert_eq!(scene.tenant_refused(&scene.id, reason).await, message);
        assert_eq!(guards().await, before);
    }
    scene
        .patch(&scene.tenants(), &scene.id, json!({"spec": {"networkPolicy": null}}))
        .await;
    scene.ready_tenant(&scene.id).await;
    scene.settle().await;
}

#[tokio::test]
async fn suspension_is_told_with_its_reason() {
    let scene = Scene::with_tenant().await;
    scene
        .patch(
            &scene.tenants(),
            &scene.id,
            json!({"spec": {"suspended": true, "suspensionReason": "the bill is open"}}),
        )
        .await;
    let suspended = |status: &'static str| {
        move |t: Option<&crds::Tenant>| {
            let found = t.and_then(|t| crds::condition::find(&t.status.as_ref()?.conditions, "Suspended"));
            found.is_some_and(|c| format!("{:?} {} {}", c.status, c.reason, c.message) == status)
        }
    };
    wait::until(
        &scene.tenants(),
        &scene.id,
        "it says so",
        suspended("True Suspended the bill is open"),
    )
    .await;
    scene.ready_tenant(&scene.id).await;
    scene
        .patch(&scene.tenants(), &scene.id, json!({"spec": {"suspended": false}}))
        .await;
    wait::until(&scene.tenants(), &scene.id, "it says so", suspended("False Active ")).await;
    scene.settle().await;
}
