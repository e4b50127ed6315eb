//! Builds Go programs into cache folders. A folder appears under its name only when it is complete.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

use super::key::Key;
use crate::stage::{Stage, Ui};
use crate::{paths, preflight};

static TURN: Mutex<()> = Mutex::new(());

/// One folder of programs in the cache.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    /// What decides about the content besides the module's files.
    pub(crate) version: &'a str,
    /// The wrapper module under `dev/cluster`, if there is one.
    pub(crate) module: Option<&'a str>,
}

/// Free space that cold builds need, build and module caches included.
const COLD_GIB: u64 = 12;
const MEND: &str = "check that the Go module proxy can be reached (go env GOPROXY), then run the command again: \
                    what is already compiled is kept";

impl Entry<'_> {
    /// Answers the folder, after building it when the cache does not have it.
    pub(crate) fn ensure(&self, ui: &Ui, build: impl FnOnce(&Stage, &Path) -> Result<()>) -> Result<PathBuf> {
        let mut key = Key::default().text(self.version);
        if let Some(module) = self.module {
            key = key.folder(&paths::sources().join(module))?;
        }
        let folder = paths::cache()?
            .join("go")
            .join(format!("{}-{}", self.name, key.finish()));
        // One at a time: the builds of the other lane need processors, too, and both lanes may want the same program.
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        if folder.exists() {
            return Ok(folder);
        }
        preflight::go()?;
        preflight::disk(&paths::cache()?, COLD_GIB)?;
        ui.stage(&format!("build {}", self.name), MEND, |stage| {
            // Of this process only: two checkouts may build the same entry at the same time.
            let scratch = folder.with_extension(format!("{}.part", std::process::id()));
            let _ = fs::remove_dir_all(&scratch);
            fs::create_dir_all(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
            build(stage, &scratch)?;
            match fs::rename(&scratch, &folder) {
                Err(_) if folder.exists() => Ok(fs::remove_dir_all(&scratch)?),
                other => other.with_context(|| format!("cannot create {}", folder.display())),
            }
        })?;
        Ok(folder)
    }
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
        stage
            .run("go")
            .args(["build", "-trimpath"])
            .args(self.extra)
            .args(["-ldflags", &linker, "-o"])
            .arg(self.output)
            .arg(self.package)
            .dir(self.module)
            .env("CGO_ENABLED", if self.cgo { "1" } else { "0" })
            .env("GOFLAGS", "")
            .run()
    }
}

/// `go install` of a program that is a module of its own.
pub(crate) fn install(stage: &Stage, package: &str, version: &str, folder: &Path) -> Result<()> {
    stage.note(package);
    stage
        .run("go")
        .args(["install", "-trimpath", "-ldflags", "-s -w"])
        .arg(format!("{package}@{version}"))
        .dir("/")
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "")
        .env("GOBIN", folder)
        .run()
}
