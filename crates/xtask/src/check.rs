//! `xtask check`: everything that can be said about the sources without running the product.

mod boundaries;
mod charts;
mod generated;
mod length;
mod licences;
mod lints;
mod tools;

use anyhow::{Result, bail};
use clap::Args;

use crate::paths;
use crate::stage::Ui;

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Also licence files, bans and sources by cargo-deny, unused dependencies and spelling
    #[arg(long)]
    pub(crate) full: bool,
}

pub(crate) fn run(ui: &Ui, options: &Options) -> Result<()> {
    let boundaries_mend = "move the code to the crate or file that may do it (ARCHITECTURE.md)";
    let lints_mend = "mend what clippy names; suppress only with #[expect(lint, reason = \"...\")]";
    let licences_mend = "take another crate, or allow the licence in deny.toml if a lawyer would";
    // All of them, whatever the first ones say: one round then shows everything there is to mend.
    let mut results = vec![
        ui.stage("format", "run `cargo fmt --all`", |stage| {
            let format = stage.run("cargo").args(["fmt", "--all", "--check"]);
            format.dir(paths::workspace()).run()
        }),
        ui.stage("boundaries", boundaries_mend, boundaries::check),
        ui.stage("file length", "split the file: one thing per file", |_| length::check()),
        ui.stage("licences", licences_mend, licences::check),
        ui.stage("lints", lints_mend, lints::check),
        ui.stage(
            "generated files",
            "run `cargo xtask generate` and commit the result",
            generated::check,
        ),
        charts::check(ui),
    ];
    if options.full {
        results.extend(tools::check(ui));
    }
    let failures: Vec<String> = results
        .into_iter()
        .filter_map(Result::err)
        .map(|failure| format!("{failure:#}"))
        .collect();
    if !failures.is_empty() {
        bail!("{}", failures.join("\n\n"));
    }
    Ok(())
}
