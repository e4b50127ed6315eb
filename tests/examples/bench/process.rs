//! Processes of pods. The development cluster's containers are processes of this machine.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Pod};
use kube::{Api, Client, ResourceExt as _};

const NAMESPACE: &str = "pinfold-system";

/// Of the times in /proc, on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug)]
pub(crate) struct Process {
    folder: PathBuf,
}

impl Process {
    /// The process of a pod that runs this program.
    pub(crate) fn of_pod(uid: &str, program: &str) -> Result<Self> {
        // The systemd driver of cgroups writes the UID with underscores.
        let names = [format!("pod{uid}"), format!("pod{}", uid.replace('-', "_"))];
        for entry in fs::read_dir("/proc")? {
            let folder = entry?.path();
            let is_program = program_of(&folder).is_some_and(|name| name == program);
            let cgroups = fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
            if is_program && names.iter().any(|name| cgroups.contains(name)) {
                return Ok(Self { folder });
            }
        }
        anyhow::bail!("no process {program} of the pod {uid} runs on this machine")
    }

    /// The process with this number.
    pub(crate) fn of_id(id: u32) -> Self {
        Self {
            folder: PathBuf::from(format!("/proc/{id}")),
        }
    }

    /// The operator that holds the lease.
    pub(crate) async fn leader(client: &Client) -> Result<Self> {
        let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
        let lease = leases.get("pinfold-operator").await.context("read the lease")?;
        let holder = lease.spec.and_then(|s| s.holder_identity).unwrap_or_default();
        let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
        let pod = pods
            .get(&holder)
            .await
            .with_context(|| format!("read the pod of the lease's holder {holder:?}"))?;
        Self::of_pod(&pod.uid().unwrap_or_default(), "pinfold-operator")
    }

    /// A figure of the process's status that is in KiB, in MiB.
    fn mebibytes(&self, key: &str) -> Result<f64> {
        let status = fs::read_to_string(self.folder.join("status")).context("the process is gone")?;
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kibibytes: f64 = line
            .and_then(|l| l.trim_matches([':', '\t', ' ']).split(' ').next()?.parse().ok())
            .with_context(|| format!("no {key} in the process's status"))?;
        Ok(kibibytes / 1024.0)
    }

    /// Memory in use now.
    pub(crate) fn rss(&self) -> Result<f64> {
        self.mebibytes("VmRSS")
    }

    /// The most memory that was ever in use.
    pub(crate) fn peak_rss(&self) -> Result<f64> {
        self.mebibytes("VmHWM")
    }

    /// Processor time since the start.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let stat = fs::read_to_string(self.folder.join("stat")).context("the process is gone")?;
        // The program's name may hold blanks; the fields are counted from behind its parenthesis.
        let fields = stat.rsplit(") ").next().unwrap_or_default();
        let ticks = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(str::parse::<f64>)
            .sum::<Result<f64, _>>()
            .context("an odd /proc/<pid>/stat")?;
        Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
    }

    /// Size of the program's file, in MiB.
    pub(crate) fn program_size(&self) -> Result<f64> {
        let bytes = u32::try_from(fs::metadata(self.folder.join("exe"))?.len())?;
        Ok(f64::from(bytes) / f64::from(1 << 20))
    }
}

/// The name of a process's program.
pub(crate) fn program_of(folder: &Path) -> Option<String> {
    let file = fs::read_link(folder.join("exe")).ok()?;
    Some(file.file_name()?.to_string_lossy().into_owned())
}

/// The processor time of the whole machine and of every process on it, at one moment.
pub(crate) struct Spent {
    all: f64,
    processes: BTreeMap<PathBuf, (String, f64)>,
}

impl Spent {
    pub(crate) fn now() -> Result<Self> {
        let mut processes = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let folder = entry?.path();
            // Threads of the kernel have no program, and any process may end meanwhile.
            if let Some(program) = program_of(&folder)
                && let Ok(time) = (Process { folder: folder.clone() }).processor_time()
            {
                processes.insert(folder, (program, time.as_secs_f64()));
            }
        }
        Ok(Self {
            all: busy()?,
            processes,
        })
    }

    /// What was spent since then: by everything, and by each program whose processes were there all the time.
    pub(crate) fn since(&self) -> Result<(f64, BTreeMap<String, f64>)> {
        let now = Self::now()?;
        let mut programs = BTreeMap::new();
        for (folder, (program, time)) in now.processes {
            if let Some((_, before)) = self.processes.get(&folder) {
                *programs.entry(program).or_insert(0.0) += time - before;
            }
        }
        Ok((now.all - self.all, programs))
    }
}

/// The time that no core was idle or waited: what users, the system and interrupts took.
fn busy() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    let times: Vec<f64> = line.split_whitespace().skip(1).map_while(|t| t.parse().ok()).collect();
    let spent = |i: usize| times.get(i).copied().unwrap_or_default();
    // user, nice, system, idle, iowait, irq, softirq
    Ok([0, 1, 2, 5, 6].into_iter().map(spent).sum::<f64>() / TICKS_PER_SECOND)
}
