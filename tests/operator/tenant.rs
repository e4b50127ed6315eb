//! A tenant's namespace and everything in it that keeps it apart from the others.

use crds::{Agent, SandboxRun, SandboxTemplate};
use fault_proxy::{Rule, Verb};
use insta::assert_yaml_snapshot;
use k8s_openapi::api::{
    core::v1::{Namespace, ResourceQuota, Secret},
    networking::v1::NetworkPolicy,
    rbac::v1::RoleBinding,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use support::{Scene, dump, wait};

/// Namespaces.
pub fn namespaces(scene: &Scene) -> Api<Namespace> {
    Api::all(scene.admin.clone())
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
    assert_eq!(
        told,
        format!(
            "the quota pinfold-quota of namespace tenant-{} is not enforced yet",
            scene.id
        )
    );
    scene.make_run("eager", json!({"image": "example.test/any:1"})).await;
    scene.run_is("eager", "TenantNotReady").await;
    scene.proxy.remove(unseen);
    scene.ready_tenant(&scene.id).await;
    scene.run_is("eager", "Starting").await;

    // More pods are not ready before they are enforced, either.
    let unseen = scene.proxy.add(Rule::on(Verb::Watch, "resourcequotas").freeze_events());
    scene
        .patch(&scene.tenants(), &scene.id, json!({"spec": {"limits": {"pods": 9}}}))
        .await;
    scene.tenant_refused(&scene.id, "QuotaPending").await;
    scene.proxy.remove(unseen);
    scene.ready_tenant(&scene.id).await;
    let quota = scene
        .api::<ResourceQuota>()
        .get("pinfold-quota")
        .await
        .expect("the quota");
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
        .list(&kube::api::ListParams::default())
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

/// One who may make objects must not be able to fill the API server's store and the operator's memory with them.
#[tokio::test]
async fn objects_are_counted() {
    let scene = Scene::start().await;
    scene
        .make_tenant(&scene.id, json!({"plan": "small", "limits": {"runs": 2}}))
        .await;
    scene.ready_tenant(&scene.id).await;
    let post = PostParams::default();
    let refused = |kind: &str, answer: Option<String>| {
        let wanted = format!("exceeded quota: pinfold-counts, requested: count/{kind}=1");
        assert!(answer.as_ref().is_some_and(|told| told.contains(&wanted)), "{answer:?}");
    };
    let spec = json!({"image": "example.test/any:1"});
    for n in 0..2 {
        scene.make_run(&format!("run-{n}"), spec.clone()).await;
    }
    let run =
        json!({"apiVersion": "pinfold.dev/v1alpha1", "kind": "SandboxRun", "metadata": {"name": "more"}, "spec": spec});
    let run: SandboxRun = serde_json::from_value(run).expect("a run");
    refused("sandboxruns.pinfold.dev", told(scene.api().create(&post, &run).await));
    scene.make_agent("one", json!({"image": "x", "replicas": 0})).await;
    let agent =
        json!({"apiVersion": "pinfold.dev/v1alpha1", "kind": "Agent", "metadata": {"name": "two"}, "spec": spec});
    let agent: Agent = serde_json::from_value(agent).expect("an agent");
    refused("agents.pinfold.dev", told(scene.api().create(&post, &agent).await));
    let template = |name: &str| -> SandboxTemplate {
        let object = json!({"apiVersion": "pinfold.dev/v1alpha1", "kind": "SandboxTemplate", "metadata": {"name": name}, "spec": spec});
        serde_json::from_value(object).expect("a template")
    };
    assert_eq!(told(scene.api().create(&post, &template("one")).await), None);
    refused(
        "sandboxtemplates.pinfold.dev",
        told(scene.api().create(&post, &template("two")).await),
    );
    // The key of the agent is the first of three.
    scene.agent_is("one", "Ready").await;
    let secret =
        |name: &str| -> Secret { serde_json::from_value(json!({"metadata": {"name": name}})).expect("a Secret") };
    for name in ["two", "three"] {
        assert_eq!(told(scene.api().create(&post, &secret(name)).await), None);
    }
    refused("secrets", told(scene.api().create(&post, &secret("four")).await));

    scene
        .patch(&scene.tenants(), &scene.id, json!({"spec": {"limits": {"runs": 3}}}))
        .await;
    scene.ready_tenant(&scene.id).await;
    wait::until_true("one more run may be made", async || {
        told(scene.api().create(&post, &run).await).is_none()
    })
    .await;
    scene.settle().await;
}

/// A quota that was taken up by a controller that did not know our kinds yet refuses them all.
#[tokio::test]
async fn a_quota_that_was_not_counted_is_made_again() {
    let scene = Scene::start().await;
    // What the controller has counted is hidden from the operator.
    let unseen = scene.proxy.add(
        Rule::on_any(&[Verb::List, Verb::Watch, Verb::Get], "resourcequotas")
            .objects(|o| o["metadata"]["name"] == "pinfold-counts")
            .rewrite(|o| {
                if let Some(used) = o["status"]["used"].as_object_mut() {
                    used.remove("count/sandboxruns.pinfold.dev");
                }
            }),
    );
    scene.make_tenant(&scene.id, json!({})).await;
    let told = scene.tenant_refused(&scene.id, "QuotaPending").await;
    assert!(told.contains("is not enforced yet"), "{told}");
    let quotas = scene.api::<ResourceQuota>();
    let seen = wait::until(&quotas, "pinfold-counts", "the quota is there", |q| q.is_some()).await;
    let first = seen.expect("the quota").uid();
    wait::until(&quotas, "pinfold-counts", "the quota is made again", |q| {
        q.is_some_and(|q| q.uid() != first)
    })
    .await;
    scene.proxy.remove(unseen);
    scene.ready_tenant(&scene.id).await;
    scene.settle().await;
}

/// What somebody is told; nothing if it was done.
fn told<T>(answer: Result<T, kube::Error>) -> Option<String> {
    match answer {
        Ok(_) => None,
        Err(kube::Error::Api(status)) => Some(status.message.clone()),
        Err(error) => Some(error.to_string()),
    }
}
