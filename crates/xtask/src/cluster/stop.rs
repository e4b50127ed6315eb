//! Removes a cluster, in whatever state a run left it. Every step only needs what the kernel knows, not what a file says.

use std::fs;

use anyhow::{Context as _, Result};

use super::{Cluster, cgroup, network};
use crate::command::Run;

/// Ends all processes (and with them the namespaces), then takes away link, cgroups and files.
pub(crate) fn stop(cluster: &Cluster) -> Result<()> {
    cgroup::kill(&cluster.cgroup())?;
    network::disconnect(cluster)?;
    cgroup::remove(&cluster.cgroup())?;
    unmount(cluster)?;
    // The mount points below /var/lib stay: the kernel lets a directory go that is a mount point in another cluster's
    // namespace, and takes that cluster's mount away with it.
    match fs::remove_dir_all(&cluster.dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", cluster.dir.display()))
        }
        _ => Ok(()),
    }
}

/// Whether there is anything to stop.
pub(crate) fn leftovers(cluster: &Cluster) -> Result<bool> {
    Ok(cluster.dir.exists() || cgroup::exists(&cluster.cgroup())?)
}

/// Mounts live in the machines' namespaces; one on the host would make the removal of files reach into it.
fn unmount(cluster: &Cluster) -> Result<()> {
    let mounts = fs::read_to_string("/proc/mounts").context("cannot read /proc/mounts")?;
    let prefix = format!("{}/", cluster.dir.display());
    let found: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|path| path.starts_with(&prefix))
        .collect();
    for path in found.iter().rev() {
        Run::new("umount").args(["--lazy", path]).run()?;
    }
    Ok(())
}
