//! What the control-plane API needs of a development cluster before its chart is installed: PostgreSQL and Redis as pods, secrets,
//! and a certificate of the cluster's own authority.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::chown;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::NAMESPACE;
use crate::cluster::Cluster;
use crate::cluster::kubectl::Kubectl;
use crate::cluster::network::Range;
use crate::cluster::template::fill;
use crate::command::Run;
use crate::stage::Stage;

pub(super) const MEND: &str = "`kubectl -n pinfold-data describe pods` and `kubectl -n pinfold-data logs deployment/postgres` (or `/redis`) say \
                               what is in the way";
pub(crate) const DATA: &str = "pinfold-data";
/// The user of the server's image.
const USER: u32 = 65532;
const NODE_PORT: u16 = 30443;

/// Where the API of a development cluster answers.
pub(crate) fn url(range: Range) -> String {
    format!("https://{}:{NODE_PORT}", range.node(0))
}

/// Makes what is missing; answers the settings of the chart.
pub(super) fn prepare(
    stage: &Stage,
    cluster: &Cluster,
    kubectl: &Kubectl,
    range: Range,
    [postgres, redis]: [&str; 2],
) -> Result<Vec<String>> {
    let namespaces = [namespace(DATA, "privileged"), namespace(NAMESPACE, "restricted")];
    for manifest in namespaces {
        kubectl.apply(stage, &manifest.to_string())?;
    }
    let data = cluster.dir.join("postgres");
    if !exists(kubectl, DATA, "redis")? || !exists(kubectl, NAMESPACE, "pinfold-api")? {
        // Data that nobody has the passwords of is of no use.
        let server = ["delete", "deployment/postgres", "--ignore-not-found", "--timeout=60s"];
        kubectl.run(stage).args(["--namespace", DATA]).args(server).run()?;
        let _ = fs::remove_dir_all(&data);
        secrets(stage, cluster, kubectl)?;
    }
    let pki = cluster.dir.join("pki");
    let read = |name| fs::read_to_string(pki.join(name)).with_context(|| format!("cannot read {name}"));
    let certificate = json!({"tls.crt": read("pinfold-api.crt")?, "tls.key": read("pinfold-api.key")?});
    let mut certificate = secret(NAMESPACE, "pinfold-api-tls", &certificate);
    certificate["type"] = json!("kubernetes.io/tls");
    kubectl.apply(stage, &certificate.to_string())?;

    fs::create_dir_all(&data).with_context(|| format!("cannot create {}", data.display()))?;
    chown(&data, Some(USER), Some(USER)).with_context(|| format!("cannot give {} away", data.display()))?;
    let manifest = fill(
        include_str!("../../../../dev/cluster/manifests/postgres.yaml"),
        &[("CONTENT", postgres), ("DATA", &data.to_string_lossy())],
    )?;
    kubectl.apply(stage, &manifest)?;
    let manifest = include_str!("../../../../dev/cluster/manifests/redis.yaml");
    kubectl.apply(stage, &fill(manifest, &[("CONTENT", redis)])?)?;
    for deployment in ["deployment/postgres", "deployment/redis"] {
        kubectl
            .run(stage)
            .args(["--namespace", DATA, "rollout", "status", deployment])
            .arg("--timeout=120s")
            .run()?;
    }
    Ok(vec![
        "api.enabled=true".to_owned(),
        "api.image.tag=dev".to_owned(),
        format!("api.serviceURL={}", url(range)),
        "api.tls.secretName=pinfold-api-tls".to_owned(),
        "api.service.type=NodePort".to_owned(),
        format!("api.service.nodePort={NODE_PORT}"),
    ])
}

fn namespace(name: &str, level: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": level}},
    })
}

/// A Secret with these texts.
pub(crate) fn secret(namespace: &str, name: &str, values: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace}, "stringData": values,
    })
}

pub(crate) fn exists(kubectl: &Kubectl, namespace: &str, secret: &str) -> Result<bool> {
    let found = kubectl
        .silent()
        .args(["--namespace", namespace, "get", "secret", secret])
        .args(["--ignore-not-found", "--output=name"])
        .output()?;
    Ok(!found.trim().is_empty())
}

/// All at once: the passwords in one are those in the other.
fn secrets(stage: &Stage, cluster: &Cluster, kubectl: &Kubectl) -> Result<()> {
    let [postgres, owner, app, redis] = [random_hex()?, random_hex()?, random_hex()?, random_hex()?];
    let host = format!("postgres.{DATA}.svc:5432/pinfold");
    let key = Run::new("sh").args(["-c", "head -c 32 /dev/urandom | base64 --wrap=0"]);
    let audit = fs::read_to_string(cluster.audit_token()).context("cannot read the token of the API server's audit")?;
    let service = json!({
        "DATABASE_URL": format!("postgresql://pinfold:{app}@{host}"),
        "PINFOLD_DATABASE_MIGRATION_URL": format!("postgresql://pinfold_owner:{owner}@{host}"),
        "PINFOLD_KUBERNETES_AUDIT_TOKEN": audit,
        "PINFOLD_MASTER_KEY": key.output()?,
        "REDIS_URL": format!("redis://:{redis}@redis.{DATA}.svc:6379/0"),
    });
    let server = json!({"postgres": postgres, "owner": owner, "app": app});
    kubectl.apply(stage, &secret(NAMESPACE, "pinfold-api", &service).to_string())?;
    kubectl.apply(stage, &secret(DATA, "postgres", &server).to_string())?;
    // The last: with it all of them are there.
    kubectl.apply(stage, &secret(DATA, "redis", &json!({"password": redis})).to_string())
}

pub(crate) fn random_hex() -> Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}
