//! `xtask test`: every suite, or those named, each with the real things it needs.

use std::path::Path;
use std::thread;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::build::{ours, programs};
use crate::cluster::{Cluster, stop};
use crate::image::Optimised;
use crate::stage::Ui;
use crate::up::{self, Options as Up};
use crate::{check, demo, install, packages, paths, postgres, preflight};

/// Kept apart from the cluster of daily work, so that a suite neither sees nor breaks it.
const OPERATOR_CLUSTER: &str = "suite";
const E2E_CLUSTER: &str = "e2e";
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
    /// The development cluster's own network policies
    Netpol,
    /// The operator against a real API server without nodes
    Operator,
    /// Everything on a cluster with nodes
    E2e,
}

const IN_ORDER: [Suite; 6] = [
    Suite::Check,
    Suite::Unit,
    Suite::Api,
    Suite::Netpol,
    Suite::Operator,
    Suite::E2e,
];
/// The rest needs a cluster.
const SOURCES: [Suite; 4] = [Suite::Check, Suite::Unit, Suite::Api, Suite::Netpol];

pub(crate) fn run(ui: &Ui, options: &Options) -> Result<()> {
    let wanted = |suite: &Suite| options.suites.is_empty() || options.suites.contains(suite);
    let suites: Vec<Suite> = IN_ORDER.into_iter().filter(wanted).collect();
    if suites
        .iter()
        .any(|suite| !matches!(suite, Suite::Check | Suite::Netpol))
    {
        preflight::root()?;
    }
    require_go(options, &suites)?;
    if suites != [Suite::Netpol] && !ours::program("pinfold-operator").exists() {
        preflight::disk(&paths::target(), TARGET_GIB)?;
    }
    // The cluster's programs are built in one lane while cargo works in the other.
    thread::scope(|scope| {
        let clusters = suites.iter().any(|suite| matches!(suite, Suite::Operator | Suite::E2e));
        let nodes = suites.contains(&Suite::E2e);
        let programs = clusters.then(|| scope.spawn(move || prepare(ui, nodes)));
        let (sources, systems): (Vec<Suite>, Vec<Suite>) = suites.iter().partition(|suite| SOURCES.contains(suite));
        let result = sources.into_iter().try_for_each(|suite| run_suite(ui, options, suite));
        if let Some(programs) = programs {
            programs
                .join()
                .map_err(|_| anyhow::anyhow!("the build of the programs ended in a panic"))??;
        }
        result?;
        systems.into_iter().try_for_each(|suite| run_suite(ui, options, suite))
    })
}

/// Before the first suite: some of them take long until they come to what needs Go.
fn require_go(options: &Options, suites: &[Suite]) -> Result<()> {
    if suites.contains(&Suite::Netpol) {
        return preflight::go();
    }
    let mut wanted = vec![programs::OF_HELM];
    if suites.iter().any(|suite| matches!(suite, Suite::Operator | Suite::E2e)) {
        wanted.extend(programs::OF_NODES);
        wanted.push(programs::OF_GVISOR);
        wanted.extend(options.full.then_some(programs::OF_KWOK));
    } else if !suites.contains(&Suite::Check) {
        return Ok(());
    }
    programs::require_go(&wanted)
}

fn prepare(ui: &Ui, nodes: bool) -> Result<()> {
    packages::ensure_installed(ui)?;
    if nodes {
        return programs::ensure(ui, true).map(drop);
    }
    programs::ensure_helm(ui)?;
    programs::ensure_kube(ui).map(drop)
}

fn run_suite(ui: &Ui, options: &Options, suite: Suite) -> Result<()> {
    match suite {
        Suite::Check => check::run(ui, &check::Options { full: options.full }),
        Suite::Unit => unit(ui),
        Suite::Api => api(ui),
        Suite::Netpol => netpol(ui),
        Suite::Operator => {
            let mut up = Up::named(OPERATOR_CLUSTER);
            up.control_plane_only = true;
            up.controller_manager = true;
            with_cluster(
                ui,
                options,
                OPERATOR_CLUSTER,
                || up::ensure_running(ui, &up),
                |cluster, kube| system(ui, options, "operator", cluster, kube, &[]),
            )
        }
        Suite::E2e => {
            let mut up = Up::named(E2E_CLUSTER);
            up.gvisor = true;
            with_cluster(
                ui,
                options,
                E2E_CLUSTER,
                || demo::installed(ui, &up, Optimised::No),
                |cluster, kube| {
                    system(ui, options, "e2e", cluster, kube, &[])?;
                    api_on_cluster(ui, cluster)?;
                    // Every run once more with sandboxd copied in, as on clusters whose image volumes cannot execute.
                    install::development_with(ui, cluster, &["sandboxd.injection=initContainer"])?;
                    system(ui, options, "e2e", cluster, kube, &RUN_TESTS)?;
                    system(ui, options, "outage", cluster, kube, &[])
                },
            )
        }
    }
}

fn unit(ui: &Ui) -> Result<()> {
    let database = postgres::start(ui)?;
    ui.stage("unit tests", "mend the test or the code that the log names", |stage| {
        ours::cargo(stage, "test")
            .env("PINFOLD_TEST_DATABASE_URL", database.url())
            .run()
    })
}

fn api(ui: &Ui) -> Result<()> {
    let database = postgres::start(ui)?;
    ui.stage("api suite", "the log names the test", |stage| {
        stage.note("build the API");
        ours::programs(stage, &["pinfold-api"])?;
        stage.note("");
        ours::suite(stage, "api")
            .env("PINFOLD_TEST_DATABASE_URL", database.url())
            .env("PINFOLD_API_BIN", ours::program("pinfold-api"))
            .run()
    })
}

/// The API beside the cluster, under the rights that the chart gives it.
fn api_on_cluster(ui: &Ui, cluster: &Cluster) -> Result<()> {
    let database = postgres::start(ui)?;
    ui.stage("API on the cluster", "the log names the test", |stage| {
        stage.note("build the API");
        ours::programs(stage, &["pinfold-api"])?;
        stage.note("");
        ours::suite(stage, "api_on_cluster")
            .env("PINFOLD_TEST_DATABASE_URL", database.url())
            .env("PINFOLD_API_BIN", ours::program("pinfold-api"))
            .env("PINFOLD_TEST_KUBECONFIG_DIR", cluster.kubeconfigs())
            .run()
    })
}

fn netpol(ui: &Ui) -> Result<()> {
    ui.stage(
        "network policy tests",
        "mend dev/cluster/kubernetes/netpol; the log names the case",
        |stage| {
            stage
                .run("go")
                // Vetting reads all of Kubernetes anew, for minutes: `check --full` does it.
                .args(["test", "-trimpath", "-vet=off", "-count=1", "./netpol"])
                .dir(paths::sources().join("kubernetes"))
                .env("CGO_ENABLED", "0")
                .env("GOFLAGS", "")
                .run()
        },
    )
}

/// What depends on how sandboxd comes into a sandbox.
const RUN_TESTS: [&str; 5] = ["answers::", "ending::", "limits::", "loss::", "under_gvisor"];

fn system(ui: &Ui, options: &Options, suite: &str, cluster: &Cluster, kube: &Path, filters: &[&str]) -> Result<()> {
    let mend = format!("the log names the test; `cargo xtask test --keep {suite}` leaves the cluster for a look");
    let title = if filters.is_empty() {
        format!("{suite} suite")
    } else {
        format!("{suite} suite injected otherwise")
    };
    ui.stage(&title, &mend, |stage| {
        stage.note("build the operator");
        ours::programs(stage, &["pinfold-operator"])?;
        stage.note("");
        let nodes = cluster.load().map_or(0, |state| state.shape.nodes);
        let range = cluster.load().and_then(|state| state.range);
        let mut test = ours::suite(stage, suite)
            .args(filters)
            .env("PINFOLD_TEST_KUBECONFIG_DIR", cluster.kubeconfigs())
            .env("PINFOLD_TEST_CLUSTER_DIR", &cluster.dir)
            .env("PINFOLD_TEST_NODES", nodes.to_string())
            .env("PINFOLD_TEST_FULL", if options.full { "1" } else { "" })
            .env("PINFOLD_OPERATOR_BIN", ours::program("pinfold-operator"))
            .env("PINFOLD_HELM", programs::ensure_helm(ui)?)
            .env("PINFOLD_KUBE_BIN", kube);
        if let Some(range) = range {
            test = test
                .env("PINFOLD_TEST_HOST_ADDRESS", range.host())
                .env("PINFOLD_TEST_API_ADDRESS", range.control_plane())
                .env("PINFOLD_TEST_NODE_ADDRESS", range.node(0));
        }
        if options.full {
            test = test.env("PINFOLD_KWOK_BIN", programs::ensure_kwok(ui)?);
        }
        test.run()
    })
}

/// Starts what a suite needs, and stops it again whether the suite passed or not.
fn with_cluster(
    ui: &Ui,
    options: &Options,
    name: &str,
    start: impl FnOnce() -> Result<Cluster>,
    suite: impl FnOnce(&Cluster, &Path) -> Result<()>,
) -> Result<()> {
    let result = start().and_then(|cluster| suite(&cluster, &programs::ensure_kube(ui)?));
    if options.keep {
        return result;
    }
    let mend = format!("run `cargo xtask down --cluster {name}`");
    let stopped = ui.stage(&format!("stop {name}"), &mend, |_| stop::stop(&Cluster::new(name)));
    result.and(stopped)
}
