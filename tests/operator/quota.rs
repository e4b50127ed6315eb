//! A tenant's quotas: enforced before anything else is, and counted.

use crds::{Agent, SandboxRun, SandboxTemplate, condition::ConditionStatus};
use fault_proxy::{Rule, Verb};
use k8s_openapi::api::core::v1::{ResourceQuota, Secret};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
};
use serde_json::json;
use support::{Scene, wait};

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

/// The Secret with an agent's key is one too many: the agent says so, and goes on once there is room.
#[tokio::test]
async fn an_agent_without_room_for_its_key_says_so() {
    let scene = Scene::start().await;
    scene.make_tenant(&scene.id, json!({"plan": "small"})).await;
    scene.ready_tenant(&scene.id).await;
    let secrets: Api<Secret> = scene.api();
    for name in ["one", "two", "three"] {
        let secret: Secret = serde_json::from_value(json!({"metadata": {"name": name}})).expect("a Secret");
        assert_eq!(told(secrets.create(&PostParams::default(), &secret).await), None);
    }
    scene.make_agent("late", json!({"image": "x", "replicas": 0})).await;
    let agent = scene.agent_is("late", "QuotaExceeded").await;
    let status = agent.status.expect("a status");
    let seen: Vec<(&str, ConditionStatus, &str)> = status
        .conditions
        .iter()
        .map(|c| (c.type_.as_str(), c.status, c.reason.as_str()))
        .collect();
    let no = ConditionStatus::False;
    assert_eq!(
        seen,
        [("Ready", no, "QuotaExceeded"), ("IdentityReady", no, "QuotaExceeded")]
    );
    let message = &status.conditions[0].message;
    let wanted = "the tenant's quota leaves no room for the Secret pinfold-identity-late with this agent's key; delete a \
                  Secret, or give the tenant a plan with more of them: ";
    assert!(message.starts_with(wanted), "{message}");
    assert_eq!(status.identity, None);

    secrets
        .delete("one", &DeleteParams::default())
        .await
        .expect("delete a Secret");
    scene.agent_is("late", "Ready").await;
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
