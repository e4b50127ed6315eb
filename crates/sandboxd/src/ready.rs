//! `sandboxd ready`: a readiness probe without a shell. It asks the result file, which `sandboxd run` keeps current, so
//! the two need no channel of their own.

use std::{env, fs, process::ExitCode};

use sandbox_protocol::{
    Phase, RunResult,
    env::{DEFAULT_RESULT_FILE, RESULT_FILE},
};

/// Succeeds from the moment the ready command has succeeded until the run ends.
pub(crate) fn ready() -> ExitCode {
    let path = env::var_os(RESULT_FILE).unwrap_or_else(|| DEFAULT_RESULT_FILE.into());
    let result = fs::read_to_string(path).ok().and_then(|text| RunResult::parse(&text));
    match result.map(|result| result.phase) {
        Some(Phase::Running) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
