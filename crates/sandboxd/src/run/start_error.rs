//! Why a program did not begin, in words for its owner and as an exit code.

use std::{io, path::PathBuf};

use sandbox_protocol::{DecodeError, Outcome, ProgramEnd, exit_code};
use thiserror::Error;

use crate::log;

#[derive(Debug, Error)]
pub(crate) enum StartError {
    #[error("could not watch for signals")]
    Handlers(#[source] io::Error),
    #[error("could not read the run's input")]
    Input(#[source] DecodeError),
    #[error("could not make the workdir {path}")]
    MakeWorkdir {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("could not enter the workdir {path}")]
    EnterWorkdir {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("could not write the code below any of {}", folders.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", "))]
    WriteCode {
        folders: Vec<PathBuf>,
        #[source]
        source: io::Error,
    },
    #[error("could not connect input and output of {program}")]
    Connect {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("{program} was not found in PATH ({path})")]
    NotInPath { program: String, path: String },
    #[error("{program} does not exist")]
    NotFound { program: String },
    #[error("{program} cannot be executed: {reason}")]
    NotExecutable { program: String, reason: &'static str },
    #[error("{program} exists, but its interpreter or loader does not")]
    NoInterpreter { program: String },
    #[error("could not execute {program}")]
    Execute {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("there are no resources to start {program}")]
    NoResources {
        program: String,
        #[source]
        source: io::Error,
    },
    #[error("the start command {} before the sandbox was ready", describe(*.0))]
    ServiceEnded(ProgramEnd),
    #[error("the ready command did not succeed within {seconds} s; at last it {last}")]
    NotReady { seconds: u32, last: String },
}

impl StartError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::NotInPath { .. } | Self::NotFound { .. } | Self::NoInterpreter { .. } => exit_code::NOT_FOUND,
            Self::NotExecutable { .. } | Self::Execute { .. } => exit_code::NOT_EXECUTABLE,
            _ => exit_code::START_FAILED,
        }
    }
}

impl From<StartError> for Outcome {
    fn from(error: StartError) -> Self {
        Self::StartFailed {
            exit_code: error.exit_code(),
            message: log::chain(&error),
        }
    }
}

/// An end as the predicate of a sentence.
pub(crate) fn describe(end: ProgramEnd) -> String {
    match end {
        ProgramEnd::Exited(code) => format!("exited with code {code}"),
        ProgramEnd::Signaled(signal) => format!("was killed by signal {signal}"),
    }
}
