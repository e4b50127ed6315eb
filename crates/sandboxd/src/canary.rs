//! `sandboxd canary`: that it prints anything proves that its volume allows execution.

use std::{
    io::{Write as _, stdout},
    process::ExitCode,
};

use sandbox_protocol::CANARY_LINE;

pub(crate) fn canary() -> ExitCode {
    match writeln!(stdout(), "{CANARY_LINE}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
