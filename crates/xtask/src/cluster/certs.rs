//! Keys, certificates and kubeconfigs, made by the cluster's own program so that this tool needs no TLS.

use std::path::Path;

use anyhow::Result;

use super::Cluster;
use super::control_plane::Address;
use super::network::Range;
use crate::stage::Stage;

pub(crate) fn ensure(
    stage: &Stage,
    cluster: &Cluster,
    kube: &Path,
    address: &Address,
    range: Option<Range>,
    nodes: u8,
) -> Result<()> {
    let mut names = vec![address.host.clone(), "127.0.0.1".to_owned(), "localhost".to_owned()];
    names.extend(range.map(Range::api_service));
    for suffix in ["", ".default", ".default.svc", ".default.svc.cluster.local"] {
        names.push(format!("kubernetes{suffix}"));
    }
    let nodes: Vec<String> = range
        .map(|range| {
            (0..nodes)
                .map(|index| format!("{}={}", super::node::name(index), range.node(index)))
                .collect()
        })
        .unwrap_or_default();
    stage
        .run(kube)
        .arg("certs")
        .arg("--dir")
        .arg(&cluster.dir)
        .args(["--cluster", &format!("pinfold-{}", cluster.name)])
        .args(["--server", &address.server()])
        .args(["--names", &names.join(",")])
        .args(["--nodes", &nodes.join(",")])
        .run()
}
