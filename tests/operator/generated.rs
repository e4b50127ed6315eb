//! SB-01: whatever a valid run or agent asks for, its pods pass real admission: Pod Security `restricted`, the quota and
//! our own policies. And what validation accepts, admission does not refuse.

use crds::{Agent, SandboxRun};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Value, json};
use support::{Scene, full, scene::create, wait::until};

/// So many runs are made at once, the next when one has its pod.
const AT_ONCE: usize = 32;

/// Text that shells, YAML, JSON and the kubelet's expansion each mind in their own way.
const AWKWARD: [&str; 8] = [
    "",
    "plain",
    "$(HOME) $$ ${X}",
    "a\"b'c\\d\n\t",
    "\u{7f}\u{85}\u{2028}\u{feff}",
    "ünïcode 🦀",
    "{{ .Values }}",
    "- : #",
];

fn text(rng: &mut StdRng) -> String {
    (*AWKWARD.choose(rng).expect("a text")).to_owned()
}

fn user(rng: &mut StdRng) -> i64 {
    *[1, 1000, 65_534, 2_147_483_647].choose(rng).expect("a user")
}

fn env(rng: &mut StdRng) -> Value {
    (0..rng.random_range(0..6_u32))
        .map(|n| match rng.random_range(0..2_u32) {
            0 => json!({"name": format!("V_{n}"), "value": text(rng)}),
            _ => json!({"name": format!("S_{n}"), "valueFrom": {"secretKeyRef": {"name": "some", "key": "k", "optional": rng.random_bool(0.5)}}}),
        })
        .collect()
}

fn resources(rng: &mut StdRng) -> Value {
    json!({
        "requests": {"cpu": "1m", "memory": "1Mi", "ephemeralStorage": "1Mi"},
        "limits": {"cpu": *["1m", "0.001", "2m"].choose(rng).expect("an amount"), "memory": *["1Mi", "2048k"].choose(rng).expect("an amount"), "ephemeralStorage": "1Mi"},
    })
}

fn any_run(rng: &mut StdRng) -> Value {
    let mut spec = if rng.random_bool(0.5) {
        json!({"template": *["base", "python", "node"].choose(rng).expect("a template")})
    } else {
        json!({"image": format!("example.test/{}:{}", rng.random_range(0..9_u32), rng.random_range(0..9_u32))})
    };
    match rng.random_range(0..3_u32) {
        0 => spec["command"] = json!(["program", text(rng), text(rng)]),
        1 => {
            spec["language"] = json!(*["python", "bash", "javascript"].choose(rng).expect("a language"));
            spec["code"] = json!(format!("#{}", text(rng)));
        }
        _ => {}
    }
    if rng.random_bool(0.3) && (spec.get("command").is_some() || spec.get("code").is_some()) {
        spec["stdin"] = json!(text(rng));
    }
    spec["timeoutSeconds"] = json!(rng.random_range(1..86_400_u32));
    spec["startTimeoutSeconds"] = json!(rng.random_range(600..=3600_u32));
    if rng.random_bool(0.5) {
        spec["runAsUser"] = json!(user(rng));
    }
    if rng.random_bool(0.3) {
        spec["workdir"] = json!(format!("/{}", text(rng).replace('\0', "")));
    }
    spec["env"] = env(rng);
    spec["resources"] = resources(rng);
    spec
}

fn any_agent(rng: &mut StdRng) -> Value {
    let mut spec = json!({
        "image": format!("example.test/{}:{}", rng.random_range(0..9_u32), rng.random_range(0..9_u32)),
        "replicas": rng.random_range(1..=2_u32),
        "env": env(rng),
        "resources": resources(rng),
    });
    if rng.random_bool(0.5) {
        spec["command"] = json!(["program", text(rng)]);
    }
    if rng.random_bool(0.5) {
        spec["args"] = json!([text(rng), text(rng)]);
    }
    if rng.random_bool(0.5) {
        spec["runAsUser"] = json!(user(rng));
    }
    if rng.random_bool(0.7) {
        let protocol = *["TCP", "UDP", "SCTP"].choose(rng).expect("a protocol");
        spec["ports"] = json!([
            {"name": "http-1", "port": rng.random_range(1..=32_767_u32)},
            {"name": "9a", "port": rng.random_range(32_768..=65_535_u32), "protocol": protocol},
        ]);
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if rng.random_bool(0.5) {
            spec[probe] = any_probe(rng);
        }
    }
    spec
}

fn any_probe(rng: &mut StdRng) -> Value {
    let mut probe = match rng.random_range(0..3_u32) {
        0 => json!({"httpGet": {"path": format!("/{}", text(rng)), "port": rng.random_range(1..=65_535_u32)}}),
        1 => json!({"tcpSocket": {"port": rng.random_range(1..=65_535_u32)}}),
        _ => json!({"exec": {"command": ["program", text(rng)]}}),
    };
    probe["initialDelaySeconds"] = json!(rng.random_range(0..=3600_u32));
    probe["periodSeconds"] = json!(rng.random_range(1..=3600_u32));
    probe["timeoutSeconds"] = json!(rng.random_range(1..=3600_u32));
    probe["failureThreshold"] = json!(rng.random_range(1..=100_u32));
    probe
}

/// A tenant with room for thousands.
async fn roomy() -> Scene {
    let scene = Scene::start().await;
    let name = scene.namespace().trim_start_matches("tenant-").to_owned();
    let limits = json!({"cpu": "1k", "memory": "1Ti", "storage": "1Ti", "pods": 20_000, "concurrentRuns": 20_000});
    scene.make_tenant(&name, json!({"limits": limits})).await;
    scene.ready_tenant(&name).await;
    scene
}

#[tokio::test]
async fn every_valid_run_gets_a_pod() {
    let count = if full() { 10_000 } else { 150 };
    let seed: u64 = rand::rng().random();
    eprintln!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let scene = roomy().await;
    let runs: Api<SandboxRun> = scene.api();
    let specs: Vec<(String, Value)> = (0..count).map(|n| (format!("r{n}"), any_run(&mut rng))).collect();
    stream::iter(&specs)
        .for_each_concurrent(AT_ONCE, |(name, spec)| {
            let runs = runs.clone();
            async move {
                create(&runs, name, spec.clone()).await;
                until(&runs, name, "the run has a pod or an end", |run| {
                    run.and_then(|run| run.status.as_ref())
                        .is_some_and(|status| status.pod_name.is_some() || status.finish_time.is_some())
                })
                .await;
            }
        })
        .await;
    let pods: Api<Pod> = scene.api();
    let refused: Vec<(String, Option<String>, Option<String>)> = runs
        .list(&ListParams::default())
        .await
        .expect("the runs")
        .into_iter()
        .filter_map(|r| {
            let name = r.name_any();
            let status = r.status.filter(|s| s.pod_name.is_none())?;
            Some((name, status.reason, status.message))
        })
        .collect();
    assert_eq!(refused, vec![], "seed {seed}");
    assert_eq!(
        pods.list(&ListParams::default()).await.expect("the pods").items.len(),
        count
    );
}

#[tokio::test]
async fn every_valid_agent_gets_its_pods() {
    // As many as a tenant may have.
    let count = if full() { 500 } else { 40 };
    let seed: u64 = rand::rng().random();
    eprintln!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let scene = roomy().await;
    let agents: Api<Agent> = scene.api();
    let specs: Vec<(String, Value)> = (0..count).map(|n| (format!("a{n}"), any_agent(&mut rng))).collect();
    stream::iter(&specs)
        .for_each_concurrent(AT_ONCE, |(name, spec)| {
            let agents = agents.clone();
            async move {
                let replicas = create(&agents, name, spec.clone()).await.spec.replicas;
                until(&agents, name, "all of the agent's pods were admitted", |agent| {
                    let status = agent.and_then(|agent| agent.status.as_ref());
                    status.is_some_and(|status| status.replicas == replicas)
                })
                .await;
            }
        })
        .await;
}
