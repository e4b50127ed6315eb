//! Starts `sandboxd run` with an input, follows it, and collects what it leaves.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{BufRead as _, BufReader, Read, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use sandbox_protocol::{Language, Mode, Outcome, Phase, RunInput, RunResult, RunSpec, env as names, status_text};

pub(crate) use crate::place::{Place, SANDBOXD, everywhere};
use crate::{
    folder::{Folder, everyone_may},
    place::placed,
};

/// Nothing takes that long; it only ends a hang.
const HANG: Duration = Duration::from_mins(1);

pub(crate) struct Run {
    pub(crate) input: RunInput,
    pub(crate) variables: Vec<(OsString, OsString)>,
    place: Place,
    folder: Folder,
}

pub(crate) struct Running {
    child: Child,
    place: Place,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: JoinHandle<Vec<u8>>,
    result_file: PathBuf,
    folder: Folder,
}

#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) result: RunResult,
    /// What went to the container's log after the lines that were waited for.
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    _folder: Folder,
}

impl Run {
    pub(crate) fn command(argv: &[&str]) -> Self {
        let command = Some(argv.iter().map(ToString::to_string).collect());
        Self::new(RunInput {
            spec: spec(Mode::Command),
            command,
            code: None,
            stdin: None,
        })
    }

    pub(crate) fn bash(script: &str) -> Self {
        Self::command(&["bash", "-c", script])
    }

    pub(crate) fn code(language: Language, code: &str) -> Self {
        let code = Some(code.as_bytes().to_vec());
        Self::new(RunInput {
            spec: spec(Mode::Code { language }),
            command: None,
            code,
            stdin: None,
        })
    }

    pub(crate) fn interactive() -> Self {
        Self::new(RunInput {
            spec: spec(Mode::Interactive),
            command: None,
            code: None,
            stdin: None,
        })
    }

    fn new(input: RunInput) -> Self {
        let path = std::env::var_os("PATH").expect("PATH");
        let folder = Folder::new();
        let variables = vec![("PATH".into(), path), ("TMPDIR".into(), folder.path().into())];
        Self {
            input,
            variables,
            place: Place::Ordinary,
            folder,
        }
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    pub(crate) fn spec(mut self, change: impl FnOnce(&mut RunSpec)) -> Self {
        change(&mut self.input.spec);
        self
    }

    pub(crate) fn stdin(mut self, bytes: &[u8]) -> Self {
        self.input.stdin = Some(bytes.to_vec());
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    pub(crate) fn without_variable(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    /// A folder of this run that everyone may write to, gone with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn result_file(&self) -> PathBuf {
        self.folder.path().join("termination-log")
    }

    pub(crate) fn start(self) -> Running {
        let result_file = self.result_file();
        fs::write(&result_file, "").expect("result file");
        everyone_may(&result_file, 0o666);
        let mut command = placed(self.place, self.folder.path());
        let mut child = command
            .arg("run")
            .env_clear()
            .envs(self.variables)
            .envs(self.input.encode().expect("encode"))
            .env(names::RESULT_FILE, &result_file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start sandboxd");
        let stdout = child.stdout.take().map(BufReader::new);
        let stderr = read_all(child.stderr.take().expect("stderr"));
        Running {
            child,
            place: self.place,
            stdout,
            stderr,
            result_file,
            folder: self.folder,
        }
    }

    pub(crate) fn finish(self) -> Finished {
        self.start().finish()
    }
}

impl Running {
    /// Waits until the program has written this line, and skips what came before.
    pub(crate) fn wait_for_line(&mut self, line: &str) {
        let (watch, stdout) = (self.watch(), self.stdout.as_mut().expect("stdout is read"));
        let mut read = String::new();
        while read.trim_end() != line {
            read.clear();
            assert_ne!(
                stdout.read_line(&mut read).expect("read"),
                0,
                "ended before it wrote {line:?}"
            );
        }
        drop(watch);
    }

    /// Waits until the result file shows what is wanted.
    pub(crate) fn wait_for_result(&self, wanted: impl Fn(&RunResult) -> bool) -> RunResult {
        eventually(|| self.result().filter(&wanted))
    }

    pub(crate) fn result(&self) -> Option<RunResult> {
        RunResult::parse(&fs::read_to_string(&self.result_file).expect("result file"))
    }

    pub(crate) fn result_file(&self) -> &Path {
        &self.result_file
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// As this process sees it. Known once the program has said anything.
    pub(crate) fn sandboxd(&self) -> Pid {
        let child = Pid::from_child(&self.child);
        if self.place == Place::Ordinary {
            return child;
        }
        let children = fs::read_to_string(format!("/proc/{child}/task/{child}/children")).expect("children");
        Pid::from_raw(children.trim().parse().expect("one child")).expect("a pid")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.sandboxd(), signal).expect("signal");
    }

    /// Leaves the output unread, as a log does whose reader hangs.
    pub(crate) fn hold_output(&mut self) -> ChildStdout {
        self.stdout.take().expect("stdout is read").into_inner()
    }

    pub(crate) fn finish(mut self) -> Finished {
        let watch = self.watch();
        let stdout = self.stdout.take().map(read_all);
        let status = self.child.wait().expect("wait");
        drop(watch);
        let code = status.code();
        assert!(code.is_some(), "sandboxd was killed by signal {:?}", status.signal());
        let stdout = stdout.map(|stdout| stdout.join().expect("reader")).unwrap_or_default();
        let stderr = self.stderr.join().expect("reader");
        let text = fs::read_to_string(&self.result_file).expect("result file");
        let result = RunResult::parse(&text);
        assert!(
            result.is_some(),
            "no result in {text:?}, log {:?}",
            String::from_utf8_lossy(&stderr)
        );
        let result = result.expect("was just looked at");
        assert_eq!(result.phase, Phase::Done);
        Finished {
            code,
            result,
            stdout,
            stderr,
            _folder: self.folder,
        }
    }

    /// Waits for an end that leaves no final result.
    pub(crate) fn wait(mut self) -> Option<RunResult> {
        let watch = self.watch();
        self.child.wait().expect("wait");
        drop(watch);
        self.result()
    }

    /// Kills `sandboxd` when the test hangs.
    fn watch(&self) -> mpsc::Sender<()> {
        let (sender, receiver) = mpsc::channel();
        let child = Pid::from_child(&self.child);
        thread::spawn(move || {
            if receiver.recv_timeout(HANG) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = kill_process(child, Signal::KILL);
            }
        });
        sender
    }
}

impl Finished {
    pub(crate) fn outcome(&self) -> &Outcome {
        self.result.outcome.as_ref().expect("a final result has an outcome")
    }

    pub(crate) fn text(&self) -> String {
        status_text(&self.result.stdout).text
    }

    pub(crate) fn error_text(&self) -> String {
        status_text(&self.result.stderr).text
    }

    /// The message of a run that did not start, with its exit code.
    pub(crate) fn start_failure(&self) -> (i32, &str) {
        let failure = match self.outcome() {
            Outcome::StartFailed { exit_code, message } => Some((i32::from(*exit_code), message)),
            _ => None,
        };
        assert!(failure.is_some(), "started: {self:?}");
        let (exit_code, message) = failure.expect("was just looked at");
        assert_eq!(self.code, Some(exit_code));
        let log = String::from_utf8_lossy(&self.stderr);
        assert!(log.contains(&format!("sandboxd: {message}")), "{log}");
        (exit_code, message)
    }
}

/// Asks again and again; the answer is on its way.
pub(crate) fn eventually<T>(ask: impl Fn() -> Option<T>) -> T {
    let limit = Instant::now() + HANG;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < limit, "did not come to pass within {HANG:?}");
        // What another process does can only be looked at.
        thread::sleep(Duration::from_millis(2));
    }
}

/// Whether any process of the machine was started with this argument.
pub(crate) fn runs_anywhere(argument: &str) -> bool {
    let contains = |path: PathBuf| {
        fs::read(path.join("cmdline")).is_ok_and(|line| line.split(|byte| *byte == 0).any(|a| a == argument.as_bytes()))
    };
    fs::read_dir("/proc")
        .expect("/proc")
        .any(|entry| contains(entry.expect("entry").path()))
}

/// A duration for `sleep` that no other test uses, longer than any of them, and short enough not to litter for long when
/// one fails.
pub(crate) fn unique_sleep() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("1{:02}.{:07}", NEXT.fetch_add(1, Ordering::Relaxed), std::process::id())
}

pub(crate) fn write_executable(path: &Path, text: &str) {
    // A process that another test is just starting may hold the file open for writing; a copy made by `install` would
    // suffer the same. A rename does not help, a child process of its own does.
    let mut child = Command::new("sh")
        .args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("sh");
    child
        .stdin
        .take()
        .expect("stdin")
        .write_all(text.as_bytes())
        .expect("write");
    assert!(child.wait().expect("wait").success());
}

fn spec(mode: Mode) -> RunSpec {
    RunSpec {
        run_uid: "0d5c".to_owned(),
        mode,
        timeout_seconds: 30,
        grace_seconds: 1,
        start_timeout_seconds: 30,
        workdir: None,
        start_command: None,
        ready_command: None,
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("read");
        bytes
    })
}
