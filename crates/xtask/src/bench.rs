//! `xtask bench`: the product's speed and size on a real cluster, as a table and a JSON file. It judges nothing.

use anyhow::{Result, ensure};
use clap::Args;

use crate::answer::answer;
use crate::build::{
    judges,
    ours::{self, Optimised},
    programs,
};
use crate::cli::Named;
use crate::stage::Ui;
use crate::up::Options as Up;
use crate::{demo, paths, postgres, preflight};

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    named: Named,
    /// Also the long measurements: many objects on fake nodes
    #[arg(long)]
    full: bool,
    /// Only these measurements, separated by commas: single, burst, idle, sandbox, refusals, api, fakes
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

pub(crate) fn run(ui: &Ui, options: &Options) -> Result<()> {
    preflight::root()?;
    let source = paths::workspace().join("tests/examples/bench.rs");
    ensure!(
        source.exists(),
        "{} is missing: the measurements are a program of the system tests",
        source.display()
    );
    if options.full {
        programs::require_go(&[programs::OF_KWOK])?;
    }
    let cluster = demo::installed(ui, &Up::named(&options.named.cluster), Optimised::Yes)?;
    let kube = programs::ensure_kube(ui)?;
    let tools = judges::ensure(ui)?;
    let database = postgres::start(ui)?;
    let table = paths::work().join("bench.json");
    let mend = "read the log; a busy machine makes measurements fail on their deadlines";
    let mut text = String::new();
    let only = options.only.iter().flat_map(|part| ["--only", part]);
    let measured = ui.stage("measurements", mend, |stage| {
        stage.note("build the measurements");
        let [bench, verifications] = ours::examples(stage, ["bench", "verifications"], Optimised::Yes)?;
        stage.note("");
        let mut bench = stage
            .run(bench)
            .arg("--json")
            .arg(&table)
            .args(only)
            .dir(paths::workspace())
            .env("PINFOLD_TEST_KUBECONFIG_DIR", cluster.kubeconfigs())
            .env("PINFOLD_TEST_CLUSTER_DIR", &cluster.dir)
            .env("PINFOLD_TEST_DATABASE_URL", database.url())
            .env("PINFOLD_API_BIN", ours::program("pinfold-api", Optimised::Yes))
            .env("PINFOLD_BENCH_VERIFICATIONS", verifications)
            .env("PINFOLD_TEST_FULL", if options.full { "1" } else { "" })
            .env("PINFOLD_INTEROP_TOOLS", &tools)
            .env("PINFOLD_KUBE_BIN", &kube);
        if options.full {
            bench = bench.env("PINFOLD_KWOK_BIN", programs::ensure_kwok(ui)?);
        }
        let end;
        (text, end) = bench.output_and_end()?;
        end
    });
    // One measurement that failed takes nothing from the others.
    answer!("{text}");
    if !text.is_empty() {
        answer!("the same as JSON: {}", table.display());
    }
    measured
}
