//! The address plan of a cluster, and the links between its machines. The host gets one link and three routes; the
//! rest lies inside the machines' network namespaces and goes away with them.
//!
//! Of 10.X.0.0/16: 10.X.0.0/24 machines (.1 control plane, .254 host, .11 and up nodes), 10.X.16.0/20 services,
//! 10.X.64.0/18 pods with a /23 per node.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::Cluster;
use crate::command::Run;
use crate::stage::Stage;

/// As many /23 ranges as the pods' /18 holds.
pub(crate) const MOST_NODES: u8 = 32;

/// The second number of 10.X.0.0/16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range(u8);

impl Range {
    pub(crate) fn control_plane(self) -> String {
        format!("10.{}.0.1", self.0)
    }

    pub(crate) fn host(self) -> String {
        format!("10.{}.0.254", self.0)
    }

    pub(crate) fn node(self, index: u8) -> String {
        format!("10.{}.0.{}", self.0, 11 + index)
    }

    pub(crate) fn machines(self) -> String {
        format!("10.{}.0.0/24", self.0)
    }

    pub(crate) fn services(self) -> String {
        format!("10.{}.16.0/20", self.0)
    }

    pub(crate) fn api_service(self) -> String {
        format!("10.{}.16.1", self.0)
    }

    pub(crate) fn dns(self) -> String {
        format!("10.{}.16.10", self.0)
    }

    pub(crate) fn pods(self) -> String {
        format!("10.{}.64.0/18", self.0)
    }

    pub(crate) fn node_pods(self, index: u8) -> String {
        format!("10.{}.{}.0/23", self.0, 64 + 2 * index)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "10.{}.0.0/16", self.0)
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("10.").and_then(|rest| rest.strip_suffix(".0.0/16"));
        number
            .and_then(|number| number.parse().ok())
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not of the form 10.X.0.0/16"))
    }
}

/// Takes the range that was asked for, or the first free one. The search starts at a place that the cluster's name
/// decides, so that a cluster keeps its addresses over restarts.
pub(crate) fn choose(cluster: &Cluster, wanted: Option<Range>) -> Result<Range> {
    let used = used()?;
    let taken_by = |range: Range| used.iter().find(|used| used.overlaps(range));
    if let Some(range) = wanted {
        if let Some(other) = taken_by(range) {
            bail!(
                "{range} is in use on this machine ({}): name another with --cidr 10.X.0.0/16",
                other.line
            );
        }
        return Ok(range);
    }
    let start = cluster
        .name
        .bytes()
        .fold(128_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    (0..=u8::MAX)
        .map(|step| Range(start.wrapping_add(step)))
        .find(|range| taken_by(*range).is_none())
        .context("no 10.X.0.0/16 is free on this machine: remove a route, or stop another cluster")
}

#[derive(Debug)]
struct Used {
    address: u32,
    length: u32,
    line: String,
}

impl Used {
    fn overlaps(&self, range: Range) -> bool {
        let length = self.length.min(16);
        // A default route covers everything and takes nothing.
        let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        length > 0 && self.address & mask == u32::from(Ipv4Addr::new(10, range.0, 0, 0)) & mask
    }
}

fn used() -> Result<Vec<Used>> {
    let mut lines = Run::new("ip")
        .args(["-4", "-o", "route", "show", "table", "all"])
        .output()?;
    lines.push_str(&Run::new("ip").args(["-4", "-o", "address"]).output()?);
    Ok(lines.lines().filter_map(parse).collect())
}

/// Finds the first address or prefix of a line, whatever words stand before it.
fn parse(line: &str) -> Option<Used> {
    line.split_whitespace().find_map(|word| {
        let (address, length) = word.split_once('/').unwrap_or((word, "32"));
        let address: Ipv4Addr = address.parse().ok()?;
        Some(Used {
            address: address.into(),
            length: length.parse().ok()?,
            line: line.trim().to_owned(),
        })
    })
}

/// The host's end of the link into the cluster.
pub(crate) fn host_link(cluster: &Cluster) -> String {
    format!("pf-{}", cluster.name)
}

/// Joins the host and the control plane. The peer is born inside the other namespace: no moment leaves two ends here.
pub(crate) fn connect_control_plane(stage: &Stage, cluster: &Cluster, range: Range, pid: u32, nodes: u8) -> Result<()> {
    let link = host_link(cluster);
    stage
        .run("ip")
        .args(["link", "add", &link, "type", "veth", "peer", "name", "host", "netns"])
        .arg(pid.to_string())
        .run()?;
    let mut inside = format!(
        "link set lo up\nlink add cluster type bridge\nlink set cluster up\nlink set host master cluster\n\
         link set host up\naddress add {}/24 dev cluster\nroute add default via {}\n",
        range.control_plane(),
        range.host()
    );
    let mut outside = format!("address add {}/24 dev {link}\nlink set {link} up\n", range.host());
    for routes in [&mut inside, &mut outside] {
        routes.push_str(&pod_routes(range, nodes, None));
        if nodes > 0 {
            let services = format!("route add {} via {}\n", range.services(), range.node(0));
            routes.push_str(&services);
        }
    }
    batch(stage, Some(pid), &inside)?;
    batch(stage, None, &outside)
}

/// Joins a node to the control plane's bridge.
pub(crate) fn connect_node(
    stage: &Stage,
    range: Range,
    control_plane: u32,
    pid: u32,
    index: u8,
    nodes: u8,
) -> Result<()> {
    let bridge = format!(
        "link add node-{index} type veth peer name eth0 netns {pid}\nlink set node-{index} master cluster\n\
         link set node-{index} up\n"
    );
    // `ip` finds the peer's namespace by the host's process numbers, which its own view of /proc still shows.
    batch(stage, Some(control_plane), &bridge)?;
    let mut inside = format!(
        "link set lo up\naddress add {}/24 dev eth0\nlink set eth0 up\nroute add default via {}\n",
        range.node(index),
        range.host()
    );
    inside.push_str(&pod_routes(range, nodes, Some(index)));
    batch(stage, Some(pid), &inside)?;
    // A minimal Debian has no sysctl; the file shows the settings of the network namespace of whoever opens it.
    within(stage, pid, "sh")
        .args(["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
        .run()?;
    let rules = super::template::fill(
        include_str!("../../../../dev/cluster/config/masquerade.nft"),
        &[
            ("NODE_POD_RANGE", &range.node_pods(index)),
            ("NODE_RANGE", &range.machines()),
            ("POD_RANGE", &range.pods()),
            ("SERVICE_RANGE", &range.services()),
        ],
    )?;
    within(stage, pid, "nft").args(["-f", "-"]).input(rules).run()
}

/// Removes the host's link and with it the host's routes; the namespaces may take a moment longer to go.
pub(crate) fn disconnect(cluster: &Cluster) -> Result<()> {
    let link = host_link(cluster);
    if !Run::new("ip").args(["link", "show", "dev", &link]).succeeds() {
        return Ok(());
    }
    let _ = Run::new("ip").args(["link", "delete", "dev", &link]).succeeds();
    ensure!(
        !Run::new("ip").args(["link", "show", "dev", &link]).succeeds(),
        "cannot remove the network link {link}"
    );
    Ok(())
}

fn pod_routes(range: Range, nodes: u8, own: Option<u8>) -> String {
    let others = (0..nodes).filter(|index| Some(*index) != own);
    let lines: Vec<String> = others
        .map(|index| format!("route add {} via {}\n", range.node_pods(index), range.node(index)))
        .collect();
    lines.concat()
}

fn batch(stage: &Stage, pid: Option<u32>, commands: &str) -> Result<()> {
    let ip = match pid {
        Some(pid) => within(stage, pid, "ip"),
        None => stage.run("ip"),
    };
    ip.args(["-batch", "-"]).input(commands).run()
}

fn within(stage: &Stage, pid: u32, program: &str) -> Run {
    stage
        .run("nsenter")
        .arg(format!("--net=/proc/{pid}/ns/net"))
        .arg(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_sees_wider_and_narrower_routes_but_not_the_default() {
        let range = Range(7);
        for (line, overlaps) in [
            ("10.7.3.0/24 dev eth0 proto kernel", true),
            ("broadcast 10.7.255.255 dev eth0", true),
            ("10.0.0.0/8 via 192.0.2.1 dev eth0", true),
            ("2: eth0    inet 10.7.0.2/16 scope global", true),
            ("10.8.0.0/16 dev eth1", false),
        ] {
            assert_eq!(parse(line).unwrap().overlaps(range), overlaps, "{line}");
        }
        assert!(
            !Used {
                address: 0,
                length: 0,
                line: String::new()
            }
            .overlaps(range)
        );
    }

    #[test]
    fn pod_ranges_do_not_meet() {
        let range = Range(9);
        assert_eq!(range.node_pods(0), "10.9.64.0/23");
        assert_eq!(range.node_pods(MOST_NODES - 1), "10.9.126.0/23");
        assert!("10.300.0.0/16".parse::<Range>().is_err());
    }
}
