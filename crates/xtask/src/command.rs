//! Running other programs: into a stage's log or for their answer, and with one exception never longer than this
//! process lives.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow};

/// Part of util-linux: ends the child when we are killed, so that a killed run leaves no builds behind.
const GUARD: &str = "/usr/bin/setpriv";

#[derive(Debug)]
pub(crate) struct Run {
    command: Command,
    shown: OsString,
    log: Option<PathBuf>,
    input: Option<Vec<u8>>,
}

impl Run {
    /// A program whose output nobody reads but the caller.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        let command = if Path::new(GUARD).exists() {
            let mut command = Command::new(GUARD);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        Self::of(command, program)
    }

    /// A program that must reach its end whatever becomes of us: neither our death nor Ctrl-C in the terminal stops it.
    pub(crate) fn unstoppable(program: impl AsRef<OsStr>, log: &Path) -> Self {
        let program = program.as_ref();
        let mut command = Command::new(program);
        command.process_group(0);
        Self {
            log: Some(log.to_owned()),
            ..Self::of(command, program)
        }
    }

    fn of(command: Command, program: &OsStr) -> Self {
        Self {
            command,
            shown: program.to_owned(),
            log: None,
            input: None,
        }
    }

    pub(crate) fn logged(program: impl AsRef<OsStr>, log: &Path) -> Self {
        Self {
            log: Some(log.to_owned()),
            ..Self::new(program)
        }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.shown.push(" ");
        self.shown.push(argument.as_ref());
        self.command.arg(argument);
        self
    }

    pub(crate) fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    pub(crate) fn dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Runs to the end; an exit code other than 0 is an error.
    pub(crate) fn run(self) -> Result<()> {
        self.finish(false)?.1
    }

    /// Runs to the end and answers what the program wrote to standard output.
    pub(crate) fn output(self) -> Result<String> {
        let (answer, end) = self.finish(true)?;
        end.map(|()| answer)
    }

    /// Runs to the end and answers what the program wrote and how it ended: some have something to say and fail, too.
    pub(crate) fn output_and_end(self) -> Result<(String, Result<()>)> {
        self.finish(true)
    }

    /// Runs to the end in silence and answers whether the exit code was 0.
    pub(crate) fn succeeds(mut self) -> bool {
        let status = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }

    fn finish(mut self, capture: bool) -> Result<(String, Result<()>)> {
        let shown = self.shown.to_string_lossy().into_owned();
        let (out, err) = match &self.log {
            Some(path) => {
                let mut log = append(path)?;
                writeln!(log, "$ {shown}")?;
                (Stdio::from(log.try_clone()?), Stdio::from(log))
            }
            None => (Stdio::null(), Stdio::piped()),
        };
        self.command
            .stdout(if capture { Stdio::piped() } else { out })
            .stderr(err);
        self.command.stdin(if self.input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        let mut child = self.command.spawn().with_context(|| format!("cannot run {shown}"))?;
        if let (Some(input), Some(mut pipe)) = (self.input.take(), child.stdin.take()) {
            // A program that stops reading early says why by its exit code.
            let _ = pipe.write_all(&input);
        }
        let mut answer = Vec::new();
        if let Some(mut pipe) = child.stdout.take() {
            pipe.read_to_end(&mut answer)?;
        }
        let mut complaint = Vec::new();
        if let Some(mut pipe) = child.stderr.take() {
            pipe.read_to_end(&mut complaint)?;
        }
        let status = child.wait()?;
        let complaint = String::from_utf8_lossy(&complaint);
        let end = match complaint.trim() {
            _ if status.success() => Ok(()),
            "" => Err(anyhow!("`{shown}` ended with {status}")),
            complaint => Err(anyhow!("`{shown}` ended with {status}: {complaint}")),
        };
        Ok((String::from_utf8_lossy(&answer).into_owned(), end))
    }
}

fn append(path: &Path) -> Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failing_program_wrote_is_not_lost() {
        let script = "echo table; echo broken >&2; exit 3";
        let (answer, end) = Run::new("sh").args(["-c", script]).output_and_end().unwrap();
        assert_eq!(answer, "table\n");
        assert!(end.unwrap_err().to_string().ends_with("exit status: 3: broken"));
    }
}
