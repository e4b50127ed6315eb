//! Keeps the result file true: now and then while the program runs, and once more when everything is over.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sandbox_protocol::{FINISH_SECONDS, Outcome, Phase, RunResult};

use super::{
    capture::Capture,
    supervisor::{KILL_LIMIT, Supervisor},
};
use crate::{log, result_file::ResultFile};

/// Soon at first, for programs that are killed together with us in their first second; then less and less often.
const FIRST_INTERVAL: Duration = Duration::from_millis(250);
const LONGEST_INTERVAL: Duration = Duration::from_secs(5);
/// How long to wait for the last output: longer only if the log's reader does not read.
const DRAIN_LIMIT: Duration = Duration::from_secs(4);
/// The operator counts on it.
const _: () = assert!(KILL_LIMIT.as_secs() + DRAIN_LIMIT.as_secs() < FINISH_SECONDS as u64);

#[derive(Debug)]
pub(crate) struct Report {
    file: Option<ResultFile>,
    result: RunResult,
    streams: Option<Streams>,
    due: Instant,
    interval: Duration,
}

#[derive(Debug)]
struct Streams {
    stdout: Capture,
    stderr: Capture,
    written: (u64, u64),
}

impl Report {
    /// A file that cannot be opened costs the tails, not the run: the exit code still tells how it ended.
    pub(crate) fn open(path: &Path) -> Self {
        let file = ResultFile::open(path)
            .inspect_err(|error| log::error(&format!("could not open the result file {}: {error}", path.display())))
            .ok();
        Self {
            file,
            result: RunResult::preparing(),
            streams: None,
            due: Instant::now(),
            interval: FIRST_INTERVAL,
        }
    }

    pub(crate) fn preparing(&self) {
        self.write();
    }

    pub(crate) fn attach(&mut self, stdout: Capture, stderr: Capture) {
        self.streams = Some(Streams {
            stdout,
            stderr,
            written: (0, 0),
        });
    }

    pub(crate) fn running(&mut self, at_ms: u64) {
        self.result.phase = Phase::Running;
        self.result.started_at_ms = Some(at_ms);
        self.due = Instant::now() + self.interval;
        self.write();
    }

    /// When to call [`Self::refresh`] next; never without output to report.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.streams.as_ref().map(|_| self.due)
    }

    /// Writes the tails if it is time and they have changed.
    pub(crate) fn refresh(&mut self, now: Instant) {
        let Some(streams) = &mut self.streams else { return };
        if now < self.due {
            return;
        }
        self.interval = (self.interval * 2).min(LONGEST_INTERVAL);
        self.due = now + self.interval;
        let seen = (streams.stdout.total_bytes(), streams.stderr.total_bytes());
        if streams.written != seen {
            streams.written = seen;
            self.take_tails();
            self.write();
        }
    }

    pub(crate) fn finished(&mut self, at_ms: u64) {
        self.result.finished_at_ms = Some(at_ms);
    }

    /// Waits for the rest of the output, which is there to the end once all writers are dead.
    pub(crate) fn drain(&self, supervisor: &mut Supervisor) {
        let limit = Instant::now() + DRAIN_LIMIT;
        while self
            .streams
            .as_ref()
            .is_some_and(|streams| !streams.stdout.is_done() || !streams.stderr.is_done())
            && Instant::now() < limit
        {
            supervisor.wait(Some(limit));
        }
    }

    /// Writes the last word. Whatever a program put into the file is gone with it.
    pub(crate) fn done(&mut self, outcome: Outcome) {
        self.result.phase = Phase::Done;
        self.result.outcome = Some(outcome);
        self.take_tails();
        self.write();
    }

    fn take_tails(&mut self) {
        if let Some(streams) = &self.streams {
            self.result.stdout = streams.stdout.to_stream();
            self.result.stderr = streams.stderr.to_stream();
        }
    }

    fn write(&self) {
        if let Some(file) = &self.file
            && let Err(error) = file.write(&self.result.encode())
        {
            log::error(&format!("could not write the result: {error}"));
        }
    }
}
