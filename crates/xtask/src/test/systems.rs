//! The suites that need a cluster, each with one of its own.

use std::path::Path;
use std::thread;

use anyhow::{Result, anyhow};

use super::{Options, Suite};
use crate::build::ours::{self, Optimised};
use crate::build::programs;
use crate::cluster::{Cluster, stop};
use crate::stage::Ui;
use crate::up::{self, Options as Up};
use crate::{demo, install, postgres};

/// Kept apart from the cluster of daily work, so that a suite neither sees nor breaks it.
const OPERATOR_CLUSTER: &str = "suite";
const E2E_CLUSTER: &str = "e2e";

/// Runs these suites, and beside the last of them something else that needs no cluster.
pub(super) fn run(
    ui: &Ui,
    options: &Options,
    suites: &[Suite],
    beside: &(impl Fn() -> Result<()> + Sync),
) -> Result<()> {
    // The cluster with nodes is made while the operator suite runs: much of either is waiting.
    thread::scope(|scope| {
        let nodes = suites
            .contains(&Suite::E2e)
            .then(|| scope.spawn(|| demo::installed(ui, &with_gvisor(), Optimised::No)));
        let operator = if suites.contains(&Suite::Operator) {
            operator(ui, options)
        } else {
            Ok(())
        };
        let Some(nodes) = nodes else { return operator };
        let installed = nodes
            .join()
            .unwrap_or_else(|_| Err(anyhow!("the start of the cluster ended in a panic")));
        with_cluster(ui, options, E2E_CLUSTER, installed, |cluster, kube| {
            operator?;
            e2e(ui, options, cluster, kube, beside)
        })
    })
}

fn with_gvisor() -> Up {
    let mut up = Up::named(E2E_CLUSTER);
    up.gvisor = true;
    up
}

fn operator(ui: &Ui, options: &Options) -> Result<()> {
    let mut up = Up::named(OPERATOR_CLUSTER);
    up.control_plane_only = true;
    up.controller_manager = true;
    let started = up::ensure_running(ui, &up);
    with_cluster(ui, options, OPERATOR_CLUSTER, started, |cluster, kube| {
        if !options.full {
            return system(ui, options, ("operator", "operator suite"), cluster, kube, &[]);
        }
        // Its thousands of runs keep the API server busy for minutes: the other tests would wait for that.
        let others = ["--skip", GENERATED];
        system(ui, options, ("operator", "operator suite"), cluster, kube, &others)?;
        system(
            ui,
            options,
            ("operator", "generated objects"),
            cluster,
            kube,
            &[GENERATED],
        )
    })
}

/// The tests that make objects by the thousand.
const GENERATED: &str = "generated::";

fn e2e(
    ui: &Ui,
    options: &Options,
    cluster: &Cluster,
    kube: &Path,
    beside: &(impl Fn() -> Result<()> + Sync),
) -> Result<()> {
    let suite = |names, filters| system(ui, options, names, cluster, kube, filters);
    suite(("e2e", "e2e suite"), &[])?;
    api_on_cluster(ui, options, cluster)?;
    // Every run once more with sandboxd copied in, as on clusters whose image volumes cannot execute.
    install::development_with(ui, cluster, &["sandboxd.injection=initContainer"])?;
    suite(("e2e", "e2e suite injected otherwise"), &RUN_TESTS)?;
    thread::scope(|scope| {
        let beside = scope.spawn(beside);
        let result = suite(("outage", "outage suite"), &[]).and_then(|()| suite(("release", "release suite"), &[]));
        let beside = beside.join().map_err(|_| anyhow!("a suite ended in a panic"))?;
        result.and(beside)
    })
}

/// The API beside the cluster, under the rights that the chart gives it.
fn api_on_cluster(ui: &Ui, options: &Options, cluster: &Cluster) -> Result<()> {
    let database = postgres::start(ui)?;
    let range = cluster.load().and_then(|state| state.range);
    let url = range.map(install::api::url).unwrap_or_default();
    ui.stage("API on the cluster", "the log names the test", |stage| {
        stage.note("build the API");
        ours::programs(stage, &["pinfold-api"], Optimised::No)?;
        stage.note("");
        ours::suite(stage, "api_on_cluster")
            .env("PINFOLD_TEST_DATABASE_URL", database.url())
            .env("PINFOLD_API_BIN", ours::program("pinfold-api", Optimised::No))
            .env("PINFOLD_TEST_KUBECONFIG_DIR", cluster.kubeconfigs())
            .env("PINFOLD_TEST_CLUSTER_DIR", &cluster.dir)
            .env("PINFOLD_TEST_API_URL", url)
            .env("PINFOLD_TEST_FULL", if options.full { "1" } else { "" })
            .run()
    })
}

/// What depends on how sandboxd comes into a sandbox. How much a program writes does not.
const RUN_TESTS: [&str; 7] = [
    "answers::",
    "ending::",
    "limits::",
    "loss::",
    "under_gvisor",
    "--skip",
    "a_hundred_megabytes_of_output",
];

/// Tests that run at once: most of them wait for the cluster most of the time.
const AT_ONCE: &str = "4";

/// Runs the tests of a suite that the filters choose, as a stage of that title.
fn system(
    ui: &Ui,
    options: &Options,
    (suite, title): (&str, &str),
    cluster: &Cluster,
    kube: &Path,
    filters: &[&str],
) -> Result<()> {
    let mend = format!("the log names the test; `cargo xtask test --keep {suite}` leaves the cluster for a look");
    ui.stage(title, &mend, |stage| {
        stage.note("build the operator");
        ours::programs(stage, &["pinfold-operator"], Optimised::No)?;
        stage.note("");
        let nodes = cluster.load().map_or(0, |state| state.shape.nodes);
        let range = cluster.load().and_then(|state| state.range);
        let mut test = ours::suite(stage, suite)
            .args(["--test-threads", AT_ONCE])
            .args(filters)
            .env("PINFOLD_TEST_KUBECONFIG_DIR", cluster.kubeconfigs())
            .env("PINFOLD_TEST_CLUSTER_DIR", &cluster.dir)
            .env("PINFOLD_TEST_NODES", nodes.to_string())
            .env("PINFOLD_TEST_FULL", if options.full { "1" } else { "" })
            .env("PINFOLD_OPERATOR_BIN", ours::program("pinfold-operator", Optimised::No))
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

/// Runs a suite on what it needs, which is stopped again whether the suite passed or not.
fn with_cluster(
    ui: &Ui,
    options: &Options,
    name: &str,
    started: Result<Cluster>,
    suite: impl FnOnce(&Cluster, &Path) -> Result<()>,
) -> Result<()> {
    let result = started.and_then(|cluster| suite(&cluster, &programs::ensure_kube(ui)?));
    if options.keep {
        return result;
    }
    let mend = format!("run `cargo xtask down --cluster {name}`");
    let stopped = ui.stage(&format!("stop {name}"), &mend, |_| stop::stop(&Cluster::new(name)));
    result.and(stopped)
}
