//! Parses, runs, reports.

use std::process::ExitCode;

use api::cli::{self, Cli};
use clap::Parser as _;
use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[expect(
    clippy::print_stderr,
    reason = "what keeps the program from running is told where it was started"
)]
fn main() -> ExitCode {
    // Two providers in the tree would leave rustls without a default.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: a provider of cryptography is installed already");
        return ExitCode::FAILURE;
    }
    match cli::run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
