//! `xtask up`: the cluster that was asked for runs when this returns, whatever was there before.

use anyhow::{Result, ensure};
use clap::Args;

use crate::answer::answer;
use crate::build::{archive, programs};
use crate::cli::{Foreign, Named};
use crate::cluster::network::{self, MOST_NODES, Range};
use crate::cluster::state::Shape;
use crate::cluster::{Cluster, lock, start, stop};
use crate::stage::Ui;
use crate::{install, packages, paths, preflight};

/// What images, etcd and logs of a running cluster take.
const CLUSTER_GIB: u64 = 4;

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) named: Named,
    /// How many worker nodes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_NODES)))]
    pub(crate) nodes: u8,
    /// Offer the runtime class `gvisor`
    #[arg(long)]
    pub(crate) gvisor: bool,
    /// etcd and the API server alone, on the loopback interface
    #[arg(long, conflicts_with_all = ["nodes", "gvisor", "cidr"])]
    pub(crate) control_plane_only: bool,
    /// With --control-plane-only: run the controller-manager, too
    #[arg(long, requires = "control_plane_only")]
    pub(crate) controller_manager: bool,
    /// The address range, of the form 10.X.0.0/16 (default: a free one)
    #[arg(long)]
    pub(crate) cidr: Option<Range>,
    #[command(flatten)]
    pub(crate) foreign: Foreign,
}

impl Options {
    /// The default cluster under another name.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            named: Named {
                cluster: name.to_owned(),
            },
            nodes: 1,
            gvisor: false,
            control_plane_only: false,
            controller_manager: false,
            cidr: None,
            foreign: Foreign {
                use_kubeconfig: false,
                context: None,
            },
        }
    }
}

pub(crate) fn run(ui: &Ui, options: &Options) -> Result<()> {
    if let Some(context) = options.foreign.context() {
        return install::foreign(ui, context);
    }
    let cluster = ensure_running(ui, options)?;
    answer!("cluster {} runs. To use it:", cluster.name);
    answer!(
        "  export KUBECONFIG=$(cargo xtask kubeconfig --cluster {})",
        cluster.name
    );
    answer!("  export PATH=$PATH:{}", install::tools_folder(ui)?.display());
    answer!("  kubectl get pods -A");
    Ok(())
}

/// Starts the cluster, keeps it when it already runs in the wanted shape, and starts over when it is broken.
pub(crate) fn ensure_running(ui: &Ui, options: &Options) -> Result<Cluster> {
    preflight::root()?;
    let cluster = Cluster::new(&options.named.cluster);
    preflight::disk(&paths::clusters(), CLUSTER_GIB)?;
    let _lock = lock::take(&cluster)?;
    if options.control_plane_only {
        let kube = programs::ensure_kube(ui)?;
        let shape = shape(options, &kube);
        if !keep(ui, &cluster, &shape)? {
            or_retreat(ui, &cluster, start::control_plane_only(ui, &cluster, &kube, &shape))?;
        }
        return Ok(cluster);
    }
    packages::ensure_installed(ui)?;
    let programs = programs::ensure(ui, options.gvisor)?;
    let shape = shape(options, &programs.kube);
    if keep(ui, &cluster, &shape)? {
        return Ok(cluster);
    }
    let range = network::choose(&cluster, options.cidr)?;
    let system = archive::ensure_system(ui, &programs)?;
    or_retreat(
        ui,
        &cluster,
        start::full(ui, &cluster, &programs, &shape, range, &system),
    )?;
    Ok(cluster)
}

fn shape(options: &Options, kube: &std::path::Path) -> Shape {
    Shape {
        nodes: if options.control_plane_only { 0 } else { options.nodes },
        gvisor: options.gvisor,
        control_plane_only: options.control_plane_only,
        controller_manager: options.controller_manager || !options.control_plane_only,
        kube: kube.display().to_string(),
    }
}

/// Answers whether the running cluster will do. What a killed run left is removed.
fn keep(ui: &Ui, cluster: &Cluster, wanted: &Shape) -> Result<bool> {
    // The mark is set at the very end of a start: a run that was killed before leaves machines that look well.
    let complete = cluster.dir.join("complete").exists();
    let running = cluster.load().filter(|_| complete && start::trouble(cluster).is_none());
    if let Some(state) = running {
        let has = &state.shape;
        ensure!(
            has.nodes == wanted.nodes
                && has.gvisor >= wanted.gvisor
                && has.control_plane_only == wanted.control_plane_only
                && has.controller_manager >= wanted.controller_manager,
            "cluster {} already runs as something else ({} nodes, gVisor {}, control plane only {}): stop it first with \
             `cargo xtask down --cluster {}`, or use another name with --cluster",
            cluster.name,
            has.nodes,
            has.gvisor,
            has.control_plane_only,
            cluster.name
        );
        if has.kube != wanted.kube {
            ui.say(&format!(
                "cluster {} runs older programs than this checkout builds; `cargo xtask down` and `up` take the new ones",
                cluster.name
            ));
        }
        return Ok(true);
    }
    if stop::leftovers(cluster)? {
        let mend = "stop the processes named above and run the command again";
        ui.stage(&format!("remove what is left of {}", cluster.name), mend, |_| {
            stop::stop(cluster)
        })?;
    }
    Ok(false)
}

/// A start that failed leaves its logs for reading, and nothing that runs.
fn or_retreat(ui: &Ui, cluster: &Cluster, started: Result<()>) -> Result<()> {
    if let Err(error) = started {
        let logs = paths::work().join("failed").join(&cluster.name);
        let _ = std::fs::remove_dir_all(&logs);
        let _ = std::fs::create_dir_all(&logs);
        let _ = crate::command::Run::new("cp")
            .arg("-a")
            .arg(cluster.logs())
            .arg(&logs)
            .succeeds();
        ui.say(&format!("the logs of the failed cluster are in {}", logs.display()));
        if let Err(second) = stop::stop(cluster) {
            ui.say(&format!("and its remains cannot be removed: {second:#}"));
        }
        return Err(error);
    }
    std::fs::write(cluster.dir.join("complete"), "")?;
    Ok(())
}
