//! The proxy's own certificate authority, and the kubeconfig that trusts it.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::json;

/// What the proxy shows its clients.
#[derive(Debug)]
pub struct Authority {
    /// The certificate authority, in PEM.
    pub root_pem: String,
    /// The server's side of TLS.
    pub tls: Arc<ServerConfig>,
}

impl Authority {
    /// Makes a new authority and a certificate for 127.0.0.1.
    pub fn new() -> Result<Self> {
        let root_key = KeyPair::generate()?;
        let mut root = CertificateParams::new(Vec::new())?;
        root.distinguished_name.push(DnType::CommonName, "fault-proxy");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_pem = root.self_signed(&root_key)?.pem();
        let issuer = Issuer::new(root, root_key);

        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .context("take the proxy's own certificate")?;
        Ok(Self {
            root_pem,
            tls: Arc::new(tls),
        })
    }

    /// Writes a kubeconfig that leads to the proxy. The token keeps everybody else on this machine from borrowing
    /// the identity that the proxy has upstream.
    pub fn write_kubeconfig(&self, path: &Path, address: SocketAddr, token: &str) -> Result<()> {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {
                "server": format!("https://{address}"),
                "certificate-authority-data": STANDARD.encode(&self.root_pem),
            }}],
            "users": [{"name": "proxy", "user": {"token": token}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        });
        // JSON is YAML.
        fs::write(path, config.to_string()).with_context(|| format!("write {}", path.display()))
    }
}
