//! The way to the real API server: its address and the identity of the client under test.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Uri;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde::Deserialize;

/// A client of the API server.
pub type UpstreamClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The API server and who we are there.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its address.
    pub server: Uri,
    /// Speaks to it with the client's certificate.
    pub client: UpstreamClient,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kubeconfig {
    current_context: String,
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
    contexts: Vec<NamedContext>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: Option<String>,
    certificate_authority_data: Option<String>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: User,
}

#[derive(Deserialize)]
struct User {
    #[serde(rename = "client-certificate")]
    certificate: Option<String>,
    #[serde(rename = "client-certificate-data")]
    certificate_data: Option<String>,
    #[serde(rename = "client-key")]
    key: Option<String>,
    #[serde(rename = "client-key-data")]
    key_data: Option<String>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: ContextEntry,
}

#[derive(Deserialize)]
struct ContextEntry {
    cluster: String,
    user: String,
}

impl Upstream {
    /// Reads the current context of a kubeconfig whose user has a client certificate.
    pub fn of_kubeconfig(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read the kubeconfig {}", path.display()))?;
        let config: Kubeconfig =
            serde_saphyr::from_str(&text).with_context(|| format!("parse the kubeconfig {}", path.display()))?;
        let context = config.contexts.into_iter().find(|c| c.name == config.current_context);
        let context = context.context("the current context is not in the kubeconfig")?.context;
        let cluster = config.clusters.into_iter().find(|c| c.name == context.cluster);
        let cluster = cluster
            .context("the context's cluster is not in the kubeconfig")?
            .cluster;
        let user = config.users.into_iter().find(|u| u.name == context.user);
        let user = user.context("the context's user is not in the kubeconfig")?.user;
        let folder = path.parent().unwrap_or(Path::new("."));

        let authority = bytes(
            folder,
            cluster.certificate_authority_data,
            cluster.certificate_authority,
        )
        .context("certificate-authority of the cluster")?;
        let certificate =
            bytes(folder, user.certificate_data, user.certificate).context("client-certificate of the user")?;
        let key = bytes(folder, user.key_data, user.key).context("client-key of the user")?;
        let server: Uri = cluster.server.parse().context("server of the cluster")?;
        Ok(Self {
            client: client(&authority, &certificate, &key)?,
            server,
        })
    }
}

fn bytes(folder: &Path, data: Option<String>, file: Option<String>) -> Result<Vec<u8>> {
    match (data, file) {
        (Some(data), _) => STANDARD.decode(data.trim()).context("decode base64"),
        (None, Some(file)) => fs::read(folder.join(&file)).with_context(|| format!("read {file}")),
        (None, None) => bail!("neither the data nor a file is given"),
    }
}

fn client(authority: &[u8], certificate: &[u8], key: &[u8]) -> Result<UpstreamClient> {
    let mut roots = RootCertStore::empty();
    for root in certificates(authority)? {
        roots.add(root).context("take the cluster's certificate authority")?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
        .context("take the user's certificate")?;
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// The certificates of a PEM file.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let blocks = pem::parse_many(pem).context("parse PEM")?;
    Ok(blocks
        .into_iter()
        .filter(|b| b.tag() == "CERTIFICATE")
        .map(|b| b.into_contents().into())
        .collect())
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>> {
    let blocks = pem::parse_many(pem).context("parse PEM")?;
    let block = blocks
        .into_iter()
        .find(|b| b.tag().ends_with("PRIVATE KEY"))
        .context("there is no private key")?;
    let tag = block.tag().to_owned();
    let der = block.into_contents();
    Ok(match tag.as_str() {
        "EC PRIVATE KEY" => PrivateKeyDer::Sec1(der.into()),
        "RSA PRIVATE KEY" => PrivateKeyDer::Pkcs1(der.into()),
        _ => PrivateKeyDer::Pkcs8(der.into()),
    })
}
