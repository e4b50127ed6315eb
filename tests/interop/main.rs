//! The control-plane API as libraries and tools of others see it, which know nothing of ours.

mod authlib;
mod authorization;
mod browser;
mod conformance;
mod consent;
mod jose;
mod mcp;
mod oauth;
mod replicas;
mod schemathesis;
mod smtp;

use std::{env, path::PathBuf};

use tokio::process::Command;

/// A program of the tools that `cargo xtask test interop` installs, from their lock files.
fn tool(name: &str) -> Command {
    let folder = env::var_os("PINFOLD_INTEROP_TOOLS").map(PathBuf::from).expect(
        "`cargo xtask test interop` installs the tools, or PINFOLD_INTEROP_TOOLS names the folder that has them",
    );
    let mut command = Command::new(folder.join("bin").join(name));
    command.current_dir(folder.join("node")).kill_on_drop(true);
    command
}
