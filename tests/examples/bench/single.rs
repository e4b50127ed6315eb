//! One run at a time against one bare pod at a time, and what the operator writes for a run.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anyhow::Result;
use crds::SandboxRun;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use support::scene::{is_finished, pod_name};

use super::{
    audit::Mark,
    objects::{bare, ensure_completed, ensure_succeeded, is_over, tiny_run},
    place::{Bench, DEADLINE, Place, create, post},
    report::{Row, milliseconds, quantile},
    sightings::Sightings,
};

const PAIRS: usize = 50;

/// Runs before the first that counts: the first of a tenant is slower for both.
const WARM_UP: usize = 2;

/// The audit log's lines are written when the answer is; a finalizer goes ten seconds after the result is seen.
const LAST_WRITES: Duration = Duration::from_secs(13);

#[derive(Default)]
struct Times {
    runs: Vec<f64>,
    run_pods: Vec<f64>,
    pods: Vec<f64>,
    /// Of each pair, how much longer the run took.
    differences: Vec<f64>,
}

struct Watches {
    runs: Sightings<SandboxRun>,
    pods: Sightings<Pod>,
}

/// The rows of latency and of writes.
pub(crate) async fn measure(bench: &Bench, rows: &mut Vec<Row>) -> Result<()> {
    let place = bench.tenant(serde_json::json!({})).await?;
    let watches = Watches {
        runs: Sightings::start(place.api(), is_finished),
        pods: Sightings::start(place.api(), is_over),
    };
    let mut sample = None;
    for i in 0..WARM_UP {
        let (_, _, run) = one_run(&place, &watches, &format!("warm-{i}")).await?;
        sample = Some(watches.pods.of(&pod_name(&run), DEADLINE).await?.1);
    }
    let Some(sample) = sample else { return Ok(()) };
    one_pod(&place, &watches, &sample, "bare-warm").await?;

    let mark = Mark::now();
    let mut times = Times::default();
    let mut made = HashMap::new();
    for i in 0..PAIRS {
        let bare = format!("bare-{i}");
        // Whatever comes second finds the machine a little busier: they take turns.
        let (pod, run) = if i % 2 == 0 {
            let run = one_run(&place, &watches, &format!("run-{i}")).await?;
            (one_pod(&place, &watches, &sample, &bare).await?, run)
        } else {
            let pod = one_pod(&place, &watches, &sample, &bare).await?;
            (pod, one_run(&place, &watches, &format!("run-{i}")).await?)
        };
        times.pods.push(pod);
        times.runs.push(run.0);
        times.run_pods.push(run.1);
        times.differences.push(run.0 - pod);
        made.insert(pod_name(&run.2), run.2.name_any());
    }
    latency(&times, rows);
    tokio::time::sleep(LAST_WRITES).await;
    rows.push(match mark.and_then(|mark| writes(&mark, &place, &made)) {
        Ok(row) => row,
        Err(error) => Row::missing(WRITES, format!("{error:#}")),
    });
    Ok(())
}

/// The time to Finished, the time to the end of the run's own pod, and the run.
async fn one_run(place: &Place, watches: &Watches, name: &str) -> Result<(f64, f64, SandboxRun)> {
    let started = Instant::now();
    create(&place.api::<SandboxRun>(), name, tiny_run()).await?;
    let (finished, run) = watches.runs.of(name, DEADLINE).await?;
    ensure_completed(&run)?;
    let (ended, _) = watches.pods.of(&pod_name(&run), DEADLINE).await?;
    Ok((
        milliseconds(finished.duration_since(started)),
        milliseconds(ended.duration_since(started)),
        run,
    ))
}

async fn one_pod(place: &Place, watches: &Watches, sample: &Pod, name: &str) -> Result<f64> {
    let pod = bare(sample, name)?;
    let started = Instant::now();
    post(&place.api(), &pod).await?;
    let (ended, pod) = watches.pods.of(name, DEADLINE).await?;
    ensure_succeeded(&pod)?;
    Ok(milliseconds(ended.duration_since(started)))
}

fn latency(times: &Times, rows: &mut Vec<Row>) {
    for (what, percent) in [("median", 50), ("p95", 95)] {
        let run = quantile(&times.runs, percent);
        let pod = quantile(&times.pods, percent);
        rows.push(Row::new(format!("one run to its result, {what}"), run, "ms"));
        rows.push(Row::new(
            format!("  its pod to its end, {what}"),
            quantile(&times.run_pods, percent),
            "ms",
        ));
        rows.push(Row::new(format!("one bare pod to its end, {what}"), pod, "ms"));
        rows.push(
            Row::new(format!("run above bare pod, {what}"), run - pod, "ms")
                .at_most(300.0)
                .note(format!(
                    "{:.2} times the bare pod; pair by pair {:.0} ms",
                    run / pod,
                    quantile(&times.differences, percent)
                )),
        );
    }
}

const WRITES: &str = "operator's writes per run, median";

fn writes(mark: &Mark, place: &Place, made: &HashMap<String, String>) -> Result<Row> {
    let namespace = place.namespace();
    let mut counts: HashMap<&str, u32> = made.values().map(|run| (run.as_str(), 0)).collect();
    let mut kinds: HashMap<String, u32> = HashMap::new();
    for write in mark.writes()?.iter().filter(|w| w.namespace == namespace) {
        let run = match write.resource.as_str() {
            "pods" => made.get(&write.name).map(String::as_str),
            "sandboxruns" => Some(write.name.as_str()),
            _ => None,
        };
        if let Some(count) = run.and_then(|run| counts.get_mut(run)) {
            *count += 1;
            *kinds.entry(format!("{} {}", write.verb, write.resource)).or_default() += 1;
        }
    }
    let counts: Vec<f64> = counts.into_values().map(f64::from).collect();
    let mut kinds: Vec<String> = kinds.into_iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    kinds.sort();
    Ok(Row::new(WRITES, quantile(&counts, 50), "writes")
        .at_most(5.0)
        .note(format!(
            "most {:.0}; of {} runs: {}",
            quantile(&counts, 100),
            counts.len(),
            kinds.join(", ")
        )))
}
