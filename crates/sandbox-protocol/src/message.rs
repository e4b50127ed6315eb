//! The textual form of a [`RunResult`]: a marker line, then compact JSON with the tails in base64.
//!
//! The kubelet keeps the last 4,096 bytes of the file and may put words of the container runtime in front of them, so
//! the form is found by its marker and stays below that size. Base64 keeps control bytes and invalid UTF-8 away from
//! every party on the way, at the price of a quarter of the room.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{Outcome, Phase, RunResult, StreamTail, VERSION};

/// Most that [`RunResult::encode`] gives.
pub const MAX_MESSAGE_BYTES: usize = 4_000;
/// What each stream keeps at least, however full both are.
pub const GUARANTEED_TAIL_BYTES: usize = 1_024;
/// What is worth keeping of a stream: no message holds more.
pub const TAIL_CAPACITY: usize = MAX_MESSAGE_BYTES / 4 * 3;
/// First line. JSON escapes line ends, so the body cannot hold it, whatever text a user put there.
pub const MARKER: &str = "#pinfold-run-result\n";

/// Room of a start failure's message, in its JSON form.
const MAX_ERROR_BYTES: usize = 512;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    version: u32,
    phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_at_ms: Option<u64>,
    stdout: StreamForm,
    stderr: StreamForm,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StreamForm {
    tail: String,
    total_bytes: u64,
}

impl RunResult {
    /// The textual form, at most [`MAX_MESSAGE_BYTES`] long: tails and the message of a start failure are cut to fit.
    pub fn encode(&self) -> String {
        let empty = |stream: &StreamTail| StreamForm {
            tail: String::new(),
            total_bytes: stream.total_bytes,
        };
        let mut form = Form {
            version: VERSION,
            phase: self.phase,
            outcome: self.outcome.as_ref().map(bounded),
            started_at_ms: self.started_at_ms,
            finished_at_ms: self.finished_at_ms,
            stdout: empty(&self.stdout),
            stderr: empty(&self.stderr),
        };
        let room = MAX_MESSAGE_BYTES.saturating_sub(MARKER.len() + json(&form).len());
        let (stdout, stderr) = shares(room, self.stdout.tail.len(), self.stderr.tail.len());
        form.stdout.tail = STANDARD_NO_PAD.encode(last(&self.stdout.tail, stdout));
        form.stderr.tail = STANDARD_NO_PAD.encode(last(&self.stderr.tail, stderr));
        format!("{MARKER}{}", json(&form))
    }

    /// Reads the last result in a termination message; `None` when there is none or it is malformed.
    ///
    /// Bytes after the JSON are ignored: they are the rest of a longer result that was being overwritten when
    /// `sandboxd` died.
    pub fn parse(message: &str) -> Option<Self> {
        let at = message.rfind(MARKER)?;
        let body = &message[at + MARKER.len()..];
        let form: Form = serde_json::Deserializer::from_str(body).into_iter().next()?.ok()?;
        if form.version != VERSION || (form.phase == Phase::Done) != form.outcome.is_some() {
            return None;
        }
        Some(Self {
            phase: form.phase,
            outcome: form.outcome,
            started_at_ms: form.started_at_ms,
            finished_at_ms: form.finished_at_ms,
            stdout: form.stdout.decode()?,
            stderr: form.stderr.decode()?,
        })
    }
}

impl StreamForm {
    fn decode(self) -> Option<StreamTail> {
        let tail = STANDARD_NO_PAD.decode(self.tail).ok()?;
        let seen = u64::try_from(tail.len()).ok()?;
        (seen <= self.total_bytes).then_some(StreamTail {
            tail,
            total_bytes: self.total_bytes,
        })
    }
}

/// Shares `room` characters of base64 between two tails of these lengths, in bytes: half each, and what one does not
/// need goes to the other.
fn shares(room: usize, stdout: usize, stderr: usize) -> (usize, usize) {
    let half = room / 2;
    let (stdout_needs, stderr_needs) = (characters(stdout), characters(stderr));
    let stdout_room = if stderr_needs < half { room - stderr_needs } else { half };
    let stderr_room = if stdout_needs < half { room - stdout_needs } else { half };
    (stdout.min(stdout_room * 3 / 4), stderr.min(stderr_room * 3 / 4))
}

/// Length of unpadded base64 of so many bytes.
fn characters(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

fn last(bytes: &[u8], count: usize) -> &[u8] {
    &bytes[bytes.len() - count..]
}

fn bounded(outcome: &Outcome) -> Outcome {
    let Outcome::StartFailed { exit_code, message } = outcome else {
        return outcome.clone();
    };
    let mut kept = String::new();
    let mut bytes = 0;
    for character in message.chars() {
        // A control character takes six bytes in JSON, a quote or a backslash two.
        bytes += if character.is_control() {
            6
        } else {
            character.len_utf8().max(2)
        };
        if bytes > MAX_ERROR_BYTES {
            break;
        }
        kept.push(character);
    }
    Outcome::StartFailed {
        exit_code: *exit_code,
        message: kept,
    }
}

fn json(form: &Form) -> String {
    serde_json::to_string(form).expect("strings and numbers always have a JSON form")
}

#[cfg(test)]
mod tests;
