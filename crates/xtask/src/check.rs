//! `xtask check`: everything that can be said about the sources without running the product.

mod boundaries;
mod charts;
mod generated;
mod length;
mod tools;

use anyhow::Result;
use clap::Args;

use crate::paths;
use crate::stage::Ui;

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Also licences and advisories, unused dependencies and spelling
    #[arg(long)]
    pub(crate) full: bool,
}

pub(crate) fn run(ui: &Ui, options: &Options) -> Result<()> {
    let cargo = |stage: &crate::stage::Stage, arguments: &[&str]| {
        stage.run("cargo").args(arguments).dir(paths::workspace()).run()
    };
    ui.stage("format", "run `cargo fmt --all`", |stage| {
        cargo(stage, &["fmt", "--all", "--check"])
    })?;
    ui.stage(
        "boundaries",
        "move the code to the crate or file that may do it (ARCHITECTURE.md)",
        boundaries::check,
    )?;
    ui.stage("file length", "split the file: one thing per file", |_| length::check())?;
    ui.stage(
        "lints",
        "mend what clippy names; suppress only with #[expect(lint, reason = \"...\")]",
        |stage| {
            cargo(
                stage,
                &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
            )
        },
    )?;
    ui.stage(
        "generated files",
        "run `cargo xtask generate` and commit the result",
        generated::check,
    )?;
    charts::check(ui)?;
    if options.full {
        tools::check(ui)?;
    }
    Ok(())
}
