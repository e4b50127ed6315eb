//! What an operator costs that has five hundred objects and nothing to do.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Result;
use crds::{Agent, SandboxRun, SandboxTemplate, Tenant, condition, sandbox_run::reason::TEMPLATE_NOT_FOUND};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{Api, Resource, api::ListParams};
use serde::de::DeserializeOwned;
use serde_json::json;
use support::scene::is_finished;

use super::{
    audit::{Mark, Write},
    objects::tiny_run,
    place::{Bench, DEADLINE, Place, create, until},
    process::Process,
    report::Row,
};

const OBJECTS: usize = 500;
const TEMPLATES: usize = 40;
const AGENTS: usize = 5;
/// Runs that ran; the rest wait for a template that does not exist, which costs the cluster nothing.
const FINISHED: usize = 40;
const AT_ONCE: usize = 16;

/// What settles has settled when the operator has not written for this long.
const QUIET: Duration = Duration::from_secs(15);
const WINDOW: Duration = Duration::from_mins(1);

const WRITES: &str = "idle: writes in 60 s";

pub(crate) async fn measure(bench: &Bench, rows: &mut Vec<Row>) -> Result<()> {
    let place = bench.tenant(json!({})).await?;
    fill(bench, &place).await?;
    settle().await?;
    let objects = count(bench).await?;
    let leader = Process::leader(&bench.client).await;
    let before = leader.as_ref().ok().map(Process::processor_time).transpose()?;
    let (mark, started) = (Mark::now(), Instant::now());
    tokio::time::sleep(WINDOW).await;
    rows.push(match mark.and_then(|mark| mark.writes()) {
        Ok(writes) => writes_row(&writes, objects),
        Err(error) => Row::missing(WRITES, format!("{error:#}")),
    });
    match leader {
        Ok(leader) => {
            let used = leader.processor_time()?.saturating_sub(before.unwrap_or_default());
            let share = used.as_secs_f64() / started.elapsed().as_secs_f64() * 100.0;
            rows.push(Row::new("idle: processor", share, "% of a core").at_most(1.0));
            rows.push(
                Row::new("idle: operator's memory", leader.rss()?, "MiB RSS")
                    .at_most(40.0)
                    .note(format!(
                        "{objects} objects; most since its start {:.1} MiB",
                        leader.peak_rss()?
                    )),
            );
        }
        Err(error) => rows.push(Row::missing("idle: processor and memory", format!("{error:#}"))),
    }
    Ok(())
}

/// Fills the tenant up to the number, the runs of other measurements counted in.
async fn fill(bench: &Bench, place: &Place) -> Result<()> {
    let (agents, templates, runs) = (
        place.api::<Agent>(),
        place.api::<SandboxTemplate>(),
        place.api::<SandboxRun>(),
    );
    for i in 0..AGENTS {
        create(
            &agents,
            &format!("agent-{i}"),
            json!({"image": "pinfold.dev/sandbox-base:dev", "replicas": 0}),
        )
        .await?;
    }
    for i in 0..TEMPLATES {
        create(
            &templates,
            &format!("template-{i}"),
            json!({"image": "pinfold.dev/sandbox-base:dev"}),
        )
        .await?;
    }
    stream::iter(0..FINISHED)
        .map(|i| {
            let runs = runs.clone();
            async move { create(&runs, &format!("finished-{i}"), tiny_run()).await }
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    let missing = OBJECTS.saturating_sub(count(bench).await?);
    let waiting = json!({"template": "none-of-this-name", "command": ["true"], "startTimeoutSeconds": 3600});
    stream::iter(0..missing)
        .map(|i| {
            let (runs, waiting) = (runs.clone(), waiting.clone());
            async move { create(&runs, &format!("waiting-{i}"), waiting).await }
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    until("every run is over, or waits and says so", DEADLINE, async || {
        let runs = runs.list(&ListParams::default()).await?;
        let waits = |r: &SandboxRun| r.status.as_ref().and_then(|s| s.reason.as_deref()) == Some(TEMPLATE_NOT_FOUND);
        Ok(runs.iter().all(|r| is_finished(r) || waits(r)))
    })
    .await?;
    until("the agents are settled", DEADLINE, async || {
        let agents = agents.list(&ListParams::default()).await?;
        Ok(agents.iter().all(|a| {
            let status = a.status.as_ref();
            status.is_some_and(|s| condition::find(&s.conditions, "Ready").is_some())
        }))
    })
    .await
}

async fn settle() -> Result<()> {
    if Mark::now().is_err() {
        tokio::time::sleep(QUIET).await;
        return Ok(());
    }
    let started = Instant::now();
    loop {
        let mark = Mark::now()?;
        tokio::time::sleep(QUIET).await;
        // One that never settles is what the next minute is to show.
        if mark.writes()?.is_empty() || started.elapsed() > DEADLINE {
            return Ok(());
        }
    }
}

/// Every object of Pinfold's kinds in the cluster.
async fn count(bench: &Bench) -> Result<usize> {
    Ok(many::<Tenant>(bench).await?
        + many::<Agent>(bench).await?
        + many::<SandboxTemplate>(bench).await?
        + many::<SandboxRun>(bench).await?)
}

async fn many<K>(bench: &Bench) -> Result<usize>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let api: Api<K> = Api::all(bench.client.clone());
    Ok(api.list_metadata(&ListParams::default()).await?.items.len())
}

fn writes_row(writes: &[Write], objects: usize) -> Row {
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for write in writes {
        *kinds
            .entry(format!(
                "{} {} {}/{}",
                write.verb, write.resource, write.namespace, write.name
            ))
            .or_default() += 1;
    }
    let kinds: Vec<String> = kinds
        .into_iter()
        .take(5)
        .map(|(kind, n)| format!("{n} {kind}"))
        .collect();
    let figure = u32::try_from(writes.len()).map_or(f64::MAX, f64::from);
    let what = if kinds.is_empty() {
        String::new()
    } else {
        format!(": {}", kinds.join(", "))
    };
    Row::new(WRITES, figure, "writes")
        .at_most(0.0)
        .note(format!("{objects} objects, leases and events apart{what}"))
}
