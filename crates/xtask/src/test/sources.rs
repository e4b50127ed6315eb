//! The suites that need no cluster.

use anyhow::Result;

use crate::build::judges;
use crate::build::ours::{self, Optimised};
use crate::build::vectors;
use crate::stage::Ui;
use crate::{paths, postgres};

pub(super) fn unit(ui: &Ui, full: bool) -> Result<()> {
    let signatures = vectors::signatures(ui)?;
    let database = postgres::start(ui)?;
    ui.stage("unit tests", "mend the test or the code that the log names", |stage| {
        ours::cargo(stage, "test")
            .env("PINFOLD_TEST_DATABASE_URL", database.url())
            .env("PINFOLD_TEST_FULL", if full { "1" } else { "" })
            .env("PINFOLD_TEST_SIGNATURES", &signatures)
            .run()
    })
}

pub(super) fn api(ui: &Ui, full: bool) -> Result<()> {
    let database = postgres::start(ui)?;
    ui.stage("api suite", "the log names the test", |stage| {
        stage.note("build the API");
        ours::programs(stage, &["pinfold-api"], Optimised::No)?;
        stage.note("");
        ours::suite(stage, "api")
            .env("PINFOLD_TEST_FULL", if full { "1" } else { "" })
            .env("PINFOLD_TEST_DATABASE_URL", database.url())
            .env("PINFOLD_API_BIN", ours::program("pinfold-api", Optimised::No))
            .run()
    })
}

pub(super) fn interop(ui: &Ui) -> Result<()> {
    let tools = judges::ensure(ui)?;
    let database = postgres::start(ui)?;
    ui.stage(
        "interop suite",
        "the log names the test, and what the tool found",
        |stage| {
            stage.note("build the API");
            ours::programs(stage, &["pinfold-api"], Optimised::No)?;
            stage.note("");
            ours::suite(stage, "interop")
                .env("PINFOLD_TEST_DATABASE_URL", database.url())
                .env("PINFOLD_API_BIN", ours::program("pinfold-api", Optimised::No))
                .env("PINFOLD_INTEROP_TOOLS", tools)
                .run()
        },
    )
}

pub(super) fn netpol(ui: &Ui) -> Result<()> {
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
