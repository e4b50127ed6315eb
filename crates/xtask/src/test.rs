//! `xtask test`: every suite, or those named, each with the real things it needs.

mod sources;
mod systems;

use std::thread;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::build::ours::{self, Optimised};
use crate::build::programs;
use crate::stage::Ui;
use crate::{check, packages, paths, preflight};

/// What compiling all tests from nothing leaves in the target folder.
const TARGET_GIB: u64 = 8;

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Use the long parameters
    #[arg(long)]
    full: bool,
    /// Leave the clusters of the suites running, to look at what a failure left
    #[arg(long)]
    keep: bool,
    /// Only these
    suites: Vec<Suite>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Lints, generated files, boundaries, charts
    Check,
    /// Tests beside the code, with PostgreSQL
    Unit,
    /// The control-plane API's program on PostgreSQL
    Api,
    /// The control-plane API as libraries and tools of others see it
    Interop,
    /// The development cluster's own network policies
    Netpol,
    /// The operator against a real API server without nodes
    Operator,
    /// Everything on a cluster with nodes
    E2e,
}

type Run = fn(&Ui, &Options) -> Result<()>;
/// What needs no cluster, in order.
const SOURCES: [(Suite, Run); 5] = [
    (Suite::Check, |ui, options| {
        check::run(ui, &check::Options { full: options.full })
    }),
    (Suite::Unit, |ui, options| sources::unit(ui, options.full)),
    (Suite::Api, |ui, options| sources::api(ui, options.full)),
    (Suite::Interop, |ui, _| sources::interop(ui)),
    (Suite::Netpol, |ui, _| sources::netpol(ui)),
];
const SYSTEMS: [Suite; 2] = [Suite::Operator, Suite::E2e];

pub(crate) fn run(ui: &Ui, options: &Options) -> Result<()> {
    let wanted = |suite: &Suite| options.suites.is_empty() || options.suites.contains(suite);
    let runs: Vec<(Suite, Run)> = SOURCES.into_iter().filter(|(suite, _)| wanted(suite)).collect();
    let sources: Vec<Suite> = runs.iter().map(|(suite, _)| *suite).collect();
    let systems: Vec<Suite> = SYSTEMS.into_iter().filter(wanted).collect();
    let needs_root = |suite: &Suite| !matches!(suite, Suite::Check | Suite::Netpol);
    if sources.iter().chain(&systems).any(needs_root) {
        preflight::root()?;
    }
    require_go(options, &sources, &systems)?;
    let compiles = !systems.is_empty() || sources.iter().any(|suite| *suite != Suite::Netpol);
    if compiles && !ours::program("pinfold-operator", Optimised::No).exists() {
        preflight::disk(&paths::target(), TARGET_GIB)?;
    }
    // What judges the API asks for nobody's cluster, and the last suites on the one with nodes wait most of the time.
    let (beside, runs): (Vec<_>, Vec<_>) = runs
        .into_iter()
        .partition(|(suite, _)| *suite == Suite::Interop && systems.contains(&Suite::E2e));
    let beside = || beside.iter().try_for_each(|(_, run)| run(ui, options));
    // The node's policies are Go's: they wait for no crate.
    let (apart, runs): (Vec<_>, Vec<_>) = runs.into_iter().partition(|(suite, _)| *suite == Suite::Netpol);
    // The cluster's programs are built in one lane while cargo works in the other. Whoever needs a program waits for it, and for
    // no other.
    thread::scope(|scope| {
        let nodes = systems.contains(&Suite::E2e);
        let programs = (!systems.is_empty()).then(|| scope.spawn(move || prepare(ui, nodes)));
        let apart = scope.spawn(|| apart.iter().try_for_each(|(_, run)| run(ui, options)));
        let result = runs.iter().try_for_each(|(_, run)| run(ui, options));
        let result = result.and_then(|()| systems::run(ui, options, &systems, &beside));
        let apart = apart
            .join()
            .map_err(|_| anyhow::anyhow!("the network policy tests ended in a panic"))?;
        if let Some(programs) = programs {
            programs
                .join()
                .map_err(|_| anyhow::anyhow!("the build of the programs ended in a panic"))??;
        }
        result.and(apart)
    })
}

/// Before the first suite: some of them take long until they come to what needs Go.
fn require_go(options: &Options, sources: &[Suite], systems: &[Suite]) -> Result<()> {
    if sources.contains(&Suite::Netpol) {
        return preflight::go();
    }
    let mut wanted = vec![programs::OF_HELM];
    if !systems.is_empty() {
        wanted.extend(programs::OF_NODES);
        wanted.push(programs::OF_GVISOR);
        wanted.extend(options.full.then_some(programs::OF_KWOK));
    } else if !sources.contains(&Suite::Check) {
        return Ok(());
    }
    programs::require_go(&wanted)
}

fn prepare(ui: &Ui, nodes: bool) -> Result<()> {
    packages::ensure_installed(ui)?;
    // The checks come first, and want it for the charts.
    programs::ensure_helm(ui)?;
    if nodes {
        return programs::ensure(ui, true).map(drop);
    }
    programs::ensure_kube(ui).map(drop)
}
