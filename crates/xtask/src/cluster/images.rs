//! Loads image archives into the nodes' containerd, each content once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Cluster;
use crate::build::archive::Archive;
use crate::stage::Stage;

/// Imports what a node does not have yet; the archive's path names its content.
pub(crate) fn load<'a>(
    stage: &Stage,
    cluster: &Cluster,
    containerd: &Path,
    node: &str,
    archives: impl IntoIterator<Item = &'a Archive>,
) -> Result<()> {
    let folder = cluster.machine(node).join("loaded");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let process = cluster
        .process(node)
        .with_context(|| format!("{node} does not run: run cargo xtask up"))?;
    for archive in archives {
        let mark = mark(cluster, node, &archive.name);
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

/// The archive that a node has under a name.
pub(crate) fn loaded(cluster: &Cluster, node: &str, name: &str) -> Result<Archive> {
    let mark = mark(cluster, node, name);
    let path = fs::read_to_string(&mark).with_context(|| {
        format!(
            "{node} does not have {name}: run cargo xtask image ({})",
            mark.display()
        )
    })?;
    Ok(Archive {
        name: name.to_owned(),
        path: path.into(),
    })
}

fn mark(cluster: &Cluster, node: &str, name: &str) -> PathBuf {
    cluster.machine(node).join("loaded").join(name.replace('/', "_"))
}
