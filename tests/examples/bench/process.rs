//! Processes of pods. The development cluster's containers are processes of this machine.

use std::{fs, path::PathBuf, time::Duration};

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
            let is_program = fs::read_link(folder.join("exe"))
                .is_ok_and(|exe| exe.file_name().is_some_and(|file| file.to_string_lossy() == program));
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
