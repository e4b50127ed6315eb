//! What must be true of the machine before anything is touched.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::command::Run;

const GIB: u64 = 1 << 30;

/// Namespaces, mounts and cgroups are made directly, without a daemon that would do it for us.
pub(crate) fn root() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "the development cluster needs root: run it as root (for example in a virtual machine), \
         or use your own cluster with --use-kubeconfig --context NAME"
    );
    Ok(())
}

pub(crate) fn go() -> Result<()> {
    let version = Run::new("go").args(["env", "GOVERSION"]).output();
    ensure!(
        version.is_ok(),
        "go is not on the PATH: install Go 1.26 or newer (the cluster's programs are built from source)"
    );
    Ok(())
}

/// Refuses early: a disk that fills up in the middle leaves half-written builds and an evicting kubelet.
pub(crate) fn disk(folder: &Path, gib: u64) -> Result<()> {
    let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let stat = rustix::fs::statvfs(existing).with_context(|| format!("cannot measure {}", existing.display()))?;
    let free = stat.f_bavail * stat.f_frsize / GIB;
    ensure!(
        free >= gib,
        "{} has {free} GiB free and {gib} GiB are needed: free some space, or set PINFOLD_CACHE and CARGO_TARGET_DIR \
         to folders on a larger disk",
        existing.display()
    );
    Ok(())
}
