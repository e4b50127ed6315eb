//! Our own programs and suites, compiled for development.
//!
//! Cargo unites the features of whatever one command asks for. Commands that each name a package would have the same
//! dependencies compiled anew for each union of features, so every command here asks for the whole workspace, with the
//! dependencies of tests, and chooses what is made of it. And every command has clippy's compiler compile our crates:
//! what the lints have looked at is what the suites run, and nothing is checked besides being compiled.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::Run;
use crate::paths;
use crate::stage::Stage;

/// An example of the workspace: that something is built which may use what tests use brings those features in.
const WITH_TESTS: &str = "generate";

/// Compiles programs.
pub(crate) fn programs(stage: &Stage, names: &[&str]) -> Result<()> {
    let mut build = cargo(stage, "build").args(["--example", WITH_TESTS]);
    for name in names {
        build = build.args(["--bin", name]);
    }
    build.run()
}

/// Compiles an example, and says where it is.
pub(crate) fn example(stage: &Stage, name: &str) -> Result<PathBuf> {
    cargo(stage, "build").args(["--example", name]).run()?;
    Ok(paths::target().join("debug/examples").join(name))
}

/// Where a program is when it was compiled.
pub(crate) fn program(name: &str) -> PathBuf {
    paths::target().join("debug").join(name)
}

/// Runs a suite that needs more than the machine; its filters follow.
pub(crate) fn suite(stage: &Stage, name: &str) -> Run {
    cargo(stage, "test").args(["--test", name, "--"])
}

/// A command of cargo over the whole workspace.
pub(crate) fn cargo(stage: &Stage, command: &str) -> Run {
    stage
        .run("cargo")
        .args([command, "--workspace"])
        .env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver")
        .dir(paths::workspace())
}
