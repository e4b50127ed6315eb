//! The developer's tool: a real cluster on one machine, the images, the suites and the checks.

mod answer;
mod bench;
mod build;
mod check;
mod cli;
mod cluster;
mod command;
mod demo;
mod down;
mod foreign;
mod fuzz;
mod generate;
mod image;
mod install;
mod kubeconfig;
mod logs;
mod packages;
mod paths;
mod postgres;
mod preflight;
mod stage;
mod status;
mod test;
mod up;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
