//! Starts the machines of a cluster and waits until it can be used.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::control_plane::{Address, MACHINE};
use super::kubectl::{Kubectl, wait_for};
use super::machine::{Waiting, prepare};
use super::network::Range;
use super::state::{Shape, State};
use super::{Cluster, certs, control_plane, images, network, node};
use crate::build::archive::Archive;
use crate::build::programs::Programs;
use crate::paths;
use crate::stage::{Stage, Ui};

const API_DEADLINE: Duration = Duration::from_mins(1);
const NODE_DEADLINE: Duration = Duration::from_mins(2);

/// A cluster that did not start is removed, and its logs are kept.
fn mend(cluster: &Cluster) -> String {
    format!(
        "read the log named above, or those of the components in {}; the same command starts over",
        paths::failed(&cluster.name).display()
    )
}

/// etcd and the API server alone, on the host's loopback.
pub(crate) fn control_plane_only(ui: &Ui, cluster: &Cluster, kube: &Path, shape: &Shape) -> Result<()> {
    ui.stage(&format!("control plane of {}", cluster.name), &mend(cluster), |stage| {
        folders(cluster)?;
        let address = Address::on_loopback()?;
        cluster.save(&State {
            shape: shape.clone(),
            range: None,
            server: address.server(),
            machines: vec![MACHINE.to_owned()],
        })?;
        certs::ensure(stage, cluster, kube, &address, None, 0)?;
        let components = control_plane::components(cluster, kube, &address, shape.controller_manager)?;
        prepare(cluster, kube, MACHINE, false, components)?.go()?;
        let kubectl = Kubectl::new(kube, cluster);
        api_ready(stage, cluster, &kubectl)?;
        if shape.controller_manager {
            stage.note("the controllers begin");
            let account = ["get", "serviceaccount", "default"];
            wait_for(
                "work of the controller-manager",
                API_DEADLINE,
                || trouble(cluster),
                || kubectl.silent().args(account).succeeds(),
            )?;
        }
        Ok(())
    })
}

/// A cluster with nodes in an address range of its own.
pub(crate) fn full(
    ui: &Ui,
    cluster: &Cluster,
    programs: &Programs,
    shape: &Shape,
    range: Range,
    system: &[Archive],
) -> Result<()> {
    let kubectl = Kubectl::new(&programs.kube, cluster);
    let nodes: Vec<u8> = (0..shape.nodes).collect();
    ui.stage(&format!("machines of {}", cluster.name), &mend(cluster), |stage| {
        folders(cluster)?;
        let address = Address::in_range(range);
        let machines = std::iter::once(MACHINE.to_owned()).chain(nodes.iter().map(|index| node::name(*index)));
        cluster.save(&State {
            shape: shape.clone(),
            range: Some(range),
            server: address.server(),
            machines: machines.collect(),
        })?;
        certs::ensure(stage, cluster, &programs.kube, &address, Some(range), shape.nodes)?;
        let components = control_plane::components(cluster, &programs.kube, &address, true)?;
        let control_plane = prepare(cluster, &programs.kube, MACHINE, true, components)?;
        network::connect_control_plane(stage, cluster, range, control_plane.process.pid, shape.nodes)?;
        let control_plane_pid = control_plane.process.pid;
        control_plane.go()?;
        // The nodes come up while the API server does; their programs keep trying until it answers.
        for index in &nodes {
            let components = node::components(cluster, programs, range, *index)?;
            let waiting: Waiting = prepare(cluster, &programs.kube, &node::name(*index), true, components)?;
            network::connect_node(
                stage,
                range,
                control_plane_pid,
                waiting.process.pid,
                *index,
                shape.nodes,
            )?;
            waiting.go()?;
        }
        api_ready(stage, cluster, &kubectl)?;
        kubectl.apply(stage, include_str!("../../../../dev/cluster/manifests/base.yaml"))
    })?;
    ui.stage(&format!("nodes of {}", cluster.name), &mend(cluster), |stage| {
        for index in &nodes {
            let name = node::name(*index);
            stage.note(format!("containerd of {name}"));
            let socket = node::socket(cluster, &name);
            wait_for(
                &format!("a socket of containerd on {name}"),
                NODE_DEADLINE,
                || trouble(cluster),
                || std::os::unix::net::UnixStream::connect(&socket).is_ok(),
            )?;
            images::load(stage, cluster, &programs.containerd, &name, system)?;
        }
        // After the image is there: a pull that fails is tried again only seconds later.
        let manifest = super::template::fill(
            include_str!("../../../../dev/cluster/manifests/coredns.yaml"),
            &[("DNS", &range.dns())],
        )?;
        kubectl.apply(stage, &manifest)?;
        if shape.gvisor.is_some() {
            kubectl.apply(stage, include_str!("../../../../dev/cluster/manifests/gvisor.yaml"))?;
        }
        for index in &nodes {
            let name = node::name(*index);
            stage.note(format!("{name} becomes ready"));
            wait_for(
                &format!("{name} becoming ready"),
                NODE_DEADLINE,
                || trouble(cluster),
                || {
                    let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
                    kubectl
                        .silent()
                        .args(["get", "node", &name, "-o", path])
                        .output()
                        .is_ok_and(|status| status == "True")
                },
            )?;
        }
        stage.note("name server");
        kubectl
            .run(stage)
            .args([
                "-n",
                "kube-system",
                "rollout",
                "status",
                "deployment/coredns",
                "--timeout=120s",
            ])
            .run()
    })
}

/// The first thing that is wrong with the cluster's machines.
pub(crate) fn trouble(cluster: &Cluster) -> Option<String> {
    let state = cluster.load()?;
    state.machines.iter().find_map(|machine| cluster.trouble(machine))
}

fn api_ready(stage: &Stage, cluster: &Cluster, kubectl: &Kubectl) -> Result<()> {
    stage.note("the API server becomes ready");
    let question = ["get", "--raw", "/readyz"];
    wait_for(
        "an answer of the API server",
        API_DEADLINE,
        || trouble(cluster),
        || kubectl.silent().args(question).succeeds(),
    )
}

fn folders(cluster: &Cluster) -> Result<()> {
    for folder in [cluster.dir.clone(), cluster.logs(), cluster.run()] {
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    Ok(())
}
