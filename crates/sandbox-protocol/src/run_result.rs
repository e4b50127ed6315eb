//! What became of a run, as `sandboxd` saw it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::exit_code;

/// Version of the textual form.
pub const VERSION: u32 = 1;

/// State of a run. Written again and again while it lasts: the last one that survives is the one that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    pub phase: Phase,
    /// Present exactly when the phase is [`Phase::Done`].
    pub outcome: Option<Outcome>,
    /// When the program began (milliseconds since the epoch); absent while preparing and when it never began.
    pub started_at_ms: Option<u64>,
    /// When the run ended, by its program or otherwise; absent before.
    pub finished_at_ms: Option<u64>,
    pub stdout: StreamTail,
    pub stderr: StreamTail,
}

/// How far a run has come. A pod that ended in another phase than `Done` lost its `sandboxd` on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Start command and ready command are at work: the program has not begun.
    Preparing,
    Running,
    Done,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum Outcome {
    Exited(i32),
    Signaled(i32),
    /// The kernel killed the program for its memory, and not `sandboxd`.
    OutOfMemory,
    /// The program had not ended when its time was over, and was killed.
    DeadlineExceeded,
    /// `sandboxd` was told to terminate, and this is what the program did then, if it had begun.
    Stopped(Option<ProgramEnd>),
    /// The program never began.
    StartFailed {
        exit_code: u8,
        message: String,
    },
    /// An interactive sandbox reached its deadline.
    Completed,
}

/// How one process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramEnd {
    Exited(i32),
    Signaled(i32),
}

/// The end of an output stream.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StreamTail {
    /// The last bytes, as the program wrote them.
    pub tail: Vec<u8>,
    /// All bytes that the stream carried, those of the tail included.
    pub total_bytes: u64,
}

impl fmt::Debug for StreamTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes ending in \"{}\"",
            self.total_bytes,
            self.tail.escape_ascii()
        )
    }
}

impl RunResult {
    /// The state before anything has begun.
    pub fn preparing() -> Self {
        Self {
            phase: Phase::Preparing,
            outcome: None,
            started_at_ms: None,
            finished_at_ms: None,
            stdout: StreamTail::default(),
            stderr: StreamTail::default(),
        }
    }

    /// Whether a container that exited with this code can have left this result. One that does not agree was written by
    /// the program, before something killed `sandboxd`: of such a result only the tails may be shown.
    pub fn agrees_with(&self, container_exit_code: i32) -> bool {
        self.outcome
            .as_ref()
            .is_none_or(|outcome| i32::from(outcome.exit_code()) == container_exit_code)
    }
}

impl Outcome {
    /// The code that the container exits with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Exited(code) => ProgramEnd::Exited(*code).exit_code(),
            Self::Signaled(signal) => ProgramEnd::Signaled(*signal).exit_code(),
            Self::OutOfMemory => ProgramEnd::Signaled(9).exit_code(),
            Self::DeadlineExceeded => exit_code::DEADLINE_EXCEEDED,
            Self::Stopped(_) => exit_code::STOPPED,
            Self::StartFailed { exit_code, .. } => *exit_code,
            Self::Completed => 0,
        }
    }
}

impl ProgramEnd {
    /// The program's own code, or 128 and the signal that killed it.
    pub fn exit_code(self) -> u8 {
        match self {
            // Out of range only in a forged message: never a success.
            Self::Exited(code) => u8::try_from(code).unwrap_or(u8::MAX),
            Self::Signaled(signal) => u8::try_from(signal.saturating_add(128)).unwrap_or(u8::MAX),
        }
    }
}

impl From<ProgramEnd> for Outcome {
    fn from(end: ProgramEnd) -> Self {
        match end {
            ProgramEnd::Exited(code) => Self::Exited(code),
            ProgramEnd::Signaled(signal) => Self::Signaled(signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        let table = [
            (Outcome::Exited(0), 0),
            (Outcome::Exited(7), 7),
            (Outcome::Exited(-1), 255),
            (Outcome::Signaled(9), 137),
            (Outcome::Signaled(i32::MAX), 255),
            (Outcome::OutOfMemory, 137),
            (Outcome::DeadlineExceeded, 124),
            (Outcome::Stopped(Some(ProgramEnd::Exited(0))), 143),
            (Outcome::Stopped(None), 143),
            (
                Outcome::StartFailed {
                    exit_code: 127,
                    message: String::new(),
                },
                127,
            ),
            (Outcome::Completed, 0),
        ];
        for (outcome, code) in table {
            assert_eq!(outcome.exit_code(), code, "{outcome:?}");
        }
    }

    #[test]
    fn a_forged_success_does_not_agree_with_a_killed_container() {
        let mut result = RunResult::preparing();
        assert!(result.agrees_with(137));
        result.outcome = Some(Outcome::Exited(0));
        assert!(result.agrees_with(0) && !result.agrees_with(137));
        result.outcome = Some(Outcome::DeadlineExceeded);
        assert!(result.agrees_with(124) && !result.agrees_with(0));
    }
}
