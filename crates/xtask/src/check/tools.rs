//! The slower checks, each by a tool that is installed into the cache when the machine lacks it.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::Run;
use crate::stage::Ui;
use crate::{packages, paths};

/// Cargo subcommands: name, version, arguments, mend.
const CARGO_TOOLS: &[(&str, &str, &[&str], &str)] = &[
    (
        "cargo-deny",
        "0.18.9",
        &["check", "bans", "licenses", "sources"],
        "see the log: deny.toml holds the rules and their reasons",
    ),
    (
        "cargo-machete",
        "0.9.1",
        &[],
        "remove the unused dependency from the manifest that the log names",
    ),
];
const TYPOS: &str = "typos==1.39.0";

/// One result per tool: what the first one finds must not hide what the others would.
pub(super) fn check(ui: &Ui) -> Vec<Result<()>> {
    let mut results: Vec<_> = CARGO_TOOLS.iter().map(|tool| cargo_tool(ui, tool)).collect();
    results.push(spelling(ui));
    results.push(vet(ui));
    results
}

fn vet(ui: &Ui) -> Result<()> {
    ui.stage("go vet", "mend what the log names in dev/cluster/kubernetes", |stage| {
        stage
            .run("go")
            .args(["vet", "-trimpath", "./..."])
            .dir(paths::sources().join("kubernetes"))
            .env("CGO_ENABLED", "0")
            .env("GOFLAGS", "")
            .run()
    })
}

fn cargo_tool(ui: &Ui, (tool, version, arguments, mend): &(&str, &str, &[&str], &str)) -> Result<()> {
    ui.stage(tool, mend, |stage| {
        let program = if let Some(program) = installed(tool) {
            program
        } else {
            stage.note("install");
            let root = paths::cache()?.join("cargo");
            stage
                .run("cargo")
                .args(["install", "--locked", "--version", version, "--root"])
                .arg(&root)
                .arg(tool)
                // The workspace's own target folder is of no use to another project.
                .env("CARGO_TARGET_DIR", root.join("target"))
                .dir("/")
                .run()?;
            root.join("bin").join(tool)
        };
        stage.run(program).args(*arguments).dir(paths::workspace()).run()
    })
}

fn spelling(ui: &Ui) -> Result<()> {
    let folder = paths::cache()?.join("typos");
    let program = folder.join("bin/typos");
    if !program.exists() {
        packages::ensure_these(ui, &["python3-venv"])?;
    }
    ui.stage(
        "spelling",
        "mend the word, or teach typos.toml that it is right",
        |stage| {
            if !program.exists() {
                stage.run("python3").args(["-m", "venv"]).arg(&folder).run()?;
                stage
                    .run(folder.join("bin/pip"))
                    .args(["install", "--quiet", TYPOS])
                    .run()?;
            }
            stage.run(&program).dir(paths::workspace()).run()
        },
    )
}

fn installed(tool: &str) -> Option<PathBuf> {
    let cached = paths::cache().ok()?.join("cargo/bin").join(tool);
    if cached.exists() {
        return Some(cached);
    }
    Run::new(tool).arg("--version").succeeds().then(|| PathBuf::from(tool))
}
