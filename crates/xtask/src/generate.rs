//! `xtask generate`: the definitions, the chart that installs them, the reference of both programs, and what the API's
//! queries mean to the database.

use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::build::ours::{self, Optimised};
use crate::stage::{Stage, Ui};
use crate::{paths, postgres, preflight};

/// The folders below the workspace that hold nothing but generated files.
pub(crate) const FOLDERS: [&str; 3] = ["crds/yaml", "charts/pinfold-crds/templates", "docs/reference"];

pub(crate) fn run(ui: &Ui) -> Result<()> {
    preflight::root()?;
    let database = postgres::start(ui)?;
    ui.stage(
        "queries",
        "mend the query or the compiler's error in the log",
        |stage| queries(stage, &database.url()),
    )?;
    ui.stage("generate", "mend the compiler's error in the log", |stage| {
        into(stage, &paths::workspace())
    })
}

/// Writes the generated files below another top folder.
pub(crate) fn into(stage: &Stage, top: &Path) -> Result<()> {
    let [generate] = ours::examples(stage, ["generate"], Optimised::No)?;
    stage.run(generate).arg(top).run()?;
    ours::programs(stage, &["pinfold-api"], Optimised::No)?;
    for (command, file) in [
        ("settings", "api-settings.md"),
        ("openapi", "openapi.json"),
        ("access", "access.md"),
    ] {
        let text = stage
            .run(ours::program("pinfold-api", Optimised::No))
            .arg(command)
            .output()?;
        let path = top.join("docs/reference").join(file);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Compiles the API against a database that has its schema. The compiler writes down what it learns of each query, and
/// from then on needs no database.
fn queries(stage: &Stage, url: &str) -> Result<()> {
    let top = paths::workspace();
    let [apply] = ours::examples(stage, ["apply"], Optimised::No)?;
    stage.run(apply).env("DATABASE_URL", url).run()?;
    let learned = top.join("api/.sqlx");
    let _ = fs::remove_dir_all(&learned);
    fs::create_dir_all(&learned).with_context(|| format!("cannot create {}", learned.display()))?;
    // The queries are looked at when the crate is compiled, and the compiler sees no reason to.
    let source = top.join("api/src/lib.rs");
    File::open(&source)
        .and_then(|file| file.set_modified(SystemTime::now()))
        .with_context(|| format!("cannot touch {}", source.display()))?;
    ours::cargo(stage, "check")
        .args(["--all-targets"])
        .env("DATABASE_URL", url)
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &learned)
        .run()
}
