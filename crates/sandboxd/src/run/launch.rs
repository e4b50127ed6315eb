//! Starts one process, the same way for every command of a run.

use std::{
    fs::File,
    io::{self, stderr},
    os::{fd::AsFd as _, unix::process::CommandExt as _},
    process::{Command, Stdio},
};

use rustix::{io::Errno, process::Pid};

use super::{environment::Environment, resolve::resolve, start_error::StartError, supervisor::Supervisor};

pub(crate) struct Streams {
    pub(crate) stdin: Stdio,
    pub(crate) stdout: Stdio,
    pub(crate) stderr: Stdio,
}

impl Streams {
    /// For helpers beside the program: what they say goes to the container's standard error, uncaptured.
    pub(crate) fn of_helper() -> io::Result<Self> {
        let log = || stderr().as_fd().try_clone_to_owned().map(File::from).map(Stdio::from);
        Ok(Self {
            stdin: no_input()?,
            stdout: log()?,
            stderr: log()?,
        })
    }
}

/// Opened here rather than while starting a program, where a missing `/dev/null` would pass for a missing program.
pub(crate) fn no_input() -> io::Result<Stdio> {
    File::open("/dev/null").map(Stdio::from)
}

/// Starts `argv` in a process group of its own and watches it.
pub(crate) fn launch(
    supervisor: &mut Supervisor,
    environment: &Environment,
    argv: &[String],
    streams: Streams,
) -> Result<Pid, StartError> {
    let (name, arguments) = argv
        .split_first()
        .map_or(("", [].as_slice()), |(name, rest)| (name.as_str(), rest));
    let spawned = Command::new(resolve(name, environment.path())?)
        .arg0(name)
        .args(arguments)
        .env_clear()
        .envs(environment.programs())
        .stdin(streams.stdin)
        .stdout(streams.stdout)
        .stderr(streams.stderr)
        .process_group(0)
        .spawn();
    let child = spawned.map_err(|source| refused(name, source))?;
    let pid = Pid::from_child(&child);
    supervisor.watch(pid);
    Ok(pid)
}

/// The file was there a moment ago: what is missing now is what it names in its first line or as its loader.
fn refused(program: &str, source: io::Error) -> StartError {
    let program = program.to_owned();
    match Errno::from_io_error(&source) {
        Some(Errno::NOENT) => StartError::NoInterpreter { program },
        Some(Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => StartError::NoResources { program, source },
        _ => StartError::Execute { program, source },
    }
}
