//! `xtask up`: the cluster that was asked for runs when this returns, whatever was there before.

use std::fs;

use anyhow::{Result, anyhow, bail};
use clap::Args;

use crate::answer::answer;
use crate::build::golang::Entry;
use crate::build::{archive, programs};
use crate::cli::Named;
use crate::cluster::fit::{self, Fit};
use crate::cluster::network::{self, MOST_NODES, Range};
use crate::cluster::state::Shape;
use crate::cluster::{Cluster, lock, start, stop};
use crate::command::Run;
use crate::foreign::{self, Foreign};
use crate::stage::Ui;
use crate::{install, packages, paths, preflight};

/// What images, etcd and logs of a running cluster take.
const CLUSTER_GIB: u64 = 4;

#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) named: Named,
    /// How many worker nodes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_NODES)),
          conflicts_with = "use_kubeconfig")]
    pub(crate) nodes: u8,
    /// Offer the runtime class `gvisor`
    #[arg(long, conflicts_with = "use_kubeconfig")]
    pub(crate) gvisor: bool,
    /// etcd and the API server alone, on the loopback interface
    #[arg(long, conflicts_with_all = ["nodes", "gvisor", "cidr", "use_kubeconfig"])]
    pub(crate) control_plane_only: bool,
    /// With --control-plane-only: run the controller-manager, too
    #[arg(long, requires = "control_plane_only")]
    pub(crate) controller_manager: bool,
    /// The address range, of the form 10.X.0.0/16 (default: a free one)
    #[arg(long, conflicts_with = "use_kubeconfig")]
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
            foreign: Foreign::default(),
        }
    }

    /// The Go programs that such a cluster is made of and used with.
    pub(crate) fn programs(&self) -> Vec<Entry> {
        if self.control_plane_only {
            return vec![programs::OF_KUBE];
        }
        let mut all = programs::OF_NODES.to_vec();
        all.push(programs::OF_HELM);
        all.extend(self.gvisor.then_some(programs::OF_GVISOR));
        all
    }
}

pub(crate) fn run(ui: &Ui, options: &Options) -> Result<()> {
    if let Some(context) = options.foreign.context() {
        return foreign::install(ui, context, &options.foreign).map(drop);
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

/// Starts the cluster, keeps it when it already runs in the wanted shape, and starts over when it is broken or outdated.
pub(crate) fn ensure_running(ui: &Ui, options: &Options) -> Result<Cluster> {
    preflight::root()?;
    programs::require_go(&options.programs())?;
    let cluster = Cluster::new(&options.named.cluster);
    let _lock = lock::take(&cluster)?;
    let shape = shape(options)?;
    if options.control_plane_only {
        let kube = programs::ensure_kube(ui)?;
        if !keep(ui, &cluster, &shape, None)? {
            preflight::disk(&paths::clusters(), CLUSTER_GIB)?;
            or_retreat(ui, &cluster, start::control_plane_only(ui, &cluster, &kube, &shape))?;
        }
        return Ok(cluster);
    }
    packages::ensure_installed(ui)?;
    let programs = programs::ensure(ui, options.gvisor)?;
    if keep(ui, &cluster, &shape, options.cidr)? {
        return Ok(cluster);
    }
    preflight::disk(&paths::clusters(), CLUSTER_GIB)?;
    let range = network::choose(&cluster, options.cidr)?;
    let system = archive::ensure_system(ui, &programs)?;
    or_retreat(
        ui,
        &cluster,
        start::full(ui, &cluster, &programs, &shape, range, &system),
    )?;
    Ok(cluster)
}

fn shape(options: &Options) -> Result<Shape> {
    let gvisor = if options.gvisor {
        Some(programs::OF_GVISOR.folder()?.display().to_string())
    } else {
        None
    };
    Ok(Shape {
        nodes: if options.control_plane_only { 0 } else { options.nodes },
        gvisor,
        control_plane_only: options.control_plane_only,
        controller_manager: options.controller_manager || !options.control_plane_only,
        content: fit::content(options.control_plane_only)?,
    })
}

/// Answers whether the running cluster will do. Otherwise nothing is left of it, or of what a killed run left.
fn keep(ui: &Ui, cluster: &Cluster, wanted: &Shape, range: Option<Range>) -> Result<bool> {
    // The mark is set at the very end of a start: a run that was killed before leaves machines that look well.
    let complete = cluster.dir.join("complete").exists();
    let running = cluster.load().filter(|_| complete && start::trouble(cluster).is_none());
    let name = &cluster.name;
    match running.map(|state| fit::compare(&state, wanted, range)) {
        Some(Fit::Same) => return Ok(true),
        Some(Fit::Different(how)) => bail!(
            "cluster {name} already runs {how}: stop it first with `cargo xtask down --cluster {name}`, or use another \
             name with --cluster"
        ),
        Some(Fit::Outdated) => ui.say(&format!(
            "cluster {name} runs other programs or settings than this checkout makes: it is started anew"
        )),
        None => {}
    }
    if stop::leftovers(cluster)? {
        let mend = "stop the processes named above and run the command again";
        ui.stage(&format!("remove what is left of {name}"), mend, |_| stop::stop(cluster))?;
    }
    Ok(false)
}

/// A start that failed leaves its logs for reading, and nothing that runs.
fn or_retreat(ui: &Ui, cluster: &Cluster, started: Result<()>) -> Result<()> {
    let logs = paths::failed(&cluster.name);
    let Err(error) = started else {
        let _ = fs::remove_dir_all(&logs);
        return Ok(fs::write(cluster.dir.join("complete"), "")?);
    };
    let _ = fs::remove_dir_all(&logs);
    let _ = fs::create_dir_all(&logs);
    let _ = Run::new("cp")
        .arg("-a")
        .arg(cluster.logs().join("."))
        .arg(&logs)
        .succeeds();
    if let Err(second) = stop::stop(cluster) {
        ui.say(&format!("the remains of the cluster cannot be removed: {second:#}"));
    }
    // The error may name a log at the place that is gone.
    let text = format!("{error:#}").replace(&*cluster.logs().to_string_lossy(), &logs.to_string_lossy());
    Err(anyhow!(text))
}
