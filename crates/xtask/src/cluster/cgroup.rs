//! The cgroups of a cluster, in every hierarchy that the machine has mounted. They are how a cluster's processes are
//! found again: membership is inherited and survives the death of whoever started them.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

const KILL_DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug)]
struct Hierarchy {
    root: PathBuf,
    unified: bool,
}

/// Makes the leaf for a machine's own processes in every hierarchy and answers the files to join them by.
pub(crate) fn create(cluster: &str, machine: &str) -> Result<Vec<PathBuf>> {
    let mut joins = Vec::new();
    for hierarchy in hierarchies()? {
        let mut folder = hierarchy.root.clone();
        for part in [cluster, machine, "system"] {
            if hierarchy.unified {
                delegate(&folder);
            }
            let parent = folder.clone();
            folder.push(part);
            fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
            inherit_cpuset(&parent, &folder)?;
        }
        joins.push(folder.join("cgroup.procs"));
    }
    Ok(joins)
}

/// Kills every process of the cluster, and waits until all are gone.
pub(crate) fn kill(cluster: &str) -> Result<()> {
    let deadline = Instant::now() + KILL_DEADLINE;
    loop {
        let alive = processes(cluster)?;
        if alive.is_empty() {
            return Ok(());
        }
        for process in &alive {
            // It may be gone by now, which is what is wanted.
            let _ = rustix::process::kill_process(*process, rustix::process::Signal::KILL);
        }
        if Instant::now() > deadline {
            let numbers: Vec<String> = alive
                .iter()
                .map(|process| process.as_raw_nonzero().to_string())
                .collect();
            bail!("processes {} do not end, though they were killed", numbers.join(", "));
        }
        thread::sleep(PAUSE);
    }
}

/// Removes the empty cgroups in all hierarchies.
pub(crate) fn remove(cluster: &str) -> Result<()> {
    let deadline = Instant::now() + KILL_DEADLINE;
    for hierarchy in hierarchies()? {
        let top = hierarchy.root.join(cluster);
        while top.exists() {
            let mut folders = subtree(&top);
            // The deepest first: a cgroup with children cannot go.
            folders.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
            for folder in folders {
                let _ = fs::remove_dir(folder);
            }
            if top.exists() {
                if Instant::now() > deadline {
                    bail!("cannot remove the cgroup {}: something still runs in it", top.display());
                }
                thread::sleep(PAUSE);
            }
        }
    }
    Ok(())
}

/// Whether anything of the cluster is left.
pub(crate) fn exists(cluster: &str) -> Result<bool> {
    Ok(hierarchies()?
        .iter()
        .any(|hierarchy| hierarchy.root.join(cluster).exists()))
}

pub(crate) fn processes(cluster: &str) -> Result<HashSet<rustix::process::Pid>> {
    let mut found = HashSet::new();
    for hierarchy in hierarchies()? {
        for folder in subtree(&hierarchy.root.join(cluster)) {
            let Ok(list) = fs::read_to_string(folder.join("cgroup.procs")) else {
                continue;
            };
            // 0 stands for a process that this process namespace cannot see.
            found.extend(
                list.lines()
                    .filter_map(|line| rustix::process::Pid::from_raw(line.parse().ok()?)),
            );
        }
    }
    Ok(found)
}

fn subtree(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![top.to_path_buf()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        open.extend(
            entries
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .filter(|path| path.is_dir()),
        );
        found.push(folder);
    }
    found
}

fn hierarchies() -> Result<Vec<Hierarchy>> {
    let mounts = fs::read_to_string("/proc/mounts").context("cannot read /proc/mounts")?;
    let found: Vec<Hierarchy> = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let root = PathBuf::from(fields.next()?);
            match fields.next()? {
                "cgroup" => Some(Hierarchy { root, unified: false }),
                "cgroup2" => Some(Hierarchy { root, unified: true }),
                _ => None,
            }
        })
        .collect();
    if found.is_empty() {
        bail!("no cgroup file system is mounted: mount one, for example `mount -t cgroup2 none /sys/fs/cgroup`");
    }
    Ok(found)
}

/// Lets the children of a cgroup of version 2 use its controllers. Some may be missing or held by version 1.
fn delegate(folder: &Path) {
    for controller in ["+cpu", "+cpuset", "+memory", "+pids", "+io", "+hugetlb"] {
        let _ = fs::write(folder.join("cgroup.subtree_control"), controller);
    }
}

/// A new cpuset of version 1 has no processor at all, and nothing can join it.
fn inherit_cpuset(parent: &Path, folder: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = folder.join(file);
        if own.exists() && parent.join("cgroup.clone_children").exists() {
            let value = fs::read_to_string(parent.join(file))?;
            fs::write(&own, value.trim()).with_context(|| format!("cannot write {}", own.display()))?;
        }
    }
    Ok(())
}
