//! Starts a machine: a supervisor as PID 1 of new process, mount and (for a real machine) network namespaces.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use super::Cluster;
use super::state::Process;

/// What the supervisor reads; its fields are described in the supervisor's own source.
#[derive(Debug, Serialize)]
pub(crate) struct Spec {
    pub(crate) status: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) tmpfs: Vec<PathBuf>,
    pub(crate) binds: Vec<Bind>,
    pub(crate) components: Vec<Component>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Bind {
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
}

#[derive(Debug, Serialize)]
pub(crate) struct Component {
    pub(crate) name: String,
    pub(crate) argv: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) log: PathBuf,
    pub(crate) after: String,
}

impl Component {
    pub(crate) fn new(cluster: &Cluster, machine: &str, name: &str, argv: Vec<String>) -> Self {
        let log = cluster.logs().join(format!("{machine}-{name}.log"));
        Self {
            name: name.to_owned(),
            argv,
            env: BTreeMap::new(),
            log,
            after: String::new(),
        }
    }

    /// Waits for an address, `unix:/path`, `tcp:host:port` or `https://...`, before it starts.
    pub(crate) fn after(self, after: String) -> Self {
        Self { after, ..self }
    }
}

/// A machine whose namespaces exist and whose components wait for the word. When it is dropped before, it ends.
#[derive(Debug)]
pub(crate) struct Waiting {
    child: Child,
    pub(crate) process: Process,
}

impl Waiting {
    pub(crate) fn go(mut self) -> Result<()> {
        let mut pipe = self.child.stdin.take().context("the machine has no pipe")?;
        pipe.write_all(b"go\n").context("the machine ended before its start")
    }
}

/// Prepares a machine. The answer still waits, so that its network can be made first.
pub(crate) fn prepare(
    cluster: &Cluster,
    kube: &Path,
    name: &str,
    own_network: bool,
    components: Vec<Component>,
) -> Result<Waiting> {
    let dir = cluster.machine(name);
    let node = own_network && name != super::control_plane::MACHINE;
    let spec = Spec {
        status: cluster.run().join(format!("{name}.status.json")),
        log: cluster.logs().join(format!("{name}-supervise.log")),
        // Sockets and locks of the container runtime: its own, and gone with the node.
        tmpfs: if node { vec!["/run".into()] } else { Vec::new() },
        binds: if node { node_binds(&dir) } else { Vec::new() },
        components,
    };
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let spec_path = cluster.run().join(format!("{name}.spec.json"));
    fs::write(&spec_path, serde_json::to_vec_pretty(&spec)?)
        .with_context(|| format!("cannot write {}", spec_path.display()))?;

    // The shell joins the cgroups before anything else exists, so that nothing can ever be outside of them.
    let script = "while [ \"$1\" != -- ]; do echo $$ > \"$1\" || exit 1; shift; done; shift; exec setsid \"$@\"";
    let errors = File::create(cluster.logs().join(format!("{name}-start.log")))?;
    let mut command = Command::new("sh");
    command
        .args(["-c", script, "sh"])
        .args(super::cgroup::create(&cluster.cgroup(), name)?)
        .arg("--");
    command.args([
        "unshare",
        "--pid",
        "--fork",
        "--kill-child=KILL",
        "--mount",
        "--mount-proc",
    ]);
    if own_network {
        command.arg("--net");
    }
    command.arg("--").arg(kube).arg("supervise").arg(&spec_path);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(errors)
        .current_dir("/");
    let mut child = command.spawn().context("cannot run sh")?;

    let mut line = String::new();
    let answer = child.stdout.take().context("the machine has no output")?;
    BufReader::new(answer).read_line(&mut line)?;
    ensure!(
        line.trim() == "ready",
        "machine {name} did not start: {}",
        start_error(cluster, name)
    );
    let process = child_of(child.id()).with_context(|| format!("machine {name} ended at once"))?;
    cluster.save_process(name, process)?;
    Ok(Waiting { child, process })
}

/// Directories whose paths are fixed in kubelet, containerd and the network plug-ins.
fn node_binds(dir: &Path) -> Vec<Bind> {
    let bind = |own: &str, target: &str| Bind {
        source: dir.join(own),
        target: target.into(),
    };
    vec![
        bind("kubelet", "/var/lib/kubelet"),
        bind("cni-state", "/var/lib/cni"),
        bind("log", "/var/log"),
    ]
}

fn start_error(cluster: &Cluster, name: &str) -> String {
    let log = cluster.logs().join(format!("{name}-start.log"));
    fs::read_to_string(log).unwrap_or_default().trim().to_owned()
}

/// The process that `unshare` forked into the new process namespace, by its number out here.
fn child_of(parent: u32) -> Option<Process> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    Process::of(children.split_whitespace().next()?.parse().ok()?)
}
