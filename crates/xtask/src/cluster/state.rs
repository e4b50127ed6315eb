//! What a cluster was started as, and what its machines say about themselves.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::Cluster;

/// The wish that a running cluster fulfils; a different wish needs a new cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) nodes: u8,
    /// The folder of gVisor's programs, whose name says their version.
    pub(crate) gvisor: Option<String>,
    pub(crate) control_plane_only: bool,
    pub(crate) controller_manager: bool,
    /// A name for the other programs and the settings that it was started with.
    pub(crate) content: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) shape: Shape,
    /// The first two numbers of the address range, when the cluster has one.
    pub(crate) range: Option<super::network::Range>,
    /// Where the API server answers.
    pub(crate) server: String,
    pub(crate) machines: Vec<String>,
}

/// The supervisor's status file.
#[derive(Debug, Deserialize)]
pub(crate) struct MachineStatus {
    pub(crate) phase: String,
    #[serde(default)]
    pub(crate) error: String,
    #[serde(default)]
    pub(crate) components: Option<Vec<ComponentStatus>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ComponentStatus {
    pub(crate) name: String,
    pub(crate) running: bool,
    #[serde(default)]
    pub(crate) exit: String,
}

/// How many fields of `/proc/PID/stat` lie between the state and the start time.
const FROM_STATE_TO_START_TIME: usize = 18;

/// The process that holds a machine's namespaces, told apart from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) start_time: u64,
}

impl Process {
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold spaces; the fields after it do not.
        let after_name = stat.rsplit(") ").next()?;
        let mut fields = after_name.split(' ');
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        let start_time = fields.nth(FROM_STATE_TO_START_TIME)?.parse().ok()?;
        Some(Self { pid, start_time })
    }

    pub(crate) fn alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }
}

impl Cluster {
    pub(crate) fn load(&self) -> Option<State> {
        read(&self.dir.join("cluster.json"))
    }

    pub(crate) fn save(&self, state: &State) -> Result<()> {
        write(&self.dir.join("cluster.json"), state)
    }

    pub(crate) fn process(&self, machine: &str) -> Option<Process> {
        read::<Process>(&self.run().join(format!("{machine}.process.json"))).filter(|process| process.alive())
    }

    pub(crate) fn save_process(&self, machine: &str, process: Process) -> Result<()> {
        write(&self.run().join(format!("{machine}.process.json")), &process)
    }

    pub(crate) fn status(&self, machine: &str) -> Option<MachineStatus> {
        read(&self.run().join(format!("{machine}.status.json")))
    }

    /// Says what is wrong with a machine, if anything is.
    pub(crate) fn trouble(&self, machine: &str) -> Option<String> {
        if self.process(machine).is_none() {
            return Some(format!("{machine} does not run"));
        }
        let Some(status) = self.status(machine) else {
            return Some(format!("{machine} has no status"));
        };
        if status.phase == "failed" {
            return Some(format!("{machine}: {}", status.error));
        }
        let down = status
            .components
            .unwrap_or_default()
            .into_iter()
            .find(|component| !component.running)?;
        Some(format!(
            "{} of {machine} is down ({}), its log: {}",
            down.name,
            down.exit,
            self.logs().join(format!("{machine}-{}.log", down.name)).display()
        ))
    }
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Option<T> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let part = path.with_extension("new");
    fs::write(&part, serde_json::to_vec_pretty(value)?).with_context(|| format!("cannot write {}", part.display()))?;
    fs::rename(&part, path).with_context(|| format!("cannot write {}", path.display()))
}
