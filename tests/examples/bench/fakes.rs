//! Ten thousand runs on nodes that kwok plays: what the operator holds then, and whether it gets through.

use std::{
    env, fs,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use crds::SandboxRun;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::{
    core::v1::{Node, Pod},
    node::v1::RuntimeClass,
};
use kube::{
    Api,
    api::{DeleteParams, ListParams},
};
use sandbox_protocol::{Outcome, Phase, RunResult};
use serde_json::json;
use support::{
    cluster,
    scene::{is_finished, unique},
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{
    objects::tiny_run,
    place::{Bench, DEADLINE, create, post, until},
    process::Process,
    report::Row,
    sightings::Sightings,
};

const NODES: usize = 10;
const AT_ONCE: usize = 64;
const LABEL: &str = "pinfold.dev/bench-node";
const CONVERGED: Duration = Duration::from_mins(30);
const SAMPLE: Duration = Duration::from_millis(500);

/// The nodes, and the player of their kubelets, who ends with this.
pub(crate) struct Fakes {
    class: String,
    _player: Child,
    _folder: TempDir,
}

impl Fakes {
    /// Starts kwok, which waits for its nodes.
    pub(crate) fn start() -> Result<Self> {
        let kwok = env::var_os("PINFOLD_KWOK_BIN").filter(|v| !v.is_empty());
        let kwok = PathBuf::from(
            kwok.context("PINFOLD_KWOK_BIN is not set: `cargo xtask bench --full` builds kwok and sets it")?,
        );
        let folder = tempfile::tempdir()?;
        let stages = folder.path().join("stages.yaml");
        fs::write(&stages, stages_text()?)?;
        let log = fs::File::create(folder.path().join("kwok.log"))?;
        let class = format!("bench-{}", unique());
        let player = Command::new(kwok)
            .arg("--kubeconfig")
            .arg(cluster::kubeconfig("admin"))
            .arg("--config")
            .arg(&stages)
            .arg(format!("--manage-nodes-with-label-selector={LABEL}={class}"))
            .arg("--node-lease-duration-seconds=40")
            .env("HOME", folder.path())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("start kwok")?;
        Ok(Self {
            class,
            _player: player,
            _folder: folder,
        })
    }

    /// Makes the nodes. Only pods of a RuntimeClass of their own come onto them.
    pub(crate) async fn make_nodes(&self, bench: &Bench) -> Result<()> {
        let nodes: Api<Node> = Api::all(bench.client.clone());
        let room = json!({"cpu": "10000", "memory": "10000Gi", "ephemeral-storage": "10000Gi", "pods": "10000"});
        for i in 0..NODES {
            let node = json!({
                "metadata": {"name": format!("{}-{i}", self.class), "labels": {LABEL: self.class}},
                "spec": {"taints": [{"key": LABEL, "effect": "NoSchedule"}]},
                "status": {"allocatable": room, "capacity": room},
            });
            post(&nodes, &serde_json::from_value(node)?).await?;
        }
        let classes: Api<RuntimeClass> = Api::all(bench.client.clone());
        let class = json!({
            "metadata": {"name": self.class},
            "handler": "bench",
            "scheduling": {
                "nodeSelector": {LABEL: self.class},
                "tolerations": [{"key": LABEL, "operator": "Exists", "effect": "NoSchedule"}],
            },
        });
        post(&classes, &serde_json::from_value(class)?).await?;
        let own = ListParams::default().labels(&format!("{LABEL}={}", self.class));
        until("kwok's nodes are ready", DEADLINE, async || {
            let nodes = nodes.list(&own).await?;
            Ok(nodes.iter().all(|node| {
                let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
                conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
            }))
        })
        .await
    }

    pub(crate) async fn measure(&self, bench: &Bench, runs: usize, rows: &mut Vec<Row>) -> Result<()> {
        let place = bench
            .tenant(json!({"runtimeClasses": {"allowed": [self.class]}}))
            .await?;
        let api = place.api::<SandboxRun>();
        let finished = Sightings::start(api.clone(), is_finished);
        let leader = Process::leader(&bench.client).await?;
        let before = leader.rss()?;
        let mut spec = tiny_run();
        spec["runtimeClassName"] = json!(self.class);
        spec["startTimeoutSeconds"] = json!(3600);
        let started = Instant::now();
        stream::iter(0..runs)
            .map(|i| {
                let (api, spec) = (api.clone(), spec.clone());
                async move { create(&api, &format!("run-{i}"), spec).await }
            })
            .buffer_unordered(AT_ONCE)
            .try_for_each(|_| async { Ok(()) })
            .await?;
        let created = started.elapsed();
        let mut most = before;
        until("every run is over", CONVERGED, async || {
            most = most.max(leader.rss()?);
            tokio::time::sleep(SAMPLE).await;
            Ok(finished.count() >= runs)
        })
        .await
        .with_context(|| format!("{} of {runs} runs are over", finished.count()))?;
        let took = started.elapsed();
        let pods = place.api::<Pod>();
        until("every result was taken", CONVERGED, async || {
            let pods = pods.list_metadata(&ListParams::default()).await?;
            Ok(pods
                .iter()
                .all(|p| p.metadata.finalizers.as_ref().is_none_or(Vec::is_empty)))
        })
        .await?;
        let completed = api.list(&ListParams::default()).await?;
        let completed = completed
            .iter()
            .filter(|r| {
                r.status
                    .as_ref()
                    .is_some_and(|s| s.reason.as_deref() == Some("Completed"))
            })
            .count();
        most = most.max(leader.rss()?);
        rows.push(
            Row::new(
                format!("{runs} runs on fake nodes: operator's memory"),
                leader.rss()?,
                "MiB RSS",
            )
            .at_most(256.0)
            .note(format!(
                "before {before:.1}, most {:.1} MiB",
                most.max(leader.peak_rss()?)
            )),
        );
        rows.push(
            Row::new(
                format!("{runs} runs on fake nodes: all over after"),
                took.as_secs_f64(),
                "s",
            )
            .note(format!(
                "{completed} completed; the last was made after {:.1} s",
                created.as_secs_f64()
            )),
        );
        Ok(())
    }

    /// Takes the nodes away; the tenants on them must be gone.
    pub(crate) async fn remove(self, bench: &Bench) -> Result<()> {
        let classes: Api<RuntimeClass> = Api::all(bench.client.clone());
        if let Err(error) = classes.delete(&self.class, &DeleteParams::default()).await
            && !matches!(&error, kube::Error::Api(status) if status.code == 404)
        {
            return Err(error.into());
        }
        let nodes: Api<Node> = Api::all(bench.client.clone());
        let own = ListParams::default().labels(&format!("{LABEL}={}", self.class));
        nodes.delete_collection(&DeleteParams::default(), &own).await?;
        Ok(())
    }
}

fn stages_text() -> Result<String> {
    let path = cluster::top().join("dev/cluster/kwok/stages.yaml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut result = RunResult::preparing();
    result.phase = Phase::Done;
    result.outcome = Some(Outcome::Exited(0));
    // A JSON string is a YAML string as well.
    Ok(text.replace(
        "message: RUN_RESULT",
        &format!("message: {}", serde_json::to_string(&result.encode())?),
    ))
}
