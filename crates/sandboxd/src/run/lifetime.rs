//! How long a sandbox lives: until its program ends, its time is over, or it is told to go.

use std::time::{Duration, Instant};

use rustix::process::Pid;
use sandbox_protocol::{ProgramEnd, RunSpec};

use super::{
    report::Report,
    supervisor::{LOOK_AGAIN, Supervisor},
};

/// Why a sandbox's life is over. After the last two the program may still be there, to be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Program(ProgramEnd),
    Deadline,
    Stop,
}

/// The clock of one run. The first cause stays the cause: a stop in the grace of a deadline changes nothing.
#[derive(Debug)]
pub(crate) struct Lifetime {
    deadline: Instant,
    grace: Duration,
    leaving: Option<(Ending, Instant)>,
}

/// What is to be done at a moment.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    WaitUntil(Instant),
    Terminate,
    Kill(Ending),
}

impl Lifetime {
    pub(crate) fn new(spec: &RunSpec, begun: Instant) -> Self {
        Self {
            deadline: begun + Duration::from_secs(spec.timeout_seconds.into()),
            grace: Duration::from_secs(spec.grace_seconds.into()),
            leaving: None,
        }
    }

    /// Returns when it is time to kill what is left. Without a program, a sandbox that is to go ends as soon as it is
    /// empty.
    pub(crate) fn hold(mut self, supervisor: &mut Supervisor, report: &mut Report, program: Option<Pid>) -> Ending {
        loop {
            let now = Instant::now();
            let end = program.and_then(|program| supervisor.ended(program));
            match (self.leaving, end) {
                (None, Some(end)) => return Ending::Program(end),
                (Some((ending, _)), Some(_)) => return ending,
                (Some((ending, _)), None) if program.is_none() && !supervisor.any_left() => return ending,
                _ => {}
            }
            match self.step(now, supervisor.stop_requested()) {
                Step::Terminate => supervisor.terminate_everything(),
                Step::Kill(ending) => return ending,
                Step::WaitUntil(until) => {
                    report.refresh(now);
                    let until = report.due().map_or(until, |due| due.min(until));
                    let looks_for_empty = program.is_none() && self.leaving.is_some();
                    supervisor.wait(Some(if looks_for_empty {
                        until.min(now + LOOK_AGAIN)
                    } else {
                        until
                    }));
                }
            }
        }
    }

    fn step(&mut self, now: Instant, stop_requested: bool) -> Step {
        if let Some((ending, kill_at)) = self.leaving {
            return if now >= kill_at {
                Step::Kill(ending)
            } else {
                Step::WaitUntil(kill_at)
            };
        }
        let ending = if now >= self.deadline {
            Ending::Deadline
        } else if stop_requested {
            Ending::Stop
        } else {
            return Step::WaitUntil(self.deadline);
        };
        self.leaving = Some((ending, now + self.grace));
        Step::Terminate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn lifetime(begun: Instant) -> Lifetime {
        Lifetime {
            deadline: begun + 10 * SECOND,
            grace: 2 * SECOND,
            leaving: None,
        }
    }

    #[test]
    fn at_the_deadline_it_terminates_once_and_kills_after_the_grace() {
        let begun = Instant::now();
        let mut lifetime = lifetime(begun);
        assert_eq!(lifetime.step(begun, false), Step::WaitUntil(begun + 10 * SECOND));
        assert_eq!(lifetime.step(begun + 10 * SECOND, false), Step::Terminate);
        assert_eq!(
            lifetime.step(begun + 11 * SECOND, false),
            Step::WaitUntil(begun + 12 * SECOND)
        );
        assert_eq!(lifetime.step(begun + 12 * SECOND, false), Step::Kill(Ending::Deadline));
    }

    #[test]
    fn the_first_cause_stays_the_cause() {
        let begun = Instant::now();
        let mut deadline_first = lifetime(begun);
        assert_eq!(deadline_first.step(begun + 10 * SECOND, false), Step::Terminate);
        assert_eq!(
            deadline_first.step(begun + 12 * SECOND, true),
            Step::Kill(Ending::Deadline)
        );

        let mut stop_first = lifetime(begun);
        assert_eq!(stop_first.step(begun + 9 * SECOND, true), Step::Terminate);
        assert_eq!(
            stop_first.step(begun + 10 * SECOND, true),
            Step::WaitUntil(begun + 11 * SECOND)
        );
        assert_eq!(stop_first.step(begun + 11 * SECOND, true), Step::Kill(Ending::Stop));
    }
}
