//! What the operator and `sandboxd` say to each other about one run.
//!
//! Input travels in reserved environment variables of the container ([`RunInput`]), the answer in the container's exit
//! code and termination message ([`RunResult`]). Everything here is pure: no clock, no files, no processes. Who writes
//! the pod and who runs the program is left to the operator and to `sandboxd`.

pub mod env;
pub mod exit_code;
mod message;
mod run_input;
mod run_result;
mod run_spec;
mod status_text;

pub use message::{GUARANTEED_TAIL_BYTES, MARKER, MAX_MESSAGE_BYTES, TAIL_CAPACITY};
pub use run_input::{
    DecodeError, EncodeError, Field, MAX_CODE_BYTES, MAX_COMMAND_BYTES, MAX_SPEC_BYTES, MAX_STDIN_BYTES, RunInput,
};
pub use run_result::{Outcome, Phase, ProgramEnd, RunResult, StreamTail, VERSION};
pub use run_spec::{Language, Mode, RunSpec};
pub use status_text::{StatusText, status_text};

/// Most time that `sandboxd` takes from its SIGKILL, at the end of the grace or after the program's own end, to its exit:
/// for processes to go and for the log's reader to take the last output. The pod's own deadlines leave it that much.
pub const FINISH_SECONDS: u32 = 10;

/// What `sandboxd canary` prints: a pod that shows it could execute the binary from its volume.
pub const CANARY_LINE: &str = "sandboxd canary: executed";
