//! The components of the control plane and their flags.

use std::env;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::Cluster;
use super::machine::Component;
use super::network::Range;
use super::template::fill;
use crate::install::{self, api::random_hex};

pub(crate) const MACHINE: &str = "control-plane";
const AUDIT_WEBHOOK: &str = "audit-webhook";

/// Who is known by a token, in the group `research`, and where tokens are.
const DANA: &str = "dana";
const TOKENS: &str = "tokens.csv";
const CONFIG: [(&str, &str); 2] = [
    ("audit.yaml", include_str!("../../../../dev/cluster/config/audit.yaml")),
    (
        "authentication.yaml",
        include_str!("../../../../dev/cluster/config/authentication.yaml"),
    ),
];

/// Where the control plane listens.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) api: u16,
    pub(crate) etcd: u16,
    pub(crate) etcd_peers: u16,
    pub(crate) services: String,
    /// Kubelets and pods exist.
    pub(crate) nodes: bool,
    /// Where the control-plane API wants to be told of changes.
    pub(crate) audit: Option<String>,
}

impl Address {
    pub(crate) fn in_range(range: Range) -> Self {
        let (host, services) = (range.control_plane(), range.services());
        Self {
            host,
            api: 6443,
            etcd: 2379,
            etcd_peers: 2380,
            services,
            nodes: true,
            audit: Some(format!("{}/webhooks/kubernetes-audit", install::api::url(range))),
        }
    }

    /// On the host's loopback, with ports that are free now.
    pub(crate) fn on_loopback() -> Result<Self> {
        // All three are held until all are known: the kernel must not answer the same port twice.
        let listeners: Vec<TcpListener> = (0..3)
            .map(|_| TcpListener::bind("127.0.0.1:0"))
            .collect::<Result<_, _>>()
            .context("no port is free")?;
        let ports: Vec<u16> = listeners
            .iter()
            .map(|listener| Ok(listener.local_addr()?.port()))
            .collect::<Result<_>>()?;
        Ok(Self {
            host: "127.0.0.1".to_owned(),
            api: ports[0],
            etcd: ports[1],
            etcd_peers: ports[2],
            services: "10.96.0.0/16".to_owned(),
            nodes: false,
            audit: None,
        })
    }

    pub(crate) fn server(&self) -> String {
        format!("https://{}:{}", self.host, self.api)
    }
}

pub(crate) fn components(
    cluster: &Cluster,
    kube: &Path,
    address: &Address,
    controllers: bool,
) -> Result<Vec<Component>> {
    let folder = cluster.machine(MACHINE);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, text) in CONFIG {
        fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    if let Some(url) = &address.audit {
        tell_audit(cluster, url)?;
    }
    know_by_token(cluster, address)?;
    let component = |name: &str, argv| Component::new(cluster, MACHINE, name, argv);
    let api = format!("{}/readyz", address.server());
    let mut api_server = component("kube-apiserver", api_server(cluster, kube, address))
        .after(format!("tcp:127.0.0.1:{}", address.etcd));
    // Such a machine has more memory than processors: the collector runs a third as often.
    api_server.env.insert("GOGC".to_owned(), "300".to_owned());
    let mut found = vec![component("etcd", etcd(cluster, kube, address)), api_server];
    if controllers {
        let argv = controller_manager(cluster, kube, address);
        found.push(component("kube-controller-manager", argv).after(api.clone()));
    }
    if address.nodes {
        let kubeconfig = cluster.kubeconfig("kube-scheduler");
        let config = fill(
            include_str!("../../../../dev/cluster/config/scheduler.yaml"),
            &[("KUBECONFIG", &kubeconfig.to_string_lossy())],
        )?;
        let path = folder.join("scheduler.yaml");
        fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
        let flags = [
            flag("config", path.display()),
            flag("bind-address", "127.0.0.1"),
            flag("authentication-kubeconfig", kubeconfig.display()),
            flag("authorization-kubeconfig", kubeconfig.display()),
        ];
        found.push(component("kube-scheduler", program(kube, "kube-scheduler", flags)).after(api));
    }
    Ok(found)
}

/// Writes whom the API server tells of changes, and with which token.
fn tell_audit(cluster: &Cluster, url: &str) -> Result<()> {
    let token = secret(&cluster.audit_token())?;
    let authority = cluster.pki().join("web-ca.crt");
    kubeconfig(&cluster.kubeconfig(AUDIT_WEBHOOK), url, &authority, &token)
}

/// Writes the one user whom the API server knows by a token and not by a certificate.
fn know_by_token(cluster: &Cluster, address: &Address) -> Result<()> {
    let token = secret(&cluster.pki().join("dana.token"))?;
    let line = format!("{token},{DANA},{DANA},\"research\"\n");
    write(&cluster.pki().join(TOKENS), &line)?;
    let authority = cluster.pki().join("ca.crt");
    kubeconfig(&cluster.kubeconfig(DANA), &address.server(), &authority, &token)
}

/// What a file has, or a new secret that is written into it.
fn secret(path: &Path) -> Result<String> {
    if !path.exists() {
        write(path, &[random_hex()?, random_hex()?].concat())?;
    }
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes what nobody else may read.
fn write(path: &Path, text: &str) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn kubeconfig(path: &Path, server: &str, authority: &Path, token: &str) -> Result<()> {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "pinfold",
        "clusters": [{"name": "pinfold", "cluster": {"server": server, "certificate-authority": authority}}],
        "users": [{"name": "pinfold", "user": {"token": token}}],
        "contexts": [{"name": "pinfold", "context": {"cluster": "pinfold", "user": "pinfold"}}],
    });
    write(path, &config.to_string())
}

fn etcd(cluster: &Cluster, kube: &Path, address: &Address) -> Vec<String> {
    let client = format!("http://127.0.0.1:{}", address.etcd);
    let peers = format!("http://127.0.0.1:{}", address.etcd_peers);
    let flags = [
        flag("data-dir", cluster.machine(MACHINE).join("etcd").display()),
        flag("name", "etcd"),
        flag("listen-client-urls", &client),
        flag("advertise-client-urls", &client),
        flag("listen-peer-urls", &peers),
        flag("initial-advertise-peer-urls", &peers),
        flag("initial-cluster", format!("etcd={peers}")),
        // A development cluster that lost power is made anew; waiting for the disk would only slow every write.
        "--unsafe-no-fsync".to_owned(),
        flag("snapshot-count", 10_000),
        flag("quota-backend-bytes", 4_294_967_296_u64),
        flag("log-level", "warn"),
    ];
    // KUBEBUILDER_ASSETS is for suites without nodes; a cluster with nodes needs programs of one version.
    assets(address, "etcd").map_or_else(
        || program(kube, "etcd", flags.clone()),
        |own| plain(&own, flags.clone()),
    )
}

fn api_server(cluster: &Cluster, kube: &Path, address: &Address) -> Vec<String> {
    let pki = |file: &str| cluster.pki().join(file).display().to_string();
    let folder = cluster.machine(MACHINE);
    let mut flags = vec![
        flag("etcd-servers", format!("http://127.0.0.1:{}", address.etcd)),
        flag("bind-address", if address.nodes { "0.0.0.0" } else { "127.0.0.1" }),
        flag("advertise-address", &address.host),
        flag("secure-port", address.api),
        flag("service-cluster-ip-range", &address.services),
        flag("tls-cert-file", pki("apiserver.crt")),
        flag("tls-private-key-file", pki("apiserver.key")),
        flag("client-ca-file", pki("ca.crt")),
        flag("service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
        flag("service-account-key-file", pki("sa.key")),
        flag("service-account-signing-key-file", pki("sa.key")),
        flag("proxy-client-cert-file", pki("front-proxy-client.crt")),
        flag("proxy-client-key-file", pki("front-proxy-client.key")),
        flag("requestheader-client-ca-file", pki("front-proxy-ca.crt")),
        flag("requestheader-allowed-names", "front-proxy-client"),
        flag("requestheader-username-headers", "X-Remote-User"),
        flag("requestheader-group-headers", "X-Remote-Group"),
        flag("requestheader-extra-headers-prefix", "X-Remote-Extra-"),
        flag("kubelet-certificate-authority", pki("ca.crt")),
        flag("kubelet-client-certificate", pki("apiserver-kubelet-client.crt")),
        flag("kubelet-client-key", pki("apiserver-kubelet-client.key")),
        flag("kubelet-preferred-address-types", "InternalIP"),
        flag("authorization-mode", "Node,RBAC"),
        flag("enable-admission-plugins", "NodeRestriction"),
        flag("token-auth-file", pki(TOKENS)),
        flag("authentication-config", folder.join("authentication.yaml").display()),
        flag("audit-policy-file", folder.join("audit.yaml").display()),
        flag("audit-log-path", cluster.logs().join("audit.log").display()),
        flag("audit-log-maxsize", 200),
        flag("audit-log-maxbackup", 2),
        flag("allow-privileged", true),
        flag("profiling", false),
    ];
    if address.audit.is_some() {
        flags.extend([
            flag("audit-webhook-config-file", cluster.kubeconfig(AUDIT_WEBHOOK).display()),
            // By default events are 30 seconds late, and nothing is cut that holds whole objects.
            flag("audit-webhook-batch-max-wait", "1s"),
            flag("audit-webhook-truncate-enabled", true),
            flag("audit-webhook-truncate-max-event-size", 4 * 1024 * 1024),
        ]);
    }
    assets(address, "kube-apiserver").map_or_else(
        || program(kube, "kube-apiserver", flags.clone()),
        |own| plain(&own, flags.clone()),
    )
}

fn controller_manager(cluster: &Cluster, kube: &Path, address: &Address) -> Vec<String> {
    let kubeconfig = cluster.kubeconfig("kube-controller-manager").display().to_string();
    let pki = |file: &str| cluster.pki().join(file).display().to_string();
    let mut flags = vec![
        flag("kubeconfig", &kubeconfig),
        flag("authentication-kubeconfig", &kubeconfig),
        flag("authorization-kubeconfig", &kubeconfig),
        flag("bind-address", "127.0.0.1"),
        flag("root-ca-file", pki("ca.crt")),
        flag("service-account-private-key-file", pki("sa.key")),
        flag("use-service-account-credentials", true),
        flag("leader-elect", false),
        flag("kube-api-qps", 500),
        flag("kube-api-burst", 1000),
        flag("profiling", false),
    ];
    if !address.nodes {
        // Several suites may run side by side on the host's loopback, and nobody reads its metrics.
        flags.push(flag("secure-port", 0));
    }
    program(kube, "kube-controller-manager", flags)
}

fn assets(address: &Address, name: &str) -> Option<PathBuf> {
    if address.nodes {
        return None;
    }
    let path = PathBuf::from(env::var_os("KUBEBUILDER_ASSETS")?).join(name);
    path.exists().then_some(path)
}

pub(crate) fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}

pub(crate) fn program(kube: &Path, name: &str, flags: impl IntoIterator<Item = String>) -> Vec<String> {
    [kube.display().to_string(), name.to_owned()]
        .into_iter()
        .chain(flags)
        .collect()
}

fn plain(own: &Path, flags: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(own.display().to_string()).chain(flags).collect()
}
