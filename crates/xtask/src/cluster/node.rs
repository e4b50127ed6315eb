//! The components of a node and their settings files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::Cluster;
use super::control_plane::{flag, program};
use super::machine::Component;
use super::network::Range;
use super::template::fill;
use crate::build::programs::Programs;

pub(crate) fn name(index: u8) -> String {
    format!("node-{index}")
}

/// The runtime's socket lies outside of the node's own /run, so that images can be loaded from the host.
pub(crate) fn socket(cluster: &Cluster, node: &str) -> PathBuf {
    cluster.run().join(format!("{node}.containerd.sock"))
}

pub(crate) fn components(cluster: &Cluster, programs: &Programs, range: Range, index: u8) -> Result<Vec<Component>> {
    let node = name(index);
    let files = Files {
        cluster,
        programs,
        range,
        index,
    };
    files.write()?;
    let dir = cluster.machine(&node);
    let runtime = format!("unix:{}", socket(cluster, &node).display());
    let api = format!("https://{}:6443/readyz", range.control_plane());
    let component = |name: &str, argv| Component::new(cluster, &node, name, argv);

    let path = format!(
        "{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        programs.containerd.display()
    );
    let containerd = vec![
        programs.containerd.join("containerd").display().to_string(),
        "--config".to_owned(),
        dir.join("containerd.toml").display().to_string(),
    ];
    let mut containerd = component("containerd", containerd);
    containerd.env.insert("PATH".to_owned(), path);
    // Nodes reach no registry: a pull is refused at once, the same on every machine, rather than after the time-outs of
    // names that do not resolve. Port 9 is the discard service, which nothing serves.
    for scheme in ["HTTP_PROXY", "HTTPS_PROXY"] {
        containerd
            .env
            .insert(scheme.to_owned(), "http://127.0.0.1:9".to_owned());
    }
    let kubelet = [
        flag("config", dir.join("kubelet.yaml").display()),
        flag("kubeconfig", cluster.kubeconfig(&node).display()),
        flag("hostname-override", &node),
        flag("node-ip", range.node(index)),
    ];
    let netpol = [
        flag("kubeconfig", cluster.kubeconfig("netpol").display()),
        flag("node", &node),
        flag("pod-range", range.node_pods(index)),
    ];
    Ok(vec![
        containerd,
        // First in place, last to learn of anything: without rules no pod of this node gets a packet through.
        component("netpol", program(&programs.kube, "netpol", netpol)),
        component("kubelet", program(&programs.kube, "kubelet", kubelet)).after(runtime),
        component(
            "kube-proxy",
            program(
                &programs.kube,
                "kube-proxy",
                [flag("config", dir.join("kube-proxy.yaml").display())],
            ),
        )
        .after(api),
    ])
}

struct Files<'a> {
    cluster: &'a Cluster,
    programs: &'a Programs,
    range: Range,
    index: u8,
}

impl Files<'_> {
    fn write(&self) -> Result<()> {
        let node = name(self.index);
        let dir = self.cluster.machine(&node);
        let cni = dir.join("cni");
        fs::create_dir_all(&cni).with_context(|| format!("cannot create {}", cni.display()))?;
        let text = |path: &Path| path.display().to_string();
        let gvisor = self.programs.gvisor.as_deref().map(text);
        let values = [
            ("ADDRESS", self.range.node(self.index)),
            ("BIN", text(&self.programs.containerd)),
            ("CGROUP", format!("/{}/{node}", self.cluster.cgroup())),
            ("DNS", self.range.dns()),
            ("GVISOR", gvisor.clone().unwrap_or_default()),
            ("KUBECONFIG", text(&self.cluster.kubeconfig("kube-proxy"))),
            ("NODE", node.clone()),
            ("PKI", text(&self.cluster.pki())),
            ("RESOLV_CONF", text(&dir.join("resolv.conf"))),
            ("ROOT", text(&dir)),
            ("SOCKET", text(&socket(self.cluster, &node))),
        ];
        let cluster_pods = [("POD_RANGE", self.range.pods())];
        let node_pods = [("POD_RANGE", self.range.node_pods(self.index))];
        let mut containerd = include_str!("../../../../dev/cluster/config/containerd.toml").to_owned();
        if gvisor.is_some() {
            containerd.push_str(include_str!("../../../../dev/cluster/config/containerd-gvisor.toml"));
            write(
                &dir.join("runsc.toml"),
                include_str!("../../../../dev/cluster/config/runsc.toml"),
                &values,
            )?;
        }
        write(&dir.join("containerd.toml"), &containerd, &values)?;
        write(
            &dir.join("kubelet.yaml"),
            include_str!("../../../../dev/cluster/config/kubelet.yaml"),
            &values,
        )?;
        let proxy: Vec<_> = values.iter().chain(&cluster_pods).cloned().collect();
        write(
            &dir.join("kube-proxy.yaml"),
            include_str!("../../../../dev/cluster/config/kube-proxy.yaml"),
            &proxy,
        )?;
        let list = include_str!("../../../../dev/cluster/config/cni.json");
        write(&cni.join("10-pinfold.conflist"), list, &node_pods)?;
        // Names outside of the cluster do not resolve in pods: the same on every machine.
        write(&dir.join("resolv.conf"), "", &[])
    }
}

fn write(path: &Path, template: &str, values: &[(&str, String)]) -> Result<()> {
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let text = fill(template, &values)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
