//! What the operator wrote, by the API server's own account.

use std::{
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

const OPERATOR: &str = "system:serviceaccount:pinfold-system:pinfold-operator";

/// One request of the operator that writes.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) verb: String,
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// A place in the audit log.
#[derive(Debug)]
pub(crate) struct Mark {
    path: PathBuf,
    file: u64,
    at: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    stage: String,
    verb: String,
    user: User,
    object_ref: Option<Object>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    name: String,
}

impl Mark {
    /// The log's present end.
    pub(crate) fn now() -> Result<Self> {
        let folder = env::var_os("PINFOLD_TEST_CLUSTER_DIR").filter(|f| !f.is_empty());
        let folder = folder.context("PINFOLD_TEST_CLUSTER_DIR is not set: there is no audit log to count writes in")?;
        let path = PathBuf::from(folder).join("log/audit.log");
        let meta = fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self {
            path,
            file: meta.ino(),
            at: meta.len(),
        })
    }

    /// The operator's writes since, without events and leases.
    pub(crate) fn writes(&self) -> Result<Vec<Write>> {
        let mut file = File::open(&self.path)?;
        ensure!(
            file.metadata()?.ino() == self.file,
            "the audit log was rotated meanwhile: writes cannot be counted"
        );
        file.seek(SeekFrom::Start(self.at))?;
        let mut writes = Vec::new();
        for line in BufReader::new(file).lines() {
            let line = line?;
            // The line that is being written just now does not parse, and is for the next reader.
            let Ok(entry) = serde_json::from_str::<Entry>(&line) else {
                continue;
            };
            let reads = matches!(entry.verb.as_str(), "get" | "list" | "watch");
            if reads || entry.stage != "ResponseComplete" || entry.user.username != OPERATOR {
                continue;
            }
            let Some(object) = entry.object_ref else { continue };
            if !matches!(object.resource.as_str(), "events" | "leases") {
                writes.push(Write {
                    verb: entry.verb,
                    resource: object.resource,
                    namespace: object.namespace,
                    name: object.name,
                });
            }
        }
        Ok(writes)
    }
}
