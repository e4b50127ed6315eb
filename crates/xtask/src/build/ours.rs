//! Our own programs and suites, compiled for this machine.
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

/// How programs are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Optimised {
    /// As the suites run them and `cargo build` makes them: nothing is compiled twice.
    No,
    /// For measurements, and for clusters that people work on.
    Yes,
}

impl Optimised {
    fn profile(self) -> &'static str {
        match self {
            Self::No => "dev",
            Self::Yes => "image",
        }
    }

    fn folder(self) -> PathBuf {
        paths::target().join(match self {
            Self::No => "debug",
            Self::Yes => "image",
        })
    }
}

/// Compiles programs.
pub(crate) fn programs(stage: &Stage, names: &[&str], optimised: Optimised) -> Result<()> {
    let mut build = build(stage, optimised).args(["--example", WITH_TESTS]);
    for name in names {
        build = build.args(["--bin", name]);
    }
    build.run()
}

/// Compiles examples, and says where they are.
pub(crate) fn examples<const N: usize>(stage: &Stage, names: [&str; N], optimised: Optimised) -> Result<[PathBuf; N]> {
    let mut build = build(stage, optimised);
    for name in names {
        build = build.args(["--example", name]);
    }
    build.run()?;
    let folder = optimised.folder().join("examples");
    Ok(names.map(|name| folder.join(name)))
}

fn build(stage: &Stage, optimised: Optimised) -> Run {
    let build = over_workspace(modest_cargo(stage)).args(["--profile", optimised.profile()]);
    match optimised {
        Optimised::No => build,
        // What is compiled anew for another purpose was looked at before.
        Optimised::Yes => build
            .env("RUSTC_WORKSPACE_WRAPPER", "")
            .env("AWS_LC_SYS_NO_JITTER_ENTROPY", "0"),
    }
}

/// Where a program is when it was compiled.
pub(crate) fn program(name: &str, optimised: Optimised) -> PathBuf {
    optimised.folder().join(name)
}

/// Runs a suite that needs more than the machine; its filters follow.
pub(crate) fn suite(stage: &Stage, name: &str) -> Run {
    // What a test measured is in the log, though it passed.
    cargo(stage, "test").args(["--test", name, "--", "--show-output"])
}

/// A command of cargo over the whole workspace.
pub(crate) fn cargo(stage: &Stage, command: &str) -> Run {
    over_workspace(stage.run("cargo").arg(command))
}

/// Cargo compiling beside others, whom it leaves the processors: a cluster starts with what they make, and compilers that take turns
/// on one processor all take a fifth longer.
pub(crate) fn modest_cargo(stage: &Stage) -> Run {
    stage.run("nice").args(["-n", "19", "cargo", "build"])
}

fn over_workspace(cargo: Run) -> Run {
    cargo
        .arg("--workspace")
        .env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver")
        .dir(paths::workspace())
}
