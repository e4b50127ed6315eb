//! The processes that this one answers for: all of the PID namespace when it is its first, else its descendants.

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group, wait};
use sandbox_protocol::ProgramEnd;

use super::tree::{self, Scope};

#[derive(Debug)]
pub(crate) struct Processes {
    scope: Scope,
    watched: Vec<(Pid, Option<ProgramEnd>)>,
    has_children: bool,
}

impl Processes {
    pub(crate) fn of_this_process() -> Self {
        let own = getpid();
        let scope = if own.is_init() {
            Scope::Namespace
        } else {
            Scope::Descendants(own)
        };
        Self {
            scope,
            watched: Vec::new(),
            has_children: false,
        }
    }

    /// Call it right after the start and before [`Self::reap`], or the end goes unseen.
    pub(crate) fn watch(&mut self, child: Pid) {
        self.has_children = true;
        self.forget(child);
        self.watched.push((child, None));
    }

    pub(crate) fn forget(&mut self, child: Pid) {
        self.watched.retain(|(pid, _)| *pid != child);
    }

    pub(crate) fn ended(&self, child: Pid) -> Option<ProgramEnd> {
        self.watched
            .iter()
            .find(|(pid, _)| *pid == child)
            .and_then(|(_, end)| *end)
    }

    /// Takes the ends of all children that have ended, orphans that came to us included.
    pub(crate) fn reap(&mut self) {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.note_end(pid, status),
                Ok(None) => {
                    self.has_children = true;
                    return;
                }
                Err(_) => {
                    self.has_children = false;
                    return;
                }
            }
        }
    }

    /// Whether any process of the scope is alive.
    pub(crate) fn any_left(&self) -> bool {
        self.has_children || !tree::living(self.scope).is_empty()
    }

    pub(crate) fn signal_everything(&self, signal: Signal) {
        // Processes that are gone by now, or belong to another user, are no reason to stop at.
        match self.scope {
            // To everyone but ourselves in one step, so that no fork slips through.
            Scope::Namespace => {
                let _ = kill_process_group(Pid::INIT, signal);
            }
            Scope::Descendants(_) => {
                for pid in tree::living(self.scope) {
                    let _ = kill_process(pid, signal);
                }
            }
        }
    }

    /// Signals the process group of a child that has not ended: afterwards its number may belong to someone else.
    pub(crate) fn signal_group(&self, child: Pid, signal: Signal) {
        if self.watched.contains(&(child, None)) {
            let _ = kill_process_group(child, signal);
        }
    }

    fn note_end(&mut self, pid: Pid, status: WaitStatus) {
        let end = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => ProgramEnd::Exited(code),
            (None, Some(signal)) => ProgramEnd::Signaled(signal),
            (None, None) => return,
        };
        if let Some((_, slot)) = self
            .watched
            .iter_mut()
            .find(|(watched, end)| *watched == pid && end.is_none())
        {
            *slot = Some(end);
        }
    }
}
