//! OP-10 and OP-12: operators that go in order, and operators that come back to a world that is settled.

use std::time::{Duration, Instant};

use fault_proxy::{Rule, Verb};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use rustix::process::Signal;
use sandbox_protocol::Outcome;
use serde_json::json;
use support::{
    Kubelet, OperatorProcess, Scene, install::SYSTEM_NAMESPACE, kubelet::result, operator::Settings, scene::pod_name,
    wait,
};

use crate::run_end::program;

const TERM: u32 = 2;

/// An operator with short terms that holds its lease.
async fn leader(scene: &Scene) -> OperatorProcess {
    let leases: Api<Lease> = Api::namespaced(scene.admin.clone(), SYSTEM_NAMESPACE);
    let settings = Settings {
        lease_seconds: TERM,
        ..scene.settings()
    };
    let leader = OperatorProcess::start(&settings);
    holder_is(&leases, &settings.lease, &settings.identity).await;
    leader
}

/// What it has written, leases apart.
fn written(scene: &Scene) -> usize {
    let writes = scene.proxy.writes();
    writes.iter().filter(|w| w.request.resource != "leases").count()
}

/// Its lease cannot be renewed: it ends with its term, by itself, and writes nothing more.
async fn ends_with_its_term(scene: &Scene, mut leader: OperatorProcess) {
    let ended = wait::soon("the operator ends", leader.ended()).await;
    assert!(!ended.success(), "{ended}");
    let before = written(scene);
    scene.make_tenant(&scene.id, json!({})).await;
    scene.proxy.quiet(Duration::from_millis(500)).await;
    assert_eq!(written(scene), before);
}

#[tokio::test]
async fn one_whose_lease_is_refused_ends_with_its_term() {
    let scene = Scene::without_operator().await;
    let leader = leader(&scene).await;
    scene
        .proxy
        .add(Rule::on_any(&[Verb::Update, Verb::Patch], "leases").refuse(503, "away"));
    ends_with_its_term(&scene, leader).await;
}

#[tokio::test]
async fn one_whose_renewal_hangs_ends_with_its_term() {
    let scene = Scene::without_operator().await;
    let leader = leader(&scene).await;
    let asked = Instant::now();
    scene
        .proxy
        .add(Rule::on_any(&[], "leases").delay(Duration::from_mins(1)));
    ends_with_its_term(&scene, leader).await;
    // The promise of the term, with room for a busy machine, and far from the deadline of a call.
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn one_that_slept_through_its_term_wakes_up_to_end() {
    let scene = Scene::without_operator().await;
    let leader = leader(&scene).await;
    scene.make_tenant(&format!("{}-asleep", scene.id), json!({})).await;
    scene.ready_tenant(&format!("{}-asleep", scene.id)).await;
    leader.signal(Signal::STOP);
    // Its term passes by the lease itself: nobody renews it.
    let leases: Api<Lease> = Api::namespaced(scene.admin.clone(), SYSTEM_NAMESPACE);
    let name = scene.settings().lease;
    wait::until_true("the term is over", async || {
        let lease = leases.get(&name).await.expect("the lease");
        let renewed = lease.spec.and_then(|s| s.renew_time).expect("a time").0;
        jiff::Timestamp::now().duration_since(renewed).as_secs() > i64::from(TERM)
    })
    .await;
    let before = written(&scene);
    scene
        .patch(
            &scene.tenants(),
            &format!("{}-asleep", scene.id),
            json!({"spec": {"limits": {"pods": 7}}}),
        )
        .await;
    leader.signal(Signal::CONT);
    let mut leader = leader;
    let ended = wait::soon("the operator ends", leader.ended()).await;
    assert!(!ended.success(), "{ended}");
    assert_eq!(written(&scene), before, "nothing is written by one that lost its lease");
}

async fn holder_is(leases: &Api<Lease>, name: &str, holder: &str) {
    let what = format!("the lease is held by {holder:?}");
    wait::until(leases, name, &what, |lease| {
        let held = lease
            .and_then(|l| l.spec.as_ref()?.holder_identity.as_deref())
            .unwrap_or_default();
        held == holder
    })
    .await;
}

#[tokio::test]
async fn asked_to_stop_in_the_middle_of_a_pass_it_hands_over_and_leaves_nothing_half() {
    let scene = Scene::without_operator().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    let leases: Api<Lease> = Api::namespaced(scene.admin.clone(), SYSTEM_NAMESPACE);
    // The lease is given back and not run out, so its term is long enough for a busy machine.
    let first = scene.settings();
    let second = Settings {
        identity: format!("{}-1", scene.id),
        ..first.clone()
    };
    let leader = OperatorProcess::start(&first);
    holder_is(&leases, &first.lease, &first.identity).await;
    let _standby = OperatorProcess::start(&second);
    scene.make_tenant(&scene.id, json!({})).await;
    scene.ready_tenant(&scene.id).await;

    scene.proxy.add(
        Rule::on(Verb::Create, "pods")
            .times(1)
            .delay(Duration::from_millis(1500)),
    );
    let run = scene.make_run("handed-over", program()).await;
    wait::soon(
        "the pod is asked for",
        scene.proxy.wait_for(|all| {
            all.iter()
                .any(|r| r.request.verb == Verb::Create && r.request.resource == "pods")
        }),
    )
    .await;
    let asked = Instant::now();
    let status = leader.terminate().await;
    let took = asked.elapsed();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    holder_is(&leases, &second.lease, &second.identity).await;
    let over = asked.elapsed().saturating_sub(took);
    eprintln!("ended after {took:?}, handed over {over:?} later");

    scene.pod_of(&run).await;
    kubelet.place(&scene.namespace(), &pod_name(&run)).await;
    kubelet
        .end(&scene.namespace(), &pod_name(&run), &result(Outcome::Exited(0), "", ""))
        .await;
    let run = scene.finished("handed-over").await;
    assert_eq!(run.status.and_then(|s| s.reason).as_deref(), Some("Completed"));
    scene.settle().await;
    let made = scene
        .proxy
        .records()
        .iter()
        .filter(|r| r.created() && r.request.resource == "pods")
        .count();
    assert_eq!(made, 1);
}

#[tokio::test]
async fn back_in_a_settled_world_it_writes_nothing() {
    let (objects, restarts) = if support::full() { (500, 10) } else { (60, 3) };
    let agents = objects / 6;
    let runs = objects - agents;
    let scene = Scene::with_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    for n in 0..agents {
        scene
            .make_agent(
                &format!("agent-{n}"),
                json!({"image": "example.test/any:1", "suspended": n % 2 == 0, "replicas": 0}),
            )
            .await;
    }
    let mut made = Vec::new();
    // The last of many is started minutes after it was made.
    let mut patient = program();
    patient["startTimeoutSeconds"] = json!(3600);
    for n in 0..runs {
        made.push(scene.make_run(&format!("run-{n}"), patient.clone()).await);
    }
    for (n, run) in made.iter().enumerate() {
        scene.pod_of(run).await;
        kubelet.place(&scene.namespace(), &pod_name(run)).await;
        if n % 5 == 0 {
            kubelet.run(&scene.namespace(), &pod_name(run)).await;
            scene.run_is(&format!("run-{n}"), "Running").await;
        } else {
            kubelet
                .end(&scene.namespace(), &pod_name(run), &result(Outcome::Exited(0), "", ""))
                .await;
        }
    }
    for n in 0..runs {
        if n % 5 != 0 {
            scene.finished(&format!("run-{n}")).await;
        }
    }
    for (n, run) in made.iter().enumerate() {
        if n % 5 != 0 {
            scene.released(run).await;
        }
    }
    for n in 0..agents {
        scene
            .agent_is(&format!("agent-{n}"), if n % 2 == 0 { "Suspended" } else { "Ready" })
            .await;
    }
    scene.settle().await;

    let settled = scene.proxy.writes().len();
    for _ in 0..restarts {
        scene.kill_operator().await;
        scene.start_operator();
        for (kind, wanted) in [("SandboxRun", runs), ("Agent", agents), ("Tenant", 1)] {
            let series = format!("pinfold_operator_reconcile_total{{kind=\"{kind}\",outcome=\"settled\"}}");
            let looked_at = async || {
                scene
                    .metric(&series)
                    .await
                    .is_some_and(|passes| passes >= f64::from(wanted))
            };
            wait::until_true(&format!("the operator looks at every {kind}"), looked_at).await;
        }
        let writes = scene.proxy.writes().split_off(settled);
        assert!(writes.is_empty(), "{writes:#?}");
    }
    scene.settle().await;
    assert_eq!(scene.proxy.writes().len(), settled);
}
