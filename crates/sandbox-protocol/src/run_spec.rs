//! How a run is to be executed: everything but its bulky input.

use serde::{Deserialize, Serialize};

/// What `sandboxd` needs to know before it starts anything. Unknown fields are refused: an operator that asks for more
/// than this `sandboxd` can do must not be half obeyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunSpec {
    /// UID of the `SandboxRun`.
    pub run_uid: String,
    pub mode: Mode,
    /// Time the program may take, from its start.
    pub timeout_seconds: u32,
    /// Time between SIGTERM and SIGKILL at the deadline or at a stop.
    pub grace_seconds: u32,
    /// Time the ready command has to succeed.
    pub start_timeout_seconds: u32,
    /// Absolute working directory, made when missing. The image's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// A service that runs beside the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_command: Option<Vec<String>>,
    /// Repeated until it exits with 0; only then does the program start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_command: Option<Vec<String>>,
}

/// What the run executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// The argv of the input.
    Command,
    /// The source text of the input.
    Code { language: Language },
    /// Nothing: the sandbox stays until its deadline.
    Interactive,
}

/// The languages that source text may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    Python,
    Bash,
    JavaScript,
}
