//! The program of the run: the one whose end is the run's, and whose output is kept.

use std::{
    fs::File,
    io::{self, Write as _, pipe, stderr, stdout},
    os::fd::{AsFd, OwnedFd},
    process::Stdio,
    thread,
};

use rustix::process::Pid;

use super::{
    capture::{Capture, STACK_BYTES},
    environment::Environment,
    launch::{Streams, launch, no_input},
    report::Report,
    start_error::StartError,
    supervisor::Supervisor,
};

/// Starts the program with its input and output connected.
pub(crate) fn start(
    supervisor: &mut Supervisor,
    report: &mut Report,
    environment: &Environment,
    argv: &[String],
    stdin: Option<Vec<u8>>,
) -> Result<Pid, StartError> {
    let streams = connect(supervisor, report, stdin).map_err(|source| StartError::Connect {
        program: argv.first().cloned().unwrap_or_default(),
        source,
    })?;
    let program = launch(supervisor, environment, argv, streams)?;
    supervisor.set_foreground(program);
    Ok(program)
}

fn connect(supervisor: &Supervisor, report: &mut Report, stdin: Option<Vec<u8>>) -> io::Result<Streams> {
    let (stdout_reader, stdout_writer) = pipe()?;
    let (stderr_reader, stderr_writer) = pipe()?;
    let stdin = stdin.map_or_else(no_input, feed)?;
    report.attach(
        Capture::start(stdout_reader, duplicate(stdout())?, supervisor.waker()?)?,
        Capture::start(stderr_reader, duplicate(stderr())?, supervisor.waker()?)?,
    );
    Ok(Streams {
        stdin,
        stdout: stdout_writer.into(),
        stderr: stderr_writer.into(),
    })
}

/// A pipe that a thread fills: the program may read as slowly as it likes, or not at all.
fn feed(bytes: Vec<u8>) -> io::Result<Stdio> {
    let (reader, mut writer) = pipe()?;
    thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
        // A program that closes its input has read what it wanted.
        let _ = writer.write_all(&bytes);
    })?;
    Ok(reader.into())
}

fn duplicate(stream: impl AsFd) -> io::Result<File> {
    stream.as_fd().try_clone_to_owned().map(|fd: OwnedFd| File::from(fd))
}
