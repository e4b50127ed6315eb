//! OP-01: the operator is killed at each of its writes, before and after it took effect, and the end must be that of
//! an undisturbed run.

use std::{cell::Cell, collections::BTreeMap};

use crds::{Agent, SandboxRun};
use fault_proxy::{Moment, Record};
use futures::{StreamExt, stream};
use k8s_openapi::api::{
    core::v1::{Pod, Service},
    policy::v1::PodDisruptionBudget,
};
use kube::{Api, api::DeleteParams};
use sandbox_protocol::{Outcome, ProgramEnd};
use serde_json::{Value, json};
use support::{Kubelet, Scene, dump, kubelet::result, scene::pod_name, wait};

use crate::{run_end::program, tenant::namespaces};

/// Plans that run at once: each has an operator and a proxy of its own.
const AT_ONCE: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Workload {
    TenantCreate,
    AgentCreate,
    AgentUpdate,
    RunStart,
    RunCancel,
    TenantDelete,
}

/// What came of a workload.
struct End {
    state: BTreeMap<String, Value>,
    effects: Vec<String>,
    writes: usize,
    /// Whether the operator was killed; a plan beyond the last write of this play never comes to it.
    killed: bool,
}

fn agent() -> Value {
    json!({
        "image": "example.test/agent:1", "replicas": 2,
        "ports": [{"name": "http", "port": 8080}], "env": [{"name": "A", "value": "1"}],
    })
}

async fn agent_has(scene: &Scene, replicas: i32) {
    wait::until(
        &scene.api::<Agent>(),
        "worker",
        "the agent's replicas are counted",
        |a| {
            a.is_some_and(|a| {
                a.status
                    .as_ref()
                    .is_some_and(|s| s.replicas == replicas && s.observed_generation == a.metadata.generation)
            })
        },
    )
    .await;
}

impl Workload {
    /// What is there before.
    async fn prepare(self, scene: &Scene, kubelet: &Kubelet) {
        if self == Self::TenantCreate {
            return;
        }
        scene.make_tenant(&scene.id, json!({})).await;
        scene.ready_tenant(&scene.id).await;
        if self == Self::AgentUpdate {
            scene.make_agent("worker", agent()).await;
            agent_has(scene, 2).await;
        }
        if self == Self::RunCancel {
            let run = scene.make_run("job", program()).await;
            scene.pod_of(&run).await;
            kubelet.place(&scene.namespace(), &pod_name(&run)).await;
            kubelet.run(&scene.namespace(), &pod_name(&run)).await;
            scene.run_is("job", "Running").await;
        }
    }

    /// What users and nodes do, up to the end that is compared.
    async fn play(self, scene: &Scene, kubelet: &Kubelet) {
        let namespace = scene.namespace();
        match self {
            Self::TenantCreate => {
                let owners =
                    json!([{"kind": "User", "name": "alice", "role": "admin"}, {"kind": "Group", "name": "builders"}]);
                scene.make_tenant(&scene.id, json!({"owners": owners})).await;
                scene.ready_tenant(&scene.id).await;
            }
            Self::AgentCreate => {
                scene.make_agent("worker", agent()).await;
                agent_has(scene, 2).await;
            }
            Self::AgentUpdate => {
                let edit = json!({"spec": {"image": "example.test/agent:2", "replicas": 0, "ports": null}});
                scene.patch(&scene.api::<Agent>(), "worker", edit).await;
                wait::until(&scene.api::<Service>(), "worker", "the Service is gone", |s| {
                    s.is_none()
                })
                .await;
                wait::until(
                    &scene.api::<PodDisruptionBudget>(),
                    "worker",
                    "the budget is gone",
                    |b| b.is_none(),
                )
                .await;
                // Without replicas, so that the end does not depend on how far another controller has rolled out.
                scene.agent_is("worker", "Ready").await;
                agent_has(scene, 0).await;
            }
            Self::RunStart => {
                let run = scene.make_run("job", program()).await;
                scene.pod_of(&run).await;
                kubelet.place(&namespace, &pod_name(&run)).await;
                kubelet.run(&namespace, &pod_name(&run)).await;
                scene.run_is("job", "Running").await;
                kubelet
                    .end(&namespace, &pod_name(&run), &result(Outcome::Exited(0), "done", ""))
                    .await;
                let run = scene.finished("job").await;
                scene.released(&run).await;
            }
            Self::RunCancel => {
                scene
                    .patch(&scene.api::<SandboxRun>(), "job", json!({"spec": {"cancel": true}}))
                    .await;
                let run = scene.api::<SandboxRun>().get("job").await.expect("the run");
                let pods: Api<Pod> = scene.api();
                wait::until(&pods, &pod_name(&run), "the pod is deleted", |p| {
                    p.is_some_and(|p| p.metadata.deletion_timestamp.is_some())
                })
                .await;
                let stopped = result(Outcome::Stopped(Some(ProgramEnd::Signaled(15))), "half", "");
                kubelet.end(&namespace, &pod_name(&run), &stopped).await;
                kubelet.remove(&namespace, &pod_name(&run)).await;
                scene.finished("job").await;
                wait::until(&pods, &pod_name(&run), "the pod is gone", |p| p.is_none()).await;
            }
            Self::TenantDelete => {
                scene
                    .tenants()
                    .delete(&scene.id, &DeleteParams::background())
                    .await
                    .expect("delete the tenant");
                wait::until(&scene.tenants(), &scene.id, "the tenant is gone", |t| t.is_none()).await;
                wait::until(&namespaces(scene), &namespace, "the namespace is gone", |n| n.is_none()).await;
            }
        }
    }
}

/// Plays a workload; with a plan, the operator is killed at that write and started again.
async fn play(workload: Workload, plan: Option<(usize, Moment)>) -> End {
    let scene = Scene::of_one_tenant().await;
    let kubelet = Kubelet::start(scene.admin.clone(), &scene.id).await;
    workload.prepare(&scene, &kubelet).await;
    scene.settle().await;
    let before = scene.proxy.records().len();
    let stop = plan.map(|(nth, moment)| scene.proxy.stop_at(nth, moment));
    let killed = Cell::new(false);
    let disturbance = async {
        if let Some(mut stop) = stop {
            stop.reached().await;
            scene.kill_operator().await;
            killed.set(true);
            scene.proxy.resume();
            scene.start_operator();
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = workload.play(&scene, &kubelet) => {}
        () = disturbance => {}
    }
    scene.settle().await;
    let records: Vec<Record> = scene.proxy.records().split_off(before);
    End {
        state: dump::tenant(&scene.admin, &scene.id).await,
        effects: dump::effects(&records, &scene.id),
        writes: records.iter().filter(|r| r.request.is_write()).count(),
        killed: killed.get(),
    }
}

async fn kill_at_every_write(workload: Workload) {
    let reference = Box::pin(play(workload, None)).await;
    let again = Box::pin(play(workload, None)).await;
    dump::assert_same("two undisturbed runs", &reference.state, &again.state);
    assert_eq!(reference.effects, again.effects);

    let writes = reference.writes.min(again.writes);
    let plans = (1..=writes).flat_map(|n| [(n, Moment::BeforeForwarding), (n, Moment::AfterForwarding)]);
    let ends = stream::iter(plans)
        .map(async |plan| (plan, Box::pin(play(workload, Some(plan))).await))
        .buffer_unordered(AT_ONCE);
    let ends: Vec<_> = ends.collect().await;
    assert_eq!(ends.len(), writes * 2);
    // How often a status is written on the way depends on what else is seen in time, so the last writes may be missing.
    let killed = ends.iter().filter(|(_, end)| end.killed).count();
    assert!(
        killed >= writes * 3 / 2,
        "only {killed} of {} plans came to their write",
        writes * 2
    );
    eprintln!(
        "{workload:?}: {writes} writes, killed in {killed} of {} plans",
        writes * 2
    );
    for ((nth, moment), end) in ends {
        let plan = format!("{workload:?}, killed at write {nth} {moment:?}");
        dump::assert_same(&plan, &reference.state, &end.state);
        assert_eq!(reference.effects, end.effects, "{plan}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_makes_a_tenant() {
    Box::pin(kill_at_every_write(Workload::TenantCreate)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_makes_an_agent() {
    Box::pin(kill_at_every_write(Workload::AgentCreate)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_changes_an_agent() {
    Box::pin(kill_at_every_write(Workload::AgentUpdate)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_starts_a_run() {
    Box::pin(kill_at_every_write(Workload::RunStart)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_cancels_a_run() {
    Box::pin(kill_at_every_write(Workload::RunCancel)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_deletes_a_tenant() {
    Box::pin(kill_at_every_write(Workload::TenantDelete)).await;
}
