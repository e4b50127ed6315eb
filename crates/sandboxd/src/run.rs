//! `sandboxd run`: the life of a sandbox, from its input to its result.

mod capture;
mod code;
mod environment;
mod events;
mod launch;
mod lifetime;
mod memory;
mod prepare;
mod processes;
mod program;
mod report;
mod resolve;
mod start_error;
mod supervisor;
mod tail;
mod tree;

use std::{
    env, io,
    process::ExitCode,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use rustix::process::{DumpableBehavior, Pid, getpid, set_child_subreaper, set_dumpable_behavior};
use sandbox_protocol::{Mode, Outcome, ProgramEnd, RunInput};

use self::{
    environment::Environment,
    lifetime::{Ending, Lifetime},
    prepare::Unready,
    report::Report,
    start_error::StartError,
    supervisor::Supervisor,
};
use crate::log;

/// The signal that the kernel kills with.
const KILLED: i32 = 9;

/// Runs what the environment asks for and gives the container's exit code.
pub(crate) fn run() -> ExitCode {
    if let Err(error) = become_guardian() {
        log::error(&format!("could not protect this process: {error}"));
    }
    let environment = Environment::split(env::vars_os());
    let mut report = Report::open(&environment.result_file());
    report.preparing();

    let outcome = match Supervisor::new() {
        Ok(mut supervisor) => supervise(&mut supervisor, environment, &mut report),
        Err(error) => StartError::Handlers(error).into(),
    };
    if let Outcome::StartFailed { message, .. } = &outcome {
        log::error(message);
    }
    let code = outcome.exit_code();
    report.done(outcome);
    code.into()
}

/// Keeps the memory and the first environment of this process from the programs it starts, which run as the same user,
/// and makes their orphans its children.
fn become_guardian() -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    if !getpid().is_init() {
        set_child_subreaper(Some(getpid()))?;
    }
    Ok(())
}

/// From the input to the moment when nothing is left of what was started.
fn supervise(supervisor: &mut Supervisor, environment: Environment, report: &mut Report) -> Outcome {
    let kills = memory::kills();
    let ending = live(supervisor, environment, report);
    report.finished(now_ms());
    supervisor.kill_everything();
    report.drain(supervisor);
    match ending {
        Ok((_, Ending::Program(ProgramEnd::Signaled(KILLED)))) if memory::kills() > kills => Outcome::OutOfMemory,
        Ok((_, Ending::Program(end))) => end.into(),
        Ok((Some(_), Ending::Deadline)) => Outcome::DeadlineExceeded,
        Ok((None, Ending::Deadline)) => Outcome::Completed,
        Ok((program, Ending::Stop)) => Outcome::Stopped(program.and_then(|program| supervisor.ended(program))),
        Err(Unready::Stopped) => Outcome::Stopped(None),
        Err(Unready::Failed(error)) => error.into(),
    }
}

/// Starts what the run asks for and waits until its time is over, or it is.
fn live(
    supervisor: &mut Supervisor,
    mut environment: Environment,
    report: &mut Report,
) -> Result<(Option<Pid>, Ending), Unready> {
    let RunInput {
        spec,
        command,
        code,
        stdin,
    } = environment.take_input().map_err(StartError::Input)?;
    environment.enter(spec.workdir.as_deref())?;
    prepare::prepare(supervisor, &spec, &environment)?;

    let argv = match (spec.mode, code) {
        (Mode::Code { language }, Some(code)) => Some(code::write(language, &code, &environment.temporary_folders())?),
        _ => command,
    };
    let begun = (now_ms(), Instant::now());
    let program = match argv {
        Some(argv) => Some(program::start(supervisor, report, &environment, &argv, stdin)?),
        None => None,
    };
    report.running(begun.0);
    Ok((program, Lifetime::new(&spec, begun.1).hold(supervisor, report, program)))
}

/// For people; durations are taken from the monotonic clock.
fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|time| time.as_millis().try_into().ok())
        .unwrap_or(0)
}
