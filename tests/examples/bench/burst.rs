//! A hundred runs at once against a hundred bare pods with the same requests.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Result, ensure};
use crds::SandboxRun;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;
use support::scene::{is_finished, pod_name};

use super::{
    objects::{bare, ensure_completed, ensure_succeeded, is_over, tiny_run},
    place::{Bench, DEADLINE, Place, create, post, until},
    process::Spent,
    report::{Row, quantile},
    sightings::Sightings,
};

const AT_ONCE: usize = 100;

/// Programs that took less are not named, in seconds.
const NOTEWORTHY: f64 = 0.2;
/// Five rounds of each, in an order that favours neither.
const RIVALS: [Rival; 10] = {
    use Rival::{Pods, Runs};
    [Runs, Pods, Pods, Runs, Runs, Pods, Pods, Runs, Runs, Pods]
};

#[derive(Clone, Copy, PartialEq)]
enum Rival {
    Runs,
    Pods,
}

struct Round {
    rival: Rival,
    seconds: f64,
    stages: String,
    /// Processor time of everything.
    spent: f64,
    /// Of the programs that lived through the round.
    programs: BTreeMap<String, f64>,
}

/// Rounds of each, and how the medians compare: now and then a round of either takes half as long again.
pub(crate) async fn measure(bench: &Bench, rows: &mut Vec<Row>) -> Result<()> {
    let place = bench.tenant(json!({})).await?;
    let sample = sample(&place).await?;
    let mut rounds = Vec::new();
    for (i, rival) in RIVALS.into_iter().enumerate() {
        let (since, before) = (Timestamp::now(), Spent::now()?);
        let seconds = match rival {
            Rival::Runs => runs(&place, i).await?,
            Rival::Pods => pods(&place, &sample, i).await?,
        };
        let (spent, programs) = before.since()?;
        rounds.push(Round {
            rival,
            seconds,
            stages: stages(&place, since, rival).await?,
            spent,
            programs,
        });
        // Finished containers slow the node down, and the next round is to find what this one found.
        clear(&place).await?;
    }
    let throughput = |rival: Rival| {
        let own: Vec<&Round> = rounds.iter().filter(|r| r.rival == rival).collect();
        let note: Vec<String> = own
            .iter()
            .map(|r| format!("{:.1} s ({})", r.seconds, r.stages))
            .collect();
        let seconds: Vec<f64> = own.iter().map(|r| r.seconds).collect();
        let count = u32::try_from(AT_ONCE).map_or(0.0, f64::from);
        (count / quantile(&seconds, 50), format!("rounds: {}", note.join(", ")))
    };
    let (run_rate, run_note) = throughput(Rival::Runs);
    let (pod_rate, pod_note) = throughput(Rival::Pods);
    rows.push(Row::new(format!("{AT_ONCE} runs at once, median of 5"), run_rate, "per second").note(run_note));
    rows.push(
        Row::new(
            format!("{AT_ONCE} bare pods at once, median of 5"),
            pod_rate,
            "per second",
        )
        .note(pod_note),
    );
    rows.push(
        Row::new(
            "throughput of runs to that of bare pods",
            run_rate / pod_rate * 100.0,
            "%",
        )
        .at_least(90.0),
    );
    for (rival, whose) in [(Rival::Runs, "runs"), (Rival::Pods, "bare pods")] {
        let (spent, note) = processor_time(&rounds, rival);
        rows.push(Row::new(format!("processor time of a round of {whose}"), spent, "s").note(note));
    }
    Ok(())
}

/// The mean of the rounds, of everything and of each program that had a part in it.
fn processor_time(rounds: &[Round], rival: Rival) -> (f64, String) {
    let own = || rounds.iter().filter(|r| r.rival == rival);
    let count = u32::try_from(own().count()).map_or(1.0, f64::from);
    let mut programs: BTreeMap<&str, f64> = BTreeMap::new();
    for (program, time) in own().flat_map(|r| &r.programs) {
        *programs.entry(program).or_default() += time / count;
    }
    let mut programs: Vec<(&str, f64)> = programs.into_iter().filter(|(_, time)| *time >= NOTEWORTHY).collect();
    programs.sort_by(|a, b| b.1.total_cmp(&a.1));
    let told: Vec<String> = programs
        .iter()
        .map(|(name, time)| format!("{name} {time:.1}"))
        .collect();
    (own().map(|r| r.spent).sum::<f64>() / count, told.join(", "))
}

async fn sample(place: &Place) -> Result<Pod> {
    let watch = Sightings::start(place.api::<SandboxRun>(), is_finished);
    create(&place.api::<SandboxRun>(), "sample", tiny_run()).await?;
    let (_, run) = watch.of("sample", DEADLINE).await?;
    Ok(place.api().get(&pod_name(&run)).await?)
}

async fn runs(place: &Place, round: usize) -> Result<f64> {
    let api = place.api::<SandboxRun>();
    let watch = Sightings::start(api.clone(), is_finished);
    let names: Vec<String> = (0..AT_ONCE).map(|i| format!("run-{round}-{i}")).collect();
    let started = Instant::now();
    stream::iter(&names)
        .map(|name| create(&api, name, tiny_run()))
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    let mut last = started;
    for name in &names {
        let (at, run) = watch.of(name, DEADLINE).await?;
        ensure_completed(&run)?;
        last = last.max(at);
    }
    Ok(last.duration_since(started).as_secs_f64())
}

async fn pods(place: &Place, sample: &Pod, round: usize) -> Result<f64> {
    let api = place.api::<Pod>();
    let watch = Sightings::start(api.clone(), is_over);
    let pods: Vec<Pod> = (0..AT_ONCE)
        .map(|i| bare(sample, &format!("bare-{round}-{i}")))
        .collect::<Result<_>>()?;
    let started = Instant::now();
    stream::iter(&pods)
        .map(|pod| post(&api, pod))
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    let mut last = started;
    for pod in &pods {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let (at, pod) = watch.of(&name, DEADLINE).await?;
        ensure_succeeded(&pod)?;
        last = last.max(at);
    }
    ensure!(watch.count() >= AT_ONCE, "bare pods are missing");
    Ok(last.duration_since(started).as_secs_f64())
}

/// Where a round's time went, by the whole seconds that a pod's own times have.
async fn stages(place: &Place, since: Timestamp, rival: Rival) -> Result<String> {
    let pods = place.api::<Pod>().list(&ListParams::default()).await?;
    // The sample's pod lies there from before the first round.
    let made = pods
        .iter()
        .filter_map(|p| p.metadata.creation_timestamp.as_ref().map(|t| t.0));
    let ended = pods.iter().filter_map(|p| {
        let containers = p.status.as_ref()?.container_statuses.as_ref()?;
        let terminated = containers.first()?.state.as_ref()?.terminated.as_ref()?;
        terminated.finished_at.as_ref().map(|t| t.0)
    });
    let after = |last: Option<Timestamp>| last.map_or(0.0, |t| t.duration_since(since).as_secs_f64().max(0.0));
    let whose = match rival {
        Rival::Runs => "their pods",
        Rival::Pods => "all",
    };
    Ok(format!(
        "{whose} made by {:.0} s, ended by {:.0} s",
        after(made.max()),
        after(ended.max())
    ))
}

async fn clear(place: &Place) -> Result<()> {
    let background = DeleteParams::background();
    let all = ListParams::default();
    place.api::<SandboxRun>().delete_collection(&background, &all).await?;
    place.api::<Pod>().delete_collection(&background, &all).await?;
    until("the round's pods are gone", DEADLINE, async || {
        Ok(place.api::<Pod>().list_metadata(&all).await?.items.is_empty())
    })
    .await
}
