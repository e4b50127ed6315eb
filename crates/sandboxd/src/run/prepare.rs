//! What comes before the program: a service beside it, and the wait until that is ready.

use std::time::{Duration, Instant};

use rustix::process::Pid;
use sandbox_protocol::{ProgramEnd, RunSpec};

use super::{
    environment::Environment,
    launch::{Streams, launch},
    start_error::{StartError, describe},
    supervisor::Supervisor,
};
use crate::log;

const PAUSE: Duration = Duration::from_millis(200);
const TRY_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) enum Unready {
    /// Told to terminate before the program began.
    Stopped,
    Failed(StartError),
}

impl From<StartError> for Unready {
    fn from(error: StartError) -> Self {
        Self::Failed(error)
    }
}

/// One execution of the ready command, or the pause before it.
enum Try {
    At(Instant),
    Running { command: Pid, limit: Instant },
    Killed(Pid),
}

/// Starts the service, if any, and returns once the ready command, if any, has succeeded.
pub(crate) fn prepare(supervisor: &mut Supervisor, spec: &RunSpec, environment: &Environment) -> Result<(), Unready> {
    let limit = Instant::now() + Duration::from_secs(spec.start_timeout_seconds.into());
    let service = match &spec.start_command {
        Some(argv) => Some(helper(supervisor, environment, argv)?),
        None => None,
    };
    let Some(ready_command) = &spec.ready_command else {
        return Ok(());
    };

    let mut state = Try::At(Instant::now());
    let mut last = "had not begun".to_owned();
    loop {
        let now = Instant::now();
        if supervisor.stop_requested() {
            return Err(Unready::Stopped);
        }
        // One that exits with 0 has put itself into the background.
        if let Some(end) = service.and_then(|service| supervisor.ended(service))
            && end != ProgramEnd::Exited(0)
        {
            return Err(StartError::ServiceEnded(end).into());
        }
        state = match state {
            Try::At(at) if now >= at => match helper(supervisor, environment, ready_command) {
                Ok(command) => Try::Running {
                    command,
                    limit: now + TRY_LIMIT,
                },
                // The start command may be about to put it there.
                Err(error) => {
                    last = format!("failed to start: {}", log::chain(&error));
                    Try::At(now + PAUSE)
                }
            },
            Try::Running { command, limit } => match supervisor.ended(command) {
                Some(ProgramEnd::Exited(0)) => return Ok(()),
                Some(end) => {
                    last = describe(end);
                    supervisor.forget(command);
                    Try::At(now + PAUSE)
                }
                None if now >= limit => {
                    supervisor.kill_group(command);
                    last = format!("did not end within {} s", TRY_LIMIT.as_secs());
                    Try::Killed(command)
                }
                None => Try::Running { command, limit },
            },
            Try::Killed(command) if supervisor.ended(command).is_some() => {
                supervisor.forget(command);
                Try::At(now + PAUSE)
            }
            unchanged => unchanged,
        };
        if now >= limit {
            return Err(StartError::NotReady {
                seconds: spec.start_timeout_seconds,
                last,
            }
            .into());
        }
        let next = match state {
            Try::At(at) => at,
            Try::Running { limit, .. } => limit,
            Try::Killed(_) => limit,
        };
        supervisor.wait(Some(next.min(limit)));
    }
}

fn helper(supervisor: &mut Supervisor, environment: &Environment, argv: &[String]) -> Result<Pid, StartError> {
    let streams = Streams::of_helper().map_err(|source| StartError::Connect {
        program: argv.first().cloned().unwrap_or_default(),
        source,
    })?;
    launch(supervisor, environment, argv, streams)
}
