//! `sandboxd`: the first process of every sandbox. It starts what the run asks for, holds its deadline, keeps the end of
//! its output and leaves the result where the kubelet finds it.
//!
//! One static binary without a runtime: it must work in an image that holds nothing else, and cost next to nothing.

mod canary;
mod install;
mod log;
mod ready;
mod result_file;
mod run;

use std::{env, process::ExitCode};

const USAGE: &str = "usage: sandboxd run | install <path> | ready | canary";
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let arguments: Vec<_> = arguments
        .iter()
        .map(|argument| argument.to_str().unwrap_or_default())
        .collect();
    match arguments[..] {
        ["run"] => run::run(),
        ["install", path] => install::install(path.as_ref()),
        ["ready"] => ready::ready(),
        ["canary"] => canary::canary(),
        _ => {
            log::error(USAGE);
            EXIT_USAGE.into()
        }
    }
}
