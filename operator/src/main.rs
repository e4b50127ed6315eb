//! The operator's entry: reads its flags, runs, says why it ended.

use std::process::ExitCode;

use clap::Parser;
use operator::{config::Flags, run};

fn main() -> ExitCode {
    // One provider of cryptography for the whole process, before anything can choose another.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("a provider of cryptography is already installed");
        return ExitCode::FAILURE;
    }
    match run::run(Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pinfold-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}
