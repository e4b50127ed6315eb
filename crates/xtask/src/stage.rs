//! What the user sees: one live line per stage with its elapsed time, the stage's log in a file, and for a failure the
//! stage, the end of its log and the mend. Without a terminal the lines are plain, one at the start and one at the end.

use std::fmt;
use std::fs::{self, File};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::command::Run;
use crate::paths;

const TICK: Duration = Duration::from_millis(100);
const TAIL_LINES: usize = 25;
/// How many panics are told, and how much of each.
const PANICS: usize = 3;
const PANIC_LINES: usize = 6;

#[derive(Debug)]
pub(crate) struct Ui {
    lines: MultiProgress,
    live: bool,
}

impl Ui {
    pub(crate) fn new() -> Self {
        let live = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        Self {
            lines: MultiProgress::new(),
            live,
        }
    }

    /// Runs one stage. The mend is the sentence a user needs when the stage fails.
    pub(crate) fn stage<T>(&self, name: &str, mend: &str, work: impl FnOnce(&Stage) -> Result<T>) -> Result<T> {
        let stage = self.open(name)?;
        let started = Instant::now();
        let result = work(&stage);
        let seconds = started.elapsed().as_secs_f64();
        stage.bar.finish_and_clear();
        self.lines.remove(&stage.bar);
        let mark = if result.is_ok() { "ok    " } else { "failed" };
        self.say(&format!("{mark} {name} ({seconds:.1} s)"));
        result.map_err(|cause| {
            anyhow::Error::new(Failure {
                stage: name.to_owned(),
                cause: format!("{cause:#}"),
                tail: tail(&stage.log),
                log: stage.log.clone(),
                mend: mend.to_owned(),
            })
        })
    }

    /// Prints a line above the live ones.
    pub(crate) fn say(&self, line: &str) {
        if self.live {
            // A terminal that went away is no reason to stop the work.
            let _ = self.lines.println(line);
        } else {
            eprintln!("{line}");
        }
    }

    fn open(&self, name: &str) -> Result<Stage> {
        let folder = paths::work().join("logs");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let file: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let log = folder.join(format!("{file}.log"));
        File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let bar = if self.live {
            let bar = self.lines.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {msg:.dim}") {
                bar.set_style(style);
            }
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(TICK);
            bar
        } else {
            eprintln!("start  {name}");
            ProgressBar::hidden()
        };
        Ok(Stage { log, bar })
    }
}

/// A stage at work: commands that it runs write to its log.
#[derive(Debug)]
pub(crate) struct Stage {
    log: PathBuf,
    bar: ProgressBar,
}

impl Stage {
    /// Says what the stage does just now.
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.bar.set_message(text.into());
    }

    pub(crate) fn run(&self, program: impl AsRef<std::ffi::OsStr>) -> Run {
        Run::logged(program, &self.log)
    }

    /// For what must not stop halfway.
    pub(crate) fn run_unstoppable(&self, program: impl AsRef<std::ffi::OsStr>) -> Run {
        Run::unstoppable(program, &self.log)
    }
}

#[derive(Debug)]
struct Failure {
    stage: String,
    cause: String,
    tail: Vec<String>,
    log: PathBuf,
    mend: String,
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "stage `{}` failed: {}", self.stage, self.cause)?;
        if !self.tail.is_empty() {
            writeln!(f, "what panicked, and the last lines of {}:", self.log.display())?;
            for line in &self.tail {
                writeln!(f, "    {line}")?;
            }
        }
        write!(f, "what to do: {}", self.mend)
    }
}

fn tail(log: &Path) -> Vec<String> {
    let bytes = fs::read(log).unwrap_or_default();
    telling(&String::from_utf8_lossy(&bytes))
}

/// The end, after the first of what panicked before it: a backtrace at the end says where, and not what.
fn telling(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let (before, end) = lines.split_at(lines.len().saturating_sub(TAIL_LINES));
    let panics = before
        .iter()
        .enumerate()
        .filter(|(_, line)| line.contains("panicked at "))
        .take(PANICS)
        .flat_map(|(at, _)| before.iter().skip(at).take(PANIC_LINES));
    panics.chain(end).map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::{PANIC_LINES, TAIL_LINES, telling};

    #[test]
    fn the_end_of_a_log_is_told_after_what_panicked() {
        let panic = [
            "thread 'a' panicked at tests/a.rs:1:1:",
            "5 of 200 waited",
            "note: run with",
        ];
        let backtrace: Vec<String> = (0..40).map(|at| format!("  {at}: frame")).collect();
        let text = format!("running 2 tests\n{}\n{}\n", panic.join("\n"), backtrace.join("\n"));
        let told = telling(&text);
        assert_eq!(told.get(..3), Some(&panic.map(str::to_owned)[..]));
        assert_eq!(told.len(), PANIC_LINES + TAIL_LINES);
        assert_eq!(told.get(PANIC_LINES..), backtrace.get(backtrace.len() - TAIL_LINES..));
    }
}
