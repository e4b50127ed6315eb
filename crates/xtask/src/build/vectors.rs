//! Test vectors of others, which are no part of a library: the JSON Web Signatures of <https://github.com/C2SP/wycheproof>.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::cache::Fetched;
use super::key::Key;
use crate::stage::Ui;

/// The Go module that has them, and its checksum as Go's checksum database has it.
const MODULE: &str = "github.com/c2sp/wycheproof@v0.0.0-20260902155932-3fa63dd0344a";
const SUM: &str = "h1:pNbL2nztRsWfW/ispAwsvcDFxs9Id38uIsR2/Up5G2c=";
const FILE: &str = "json_web_signature_test.json";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Downloaded {
    dir: PathBuf,
    sum: String,
}

/// The file with the signatures.
pub(crate) fn signatures(ui: &Ui) -> Result<PathBuf> {
    let fetched = Fetched {
        title: "test vectors of others",
        name: "vectors",
        key: Key::default().text(MODULE).text(FILE).finish(),
        packages: &[],
        mend: "read the log: a module proxy that does not answer is the usual cause",
    };
    let folder = fetched.ensure(ui, |stage, part| {
        let said = stage
            .run("go")
            .args(["mod", "download", "-json", MODULE])
            .env("GOFLAGS", "")
            .dir(part)
            .output()?;
        let found: Downloaded = serde_json::from_str(&said).context("cannot read what go downloaded")?;
        ensure!(
            found.sum == SUM,
            "{MODULE} has the checksum {}, and not {SUM}",
            found.sum
        );
        let file = found.dir.join("testvectors_v1").join(FILE);
        fs::copy(&file, part.join(FILE)).with_context(|| format!("cannot copy {}", file.display()))?;
        Ok(())
    })?;
    Ok(folder.join(FILE))
}
