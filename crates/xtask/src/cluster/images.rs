//! Loads image archives into the nodes' containerd, each content once.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::Cluster;
use crate::build::archive::Archive;
use crate::stage::Stage;

/// Imports what a node does not have yet; the archive's path names its content.
pub(crate) fn load(
    stage: &Stage,
    cluster: &Cluster,
    containerd: &Path,
    node: &str,
    archives: &[Archive],
) -> Result<()> {
    let loaded = cluster.machine(node).join("loaded");
    fs::create_dir_all(&loaded).with_context(|| format!("cannot create {}", loaded.display()))?;
    let process = cluster
        .process(node)
        .with_context(|| format!("{node} does not run: run cargo xtask up"))?;
    for archive in archives {
        let mark = loaded.join(archive.name.replace('/', "_"));
        let content = archive.path.display().to_string();
        if fs::read_to_string(&mark).is_ok_and(|known| known == content) {
            continue;
        }
        stage.note(format!("{} into {node}", archive.name));
        stage
            .run("nsenter")
            .arg(format!("--mount=/proc/{}/ns/mnt", process.pid))
            .arg("--")
            .arg(containerd.join("ctr"))
            .arg("--address")
            .arg(super::node::socket(cluster, node))
            .args(["--namespace", "k8s.io", "images", "import"])
            .arg(&archive.path)
            .run()?;
        fs::write(&mark, content).with_context(|| format!("cannot write {}", mark.display()))?;
    }
    Ok(())
}
