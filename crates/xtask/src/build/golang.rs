//! Builds Go programs into cache folders. A folder appears under its name only when it is complete.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

use super::cache;
use super::key::Key;
use crate::command::Run;
use crate::stage::{Stage, Ui};
use crate::{paths, preflight};

static TURN: Mutex<()> = Mutex::new(());

/// One folder of programs in the cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// What decides about the content besides the module's files.
    pub(crate) versions: &'static [&'static str],
    /// The wrapper module under `dev/cluster`, if there is one.
    pub(crate) module: Option<&'static str>,
    /// Free space that a cold build takes, what Go keeps of modules and packages included.
    pub(crate) gib: u64,
}

/// A checkout and the one before it.
const KEPT: usize = 2;
/// The programs are linked without what a debugger reads, so nothing of it is made: a sixth of the compiler's work.
const UNREAD: &str = "-gcflags=all=-dwarf=false";
/// The compiler forgets nothing before it holds this much: most packages end far below, and collecting garbage took a tenth
/// of its time.
const COLLECTOR: [(&str, &str); 2] = [("GOGC", "off"), ("GOMEMLIMIT", "2GiB")];
const MEND: &str = "check that the Go module proxy can be reached (go env GOPROXY), then run the command again: \
                    what is already compiled is kept";

impl Entry {
    /// Where it is, or will be: the path names the content.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        let mut key = Key::default().text(&self.versions.join(" "));
        if let Some(module) = self.module {
            key = key.folder(&paths::sources().join(module))?;
        }
        Ok(store()?.join(format!("{}-{}", self.name, key.finish())))
    }

    /// Answers the folder, after building it when the cache does not have it.
    pub(crate) fn ensure(&self, ui: &Ui, build: impl FnOnce(&Stage, &Path) -> Result<()>) -> Result<PathBuf> {
        let folder = self.folder()?;
        let known = || {
            let there = folder.exists();
            if there {
                cache::mark_used(&folder);
            }
            there
        };
        if known() {
            return Ok(folder);
        }
        // One at a time: the builds of the other lane need processors, too, and both lanes may want the same program.
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        if known() {
            return Ok(folder);
        }
        preflight::go()?;
        let store = store()?;
        cache::remove_dead_parts(&store);
        preflight::disk(&store, self.gib)?;
        for own in ["GOCACHE", "GOMODCACHE"] {
            let path = Run::new("go").args(["env", own]).dir("/").output()?;
            preflight::disk(Path::new(path.trim()), self.gib)?;
        }
        ui.stage(&format!("build {}", self.name), MEND, |stage| {
            // Of this process only: two checkouts may build the same entry at the same time.
            let scratch = cache::part_of(&folder);
            let _ = fs::remove_dir_all(&scratch);
            fs::create_dir_all(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
            build(stage, &scratch)?;
            match fs::rename(&scratch, &folder) {
                Err(_) if folder.exists() => Ok(fs::remove_dir_all(&scratch)?),
                other => other.with_context(|| format!("cannot create {}", folder.display())),
            }
        })?;
        cache::mark_used(&folder);
        cache::keep_newest(&store, self.name, KEPT);
        Ok(folder)
    }
}

fn store() -> Result<PathBuf> {
    Ok(paths::cache()?.join("go"))
}

/// `go build` of one package inside a module folder.
#[derive(Debug)]
pub(crate) struct Build<'a> {
    pub(crate) module: &'a Path,
    pub(crate) package: &'a str,
    pub(crate) output: &'a Path,
    /// Variables that the linker sets, as `NAME=VALUE`.
    pub(crate) variables: &'a [String],
    pub(crate) cgo: bool,
    pub(crate) extra: &'a [&'a str],
}

impl Build<'_> {
    pub(crate) fn run(&self, stage: &Stage) -> Result<()> {
        stage.note(self.package);
        let mut linker = "-s -w".to_owned();
        for variable in self.variables {
            linker.push_str(" -X ");
            linker.push_str(variable);
        }
        go(stage)
            .args(["build", "-trimpath", UNREAD])
            .args(self.extra)
            .args(["-ldflags", &linker, "-o"])
            .arg(self.output)
            .arg(self.package)
            .dir(self.module)
            .env("CGO_ENABLED", if self.cgo { "1" } else { "0" })
            .run()
    }
}

/// `go install` of a program that is a module of its own.
pub(crate) fn install(stage: &Stage, package: &str, version: &str, folder: &Path) -> Result<()> {
    stage.note(package);
    go(stage)
        .args(["install", "-trimpath", UNREAD, "-ldflags", "-s -w"])
        .arg(format!("{package}@{version}"))
        .dir("/")
        .env("CGO_ENABLED", "0")
        .env("GOBIN", folder)
        .run()
}

fn go(stage: &Stage) -> Run {
    let own = stage.run("go").env("GOFLAGS", "");
    COLLECTOR.iter().fold(own, |go, (name, value)| go.env(name, value))
}
