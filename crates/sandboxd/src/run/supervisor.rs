//! The main thread's view: it waits, reaps, passes signals on, and remembers that it was told to stop.

use std::{
    io,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};
use sandbox_protocol::ProgramEnd;

use super::{
    events::{Events, Waker},
    processes::Processes,
};

/// How long to wait for killed processes to go. One in an uninterruptible system call may take longer than that; it
/// dies with this process.
pub(crate) const KILL_LIMIT: Duration = Duration::from_secs(4);
/// Ends of processes that are not our children are not signalled to us.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Supervisor {
    events: Events,
    processes: Processes,
    foreground: Option<Pid>,
    stop_requested: bool,
}

impl Supervisor {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            events: Events::listen()?,
            processes: Processes::of_this_process(),
            foreground: None,
            stop_requested: false,
        })
    }

    /// Waits until something may have happened, and at most until the given time.
    pub(crate) fn wait(&mut self, until: Option<Instant>) {
        for signal in self.events.wait(until) {
            match signal {
                Signal::CHILD => {}
                Signal::TERM | Signal::INT => self.stop_requested = true,
                other => self.forward(other),
            }
        }
        self.processes.reap();
    }

    /// Remembers how this child ends.
    pub(crate) fn watch(&mut self, child: Pid) {
        self.processes.watch(child);
    }

    /// For children whose end has been seen and of which there may be many.
    pub(crate) fn forget(&mut self, child: Pid) {
        self.processes.forget(child);
    }

    /// Passes signals of no meaning to us on to the process group of this child.
    pub(crate) fn set_foreground(&mut self, child: Pid) {
        self.foreground = Some(child);
    }

    pub(crate) fn ended(&self, child: Pid) -> Option<ProgramEnd> {
        self.processes.ended(child)
    }

    pub(crate) fn stop_requested(&self) -> bool {
        self.stop_requested
    }

    pub(crate) fn waker(&self) -> io::Result<Waker> {
        self.events.waker()
    }

    pub(crate) fn terminate_everything(&self) {
        self.processes.signal_everything(Signal::TERM);
    }

    /// Whether any process is left that is not ours.
    pub(crate) fn any_left(&self) -> bool {
        self.processes.any_left()
    }

    /// Kills one child and its process group, and nothing that left the group.
    pub(crate) fn kill_group(&self, child: Pid) {
        self.processes.signal_group(child, Signal::KILL);
    }

    /// Kills whatever is left until nothing is, for a bounded time.
    pub(crate) fn kill_everything(&mut self) {
        let limit = Instant::now() + KILL_LIMIT;
        self.processes.reap();
        while self.processes.any_left() && Instant::now() < limit {
            // Again each time: outside a PID namespace of our own a process may fork while we go through the list.
            self.processes.signal_everything(Signal::KILL);
            self.wait(Some(Instant::now() + LOOK_AGAIN));
        }
    }

    fn forward(&self, signal: Signal) {
        if let Some(child) = self.foreground {
            self.processes.signal_group(child, signal);
        }
    }
}
