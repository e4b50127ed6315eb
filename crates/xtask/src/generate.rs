//! `xtask generate`: the definitions, the chart that installs them and the reference, from the types in `crds`.

use std::path::Path;

use anyhow::Result;

use crate::paths;
use crate::stage::{Stage, Ui};

/// The folders below the workspace that hold nothing but generated files.
pub(crate) const FOLDERS: [&str; 3] = ["crds/yaml", "charts/pinfold-crds/templates", "docs/reference"];

pub(crate) fn run(ui: &Ui) -> Result<()> {
    ui.stage("generate", "mend the compiler's error in the log", |stage| {
        into(stage, &paths::workspace())
    })
}

/// Writes the generated files below another top folder.
pub(crate) fn into(stage: &Stage, top: &Path) -> Result<()> {
    stage
        .run("cargo")
        .args(["run", "--quiet", "--package", "crds", "--example", "generate", "--"])
        .arg(top)
        .dir(paths::workspace())
        .run()
}
