//! Speed and size of Pinfold on a real cluster, as a table on standard output and as JSON. It measures and judges
//! nothing: whether a figure is good enough is for its reader, who also knows what else the machine did.
//!
//! `cargo xtask bench` makes the cluster and says in the environment where it is.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

#[path = "bench/api.rs"]
mod api;
#[path = "bench/audit.rs"]
mod audit;
#[path = "bench/burst.rs"]
mod burst;
#[path = "bench/cores.rs"]
mod cores;
#[path = "bench/fakes.rs"]
mod fakes;
#[path = "bench/grants.rs"]
mod grants;
#[path = "bench/idle.rs"]
mod idle;
#[path = "bench/jobs.rs"]
mod jobs;
#[path = "bench/oauth.rs"]
mod oauth;
#[path = "bench/objects.rs"]
mod objects;
#[path = "bench/place.rs"]
mod place;
#[path = "bench/process.rs"]
mod process;
#[path = "bench/refusals.rs"]
mod refusals;
#[path = "bench/report.rs"]
mod report;
#[path = "bench/revocations.rs"]
mod revocations;
#[path = "bench/sandbox.rs"]
mod sandbox;
#[path = "bench/sightings.rs"]
mod sightings;
#[path = "bench/single.rs"]
mod single;
#[path = "bench/timing.rs"]
mod timing;
#[path = "bench/wire.rs"]
mod wire;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, anyhow};
use clap::{Parser, ValueEnum};
use futures::FutureExt as _;
use tokio::signal::unix::{SignalKind, signal};

use fakes::Fakes;
use place::Bench;
use report::{Report, Row};

#[derive(Debug, Parser)]
struct Options {
    /// Where to write the figures as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Only these measurements; all by default, the one on fake nodes only where `PINFOLD_TEST_FULL=1`
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// How many runs the fake nodes get
    #[arg(long, default_value_t = 10_000)]
    fake_runs: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One run against one bare pod, and the operator's writes for a run
    Single,
    /// A hundred runs against a hundred bare pods
    Burst,
    /// The operator with five hundred objects and nothing to do
    Idle,
    /// sandboxd in a sandbox that waits
    Sandbox,
    /// Bad input, to the condition that says so
    Refusals,
    /// The control-plane API on a core of its own
    Api,
    /// Thousands of runs on fake nodes
    Fakes,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let mut parts = options.only.clone();
    if parts.is_empty() {
        // The idle operator comes early: what it has gone through since its start shows in its memory.
        parts = vec![
            Part::Single,
            Part::Idle,
            Part::Sandbox,
            Part::Refusals,
            Part::Api,
            Part::Burst,
        ];
        if support::full() {
            parts.push(Part::Fakes);
        }
    }
    let mut report = Report {
        measured_at: jiff::Timestamp::now().to_string(),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        rows: Vec::new(),
    };
    let mut failed = false;
    for part in parts {
        eprintln!("measuring: {part:?}");
        if let Err(error) = measure(part, &options, &mut report.rows).await {
            failed = true;
            report
                .rows
                .push(Row::missing(format!("{part:?}"), format!("{error:#}")));
            if error.is::<Interrupted>() {
                break;
            }
        }
    }
    println!("{}", report.table());
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

#[derive(Debug)]
struct Interrupted;

impl std::error::Error for Interrupted {}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

/// Measures one part, and takes away what it made, however it ended.
async fn measure(part: Part, options: &Options, rows: &mut Vec<Row>) -> Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let bench = Bench::new().await;
    let mut fakes = None;
    let work = async {
        match part {
            Part::Single => single::measure(&bench, rows).await,
            Part::Burst => burst::measure(&bench, rows).await,
            Part::Idle => idle::measure(&bench, rows).await,
            Part::Sandbox => sandbox::measure(&bench, rows).await,
            Part::Refusals => refusals::measure(&bench, rows).await,
            Part::Api => api::measure(&bench, rows).await,
            Part::Fakes => {
                let started = fakes.insert(Fakes::start()?);
                started.make_nodes(&bench).await?;
                started.measure(&bench, options.fake_runs, rows).await
            }
        }
    };
    let result = tokio::select! {
        result = std::panic::AssertUnwindSafe(work).catch_unwind() => {
            result.unwrap_or_else(|_| Err(anyhow!("it panicked, see above")))
        }
        _ = tokio::signal::ctrl_c() => Err(Interrupted.into()),
        _ = terminated.recv() => Err(Interrupted.into()),
    };
    let removed = bench.remove_tenants().await;
    // Their pods end through kwok: it goes last.
    let nodes = match fakes {
        Some(fakes) => fakes.remove(&bench).await,
        None => Ok(()),
    };
    result.and(removed.context("clean up")).and(nodes.context("clean up"))
}
