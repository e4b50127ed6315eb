//! A tenant's namespace and everything in it that keeps it apart from the others.

use k8s_openapi::api::{
    core::v1::{ConfigMap, Namespace, ResourceQuota},
    networking::v1::NetworkPolicy,
    rbac::v1::RoleBinding,
};
use fault_proxy::{Rule, Verb};
use insta::assert_yaml_snapshot;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use support::{Scene, dump, wait};

fn namespaces(scene: &Scene) -> Api<Namespace> {
    Api::all(scene.admin.clone())
}

async fn make_namespace(scene: &Scene, metadata: Value) -> Namespace {
    let object = serde_json::from_value(json!({"metadata": metadata})).expect("a namespace");
    namespaces(scene).create(&PostParams::default(), &object).await.expect("make a namespace")
}

fn owners() -> Value {
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
async fn a_tenant_is_ready_only_once_its_quota_is_enforced() {
    let scene = Scene::start().await;
    let unseen = scene.proxy.add(Rule::on(Verb::Watch, "resourcequotas").freeze_events());
    scene.make_tenant(&scene.id, json!({})).await;
    let told = scene.tenant_refused(&scene.id, "QuotaPending").await;
    assert_eq!(told, format!("the quota of namespace tenant-{} is not enforced yet", scene.id));
    scene.make_run("eager", json!({"image": "example.test/any:1"})).await;
    scene.run_is("eager", "TenantNotReady").await;
    scene.proxy.remove(unseen);
    scene.ready_tenant(&scene.id).await;
    scene.run_is("eager", "Starting").await;

    // More pods are not ready before they are enforced, either.
    let unseen = scene.proxy.add(Rule::on(Verb::Watch, "resourcequotas").freeze_events());
    scene.patch(&scene.tenants(), &scene.id, json!({"spec": {"limits": {"pods": 9}}})).await;
    scene.tenant_refused(&scene.id, "QuotaPending").await;
    scene.proxy.remove(unseen);
    scene.ready_tenant(&scene.id).await;
    let quota = scene.api::<ResourceQuota>().get("pinfold-quota").await.expect("the quota");
    let hard = quota.status.and_then(|s| s.hard).unwrap_or_default();
    assert_eq!(hard.get("pods").map(|q| q.0.as_str()), Some("9"));
    scene.settle().await;
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
    scene.patch(&namespaces(&scene), &name, json!({"metadata": {"labels": {enforce: "privileged"}}})).await;
    wait::until(&namespaces(&scene), &name, "the label is put back", |n| {
        n.is_some_and(|n| n.labels().get(enforce).is_some_and(|v| v == "restricted"))
    })
    .await;

    let policies = scene.api::<NetworkPolicy>();
    let open = json!({"spec": {"podSelector": {"matchLabels": {"nobody": "here"}}}});
    scene.patch(&policies, "pinfold-deny-all", open).await;
    wait::until(&policies, "pinfold-deny-all", "the selector is put back", |p| {
        p.and_then(|p| p.spec.as_ref()?.pod_selector.as_ref()).is_some_and(|s| s.match_labels.is_none())
    })
    .await;
    let before = policies.get("pinfold-allow-dns").await.expect("the policy").uid();
    policies.delete("pinfold-allow-dns", &DeleteParams::default()).await.expect("delete a policy");
    wait::until(&policies, "pinfold-allow-dns", "the policy is made again", |p| p.is_some_and(|p| p.uid() != before)).await;

    let bindings = scene.api::<RoleBinding>();
    let intruder = json!({"subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}]});
    scene.patch(&bindings, "pinfold-admins", intruder).await;
    wait::until(&bindings, "pinfold-admins", "the subjects are put back", |b| {
        b.and_then(|b| b.subjects.as_ref()).is_some_and(|s| s.len() == 1 && s[0].name == "alice")
    })
    .await;

    let quotas = scene.api::<ResourceQuota>();
    scene.patch(&quotas, "pinfold-quota", json!({"spec": {"hard": {"pods": "5000"}}})).await;
    scene.ready_tenant(&scene.id).await;
    wait::until(&quotas, "pinfold-quota", "the quota is put back", |q| {
        q.and_then(|q| q.status.as_ref()?.hard.as_ref()?.get("pods")).is_some_and(|pods| pods.0 == "1k")
    })
    .await;
    scene.ready_tenant(&scene.id).await;
    scene.settle().await;
    dump::assert_same("drift", &wanted, &dump::tenant(&scene.admin, &scene.id).await);
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
    assert_eq!((after.resource_version(), after.uid()), (marked.resource_version(), stranger.uid()));
    assert_eq!(scene.api::<RoleBinding>().list(&kube::api::ListParams::default()).await.expect("list").items.len(), 0);

    scene.patch(&namespaces(&scene), &namespace, json!({"metadata": {"annotations": {"pinfold.dev/tenant-uid": uid}}})).await;
    let ready = scene.ready_tenant(&scene.id).await;
    assert_eq!(ready.status.and_then(|s| s.namespace_uid), stranger.uid());
    scene.settle().await;
}

#[tokio::test]
async fn a_namespace_that_is_being_deleted_is_waited_for() {
    let scene = Scene::with_tenant().await;
    let namespace = scene.namespace();
    let held: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": "holds", "finalizers": ["example.test/hold"]}})).expect("a map");
    scene.api::<ConfigMap>().create(&PostParams::default(), &held).await.expect("make a map");
    namespaces(&scene).delete(&namespace, &DeleteParams::default()).await.expect("delete the namespace");
    let told = scene.tenant_refused(&scene.id, "NamespaceTerminating").await;
    assert_eq!(
        told,
        format!("the namespace {namespace} of an earlier tenant is still being deleted; this goes on by itself when it is gone")
    );
    let old = namespaces(&scene).get(&namespace).await.expect("the namespace").uid();
    scene.patch(&scene.api::<ConfigMap>(), "holds", json!({"metadata": {"finalizers": null}})).await;
    let ready = scene.ready_tenant(&scene.id).await;
    let new = ready.status.and_then(|s| s.namespace_uid);
    assert!(new.is_some() && new != old, "{old:?} became {new:?}");
    scene.settle().await;
}

#[tokio::test]
async fn a_retained_namespace_owes_nothing_to_its_tenant() {
    let scene = Scene::with_tenant().await;
    let owned = |objects: &std::collections::BTreeMap<String, Value>| -> Vec<String> {
        objects.iter().filter(|(_, o)| o["metadata"].get("ownerReferences").is_some()).map(|(name, _)| name.clone()).collect()
    };
    assert!(!owned(&dump::tenant(&scene.admin, &scene.id).await).is_empty());
    scene.patch(&scene.tenants(), &scene.id, json!({"spec": {"deletionPolicy": "Retain"}})).await;
    scene.ready_tenant(&scene.id).await;
    scene.settle().await;
    assert_eq!(owned(&dump::tenant(&scene.admin, &scene.id).await), Vec::<String>::new());

    scene.tenants().delete(&scene.id, &DeleteParams::background()).await.expect("delete the tenant");
    wait::until(&scene.tenants(), &scene.id, "the tenant is gone", |t| t.is_none()).await;
    scene.make_tenant(&scene.id, json!({})).await;
    scene.tenant_refused(&scene.id, "NamespaceConflict").await;
    let kept = namespaces(&scene).get(&scene.namespace()).await.expect("the namespace is kept");
    assert_eq!(kept.metadata.deletion_timestamp, None);
}

#[tokio::test]
async fn a_deleted_tenant_leaves_nothing_and_its_name_can_be_used_again() {
    let scene = Scene::with_tenant().await;
    scene.make_run("old", json!({"image": "example.test/any:1"})).await;
    scene.run_is("old", "Starting").await;
    let old = namespaces(&scene).get(&scene.namespace()).await.expect("the namespace").uid();
    scene.tenants().delete(&scene.id, &DeleteParams::background()).await.expect("delete the tenant");
    wait::until(&namespaces(&scene), &scene.namespace(), "the namespace is gone", |n| n.is_none()).await;
    assert_eq!(dump::tenant(&scene.admin, &scene.id).await, std::collections::BTreeMap::new());
    scene.make_tenant(&scene.id, json!({})).await;
    let again = scene.ready_tenant(&scene.id).await;
    assert_ne!(again.status.and_then(|s| s.namespace_uid), old);
    scene.settle().await;
    let objects = dump::tenant(&scene.admin, &scene.id).await;
    assert!(!objects.keys().any(|name| name.starts_with("SandboxRun/") || name.starts_with("Pod/")), "{objects:?}");
}

#[tokio::test]
async fn owners_that_are_taken_off_lose_their_rights() {
    let scene = Scene::start().await;
    scene.make_tenant(&scene.id, json!({"owners": owners()})).await;
    scene.ready_tenant(&scene.id).await;
    scene.patch(&scene.tenants(), &scene.id, json!({"spec": {"owners": [{"kind": "User", "name": "bob", "role": "viewer"}]}})).await;
    for gone in ["pinfold-admins", "pinfold-developers"] {
        wait::until(&scene.api::<RoleBinding>(), gone, "the binding is gone", |b| b.is_none()).await;
    }
    scene.settle().await;
    let bindings = scene.api::<RoleBinding>().list(&kube::api::ListParams::default()).await.expect("list bindings");
    let held: Vec<_> = bindings
        .items
        .iter()
        .map(|b| (b.name_any(), b.subjects.iter().flatten().map(|s| s.name.clone()).collect::<Vec<_>>()))
        .collect();
    assert_eq!(held, vec![
        ("pinfold-operator".to_owned(), vec!["pinfold-operator".to_owned()]),
        ("pinfold-viewers".to_owned(), vec!["bob".to_owned()]),
    ]);
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
        (json!({"plan": "golden"}), "PlanNotFound", "spec.plan: there is no plan \"golden\"; choose one of small, standard"),
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
    scene.patch(&scene.tenants(), &scene.id, json!({"spec": {"networkPolicy": null}})).await;
    scene.ready_tenant(&scene.id).await;
    scene.settle().await;
}

#[tokio::test]
async fn suspension_is_told_with_its_reason() {
    let scene = Scene::with_tenant().await;
    scene.patch(&scene.tenants(), &scene.id, json!({"spec": {"suspended": true, "suspensionReason": "the bill is open"}})).await;
    let suspended = |status: &'static str| {
        move |t: Option<&crds::Tenant>| {
            let found = t.and_then(|t| crds::condition::find(&t.status.as_ref()?.conditions, "Suspended"));
            found.is_some_and(|c| format!("{:?} {} {}", c.status, c.reason, c.message) == status)
        }
    };
    wait::until(&scene.tenants(), &scene.id, "it says so", suspended("True Suspended the bill is open")).await;
    scene.ready_tenant(&scene.id).await;
    scene.patch(&scene.tenants(), &scene.id, json!({"spec": {"suspended": false}})).await;
    wait::until(&scene.tenants(), &scene.id, "it says so", suspended("False Active ")).await;
    scene.settle().await;
}
