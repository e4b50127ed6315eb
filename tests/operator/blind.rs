//! OP-06 and OP-24: an operator that cannot see its own work makes none twice, and one that sees an empty world tidies
//! nothing away.

use std::time::Duration;

use crds::{Agent, SandboxRun, Tenant};
use fault_proxy::{Rule, RuleId, Verb};
use k8s_openapi::api::{core::v1::Pod, rbac::v1::RoleBinding};
use kube::api::{DeleteParams, ListParams};
use sandbox_protocol::Outcome;
use serde_json::json;
use support::{Kubelet, Scene, kubelet::result, scene::pod_name, wait};

use crate::run_end::program;

fn made(scene: &Scene, resource: &str) -> usize {
    scene
        .proxy
        .records()
        .iter()
        .filter(|r| r.created() && r.request.resource == resource)
        .count()
}

fn deleted(scene: &Scene) -> Vec<String> {
    let records = scene.proxy.records();
    records
        .iter()
        .filter(|r| r.request.verb == Verb::Delete)
        .map(|r| r.request.uri.clone())
        .collect()
}

#[tokio::test]
async fn its_own_creates_unseen_it_makes_none_twice() {
    const RUNS: usize = 8;
    let scene = Scene::with_tenant().await;
    let frozen: Vec<RuleId> = [
        "pods",
        "deployments",
        "services",
        "serviceaccounts",
        "poddisruptionbudgets",
    ]
    .map(|resource| scene.proxy.add(Rule::on(Verb::Watch, resource).freeze_events()))
    .into();
    let mut runs = Vec::new();
    for n in 0..RUNS {
        runs.push(scene.make_run(&format!("run-{n}"), program()).await);
    }
    scene
        .make_agent(
            "worker",
            json!({"image": "example.test/any:1", "replicas": 3, "ports": [{"name": "http", "port": 80}]}),
        )
        .await;
    for round in 0..10 {
        let mark = json!({"metadata": {"annotations": {"example.test/round": round.to_string()}}});
        for n in 0..RUNS {
            scene
                .patch(&scene.api::<SandboxRun>(), &format!("run-{n}"), mark.clone())
                .await;
        }
        scene.patch(&scene.api::<Agent>(), "worker", mark.clone()).await;
        scene.patch(&scene.tenants(), &scene.id, mark).await;
    }
    for n in 0..RUNS {
        scene.run_is(&format!("run-{n}"), "Starting").await;
    }
    scene.settle().await;

    // Started again, with all of this kept from its first lists as well.
    scene.kill_operator().await;
    let empty: Vec<RuleId> = ["pods", "deployments", "services"]
        .map(|r| scene.proxy.add(Rule::on(Verb::List, r).empty_list()))
        .into();
    scene.start_operator();
    wait::until_true("the operator looks at every run", async || {
        let passes = scene
            .metric("pinfold_operator_reconcile_duration_seconds_count{kind=\"SandboxRun\"}")
            .await;
        passes.is_some_and(|n| n >= f64::from(u32::try_from(RUNS).expect("a small number")))
    })
    .await;
    scene.settle().await;
    frozen
        .into_iter()
        .chain(empty)
        .for_each(|rule| scene.proxy.remove(rule));

    assert_eq!(
        (
            made(&scene, "pods"),
            made(&scene, "deployments"),
            made(&scene, "services")
        ),
        (RUNS, 1, 1)
    );
    assert_eq!(deleted(&scene), Vec::<String>::new());
    let versions = scene.recorder.versions().await;
    for run in &runs {
        let mut uids: Vec<String> = versions
            .iter()
            .filter(|v| {
                v.kind == "Pod"
                    && v.object["metadata"]["labels"]["pinfold.dev/run"]
                        == run.metadata.name.clone().unwrap_or_default()
            })
            .map(|v| v.object["metadata"]["uid"].to_string())
            .collect();
        uids.sort();
        uids.dedup();
        assert_eq!(uids.len(), 1, "{:?} had {uids:?}", run.metadata.name);
    }
}

/// A world with something of every kind in it: a tenant, an agent, a run that runs and one that is over.
async fn inhabited() -> (Scene, Kubelet) {
    let scene = Scene::start().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    scene
        .make_tenant(&scene.id, json!({"owners": [{"kind": "User", "name": "alice"}]}))
        .await;
    scene.ready_tenant(&scene.id).await;
    scene
        .make_agent(
            "worker",
            json!({"image": "example.test/any:1", "replicas": 0, "ports": [{"name": "http", "port": 80}]}),
        )
        .await;
    for name in ["running", "over"] {
        let run = scene.make_run(name, program()).await;
        scene.pod_of(&run).await;
        kubelet.place(&scene.namespace(), &pod_name(&run)).await;
        kubelet.run(&scene.namespace(), &pod_name(&run)).await;
        scene.run_is(name, "Running").await;
    }
    let over = scene.api::<SandboxRun>().get("over").await.expect("a run");
    kubelet
        .end(
            &scene.namespace(),
            &pod_name(&over),
            &result(Outcome::Exited(0), "", ""),
        )
        .await;
    scene.finished("over").await;
    scene.agent_is("worker", "Ready").await;
    scene.settle().await;
    (scene, kubelet)
}

/// The world works: the run that runs ends, and a new one starts.
async fn goes_on(scene: &Scene, kubelet: &Kubelet) {
    let running = scene.api::<SandboxRun>().get("running").await.expect("a run");
    kubelet
        .end(
            &scene.namespace(),
            &pod_name(&running),
            &result(Outcome::Exited(0), "still here", ""),
        )
        .await;
    let ended = scene.finished("running").await.status.unwrap_or_default();
    assert_eq!(ended.stdout.map(|s| s.text).as_deref(), Some("still here"));
    let next = scene.make_run("next", program()).await;
    scene.pod_of(&next).await;
    scene.settle().await;
    assert_eq!(deleted(scene), Vec::<String>::new());
    let counts = (
        scene
            .tenants()
            .list(&ListParams::default().fields(&format!("metadata.name={}", scene.id)))
            .await
            .map(|l: kube::core::ObjectList<Tenant>| l.items.len()),
        scene
            .api::<SandboxRun>()
            .list(&ListParams::default())
            .await
            .map(|l| l.items.len()),
        scene
            .api::<Agent>()
            .list(&ListParams::default())
            .await
            .map(|l| l.items.len()),
        scene
            .api::<Pod>()
            .list(&ListParams::default())
            .await
            .map(|l| l.items.len()),
    );
    assert_eq!(counts.0.expect("a list"), 1);
    assert_eq!(counts.1.expect("a list"), 3);
    assert_eq!(counts.2.expect("a list"), 1);
    assert_eq!(counts.3.expect("a list"), 3);
}

const KINDS: [(&str, &str); 4] = [
    ("tenants", "Tenant"),
    ("sandboxruns", "SandboxRun"),
    ("pods", "Pod"),
    ("agents", "Agent"),
];

#[tokio::test]
async fn an_empty_world_is_not_tidied_away() {
    let (scene, kubelet) = Box::pin(inhabited()).await;
    for (resource, kind) in KINDS {
        let asked = scene.proxy.records().len();
        let empty = scene.proxy.add(Rule::on(Verb::List, resource).empty_list());
        // The watch under way is cut in its next event, and the ones that follow send the operator to its list.
        let expired = scene.proxy.add(Rule::on(Verb::Watch, resource).expire_watch());
        let cut = scene
            .proxy
            .add(Rule::on(Verb::Watch, resource).times(1).cut_mid_frame());
        match resource {
            "tenants" => drop(scene.patch(&scene.tenants(), &scene.id, touch()).await),
            "agents" => drop(scene.patch(&scene.api::<Agent>(), "worker", touch()).await),
            "pods" => {
                let run = scene.api::<SandboxRun>().get("running").await.expect("a run");
                scene.patch(&scene.api::<Pod>(), &pod_name(&run), touch()).await;
            }
            _ => drop(scene.patch(&scene.api::<SandboxRun>(), "over", touch()).await),
        }
        wait::soon(
            "the operator lists again",
            scene.proxy.wait_for(|all| {
                all[asked..]
                    .iter()
                    .any(|r| r.request.verb == Verb::List && r.request.resource == resource && r.told == Some(200))
            }),
        )
        .await;
        let series = format!("pinfold_operator_objects{{kind=\"{kind}\"}}");
        wait::until_true("the operator believes it", async || {
            scene.metric(&series).await == Some(0.0)
        })
        .await;
        scene.settle().await;
        assert_eq!(deleted(&scene), Vec::<String>::new(), "{resource}");
        scene.proxy.remove(empty);
        scene.proxy.remove(cut);
        // Its watches keep on expiring until it has listed the truth: one that was opened after an empty list would
        // tell it of no object that is not changed.
        wait::until_true("the operator sees again", async || {
            scene.metric(&series).await.is_some_and(|n| n > 0.0)
        })
        .await;
        scene.proxy.remove(expired);
    }
    Box::pin(goes_on(&scene, &kubelet)).await;
}

fn touch() -> serde_json::Value {
    json!({"metadata": {"annotations": {"example.test/touched": "yes"}}})
}

#[tokio::test]
async fn an_operator_that_may_do_nothing_deletes_nothing_and_heals() {
    let (scene, kubelet) = Box::pin(inhabited()).await;
    let refusals: Vec<RuleId> = KINDS
        .iter()
        .map(|(resource, _)| {
            let rule = Rule::on_any(&[Verb::List, Verb::Watch, Verb::Get, Verb::Patch], resource);
            scene
                .proxy
                .add(rule.refuse(403, "the operator's rights were taken away"))
        })
        .collect();
    let cut: Vec<RuleId> = KINDS
        .iter()
        .map(|(resource, _)| {
            scene
                .proxy
                .add(Rule::on(Verb::Watch, resource).times(1).cut_mid_frame())
        })
        .collect();
    scene.patch(&scene.tenants(), &scene.id, touch()).await;
    scene.patch(&scene.api::<Agent>(), "worker", touch()).await;
    scene.patch(&scene.api::<SandboxRun>(), "over", touch()).await;
    let refused = wait::soon(
        "the operator is refused",
        scene
            .proxy
            .wait_for(|all| all.iter().filter(|r| r.told == Some(403)).count() >= 6),
    )
    .await;
    assert!(refused.iter().any(|r| r.told == Some(403)));
    scene.proxy.quiet(Duration::from_millis(700)).await;
    assert_eq!(deleted(&scene), Vec::<String>::new());
    refusals
        .into_iter()
        .chain(cut)
        .for_each(|rule| scene.proxy.remove(rule));
    Box::pin(goes_on(&scene, &kubelet)).await;
}

#[tokio::test]
async fn rights_in_one_namespace_that_are_taken_away_come_back() {
    let (scene, kubelet) = Box::pin(inhabited()).await;
    let bindings = scene.api::<RoleBinding>();
    let before = bindings
        .get("pinfold-operator")
        .await
        .expect("the binding")
        .metadata
        .uid;
    bindings
        .delete("pinfold-operator", &DeleteParams::default())
        .await
        .expect("take the rights away");
    wait::until(&bindings, "pinfold-operator", "the rights are back", |b| {
        b.is_some_and(|b| b.metadata.uid != before)
    })
    .await;
    Box::pin(goes_on(&scene, &kubelet)).await;
}
