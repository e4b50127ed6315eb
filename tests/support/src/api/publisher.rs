//! A server in a network of the test's own, as it is somebody's who publishes a client: HTTPS with a certificate of the test's authority.

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::api::Namespace;

/// Between two bytes of a page that drips.
const DRIP: Duration = Duration::from_millis(100);

/// The longest request that is read.
const LONGEST: usize = 16 * 1024;

/// Who vouches for servers.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Default for Authority {
    fn default() -> Self {
        let mut root = CertificateParams::new(Vec::new()).expect("an authority");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(root, key).expect("an authority"))
    }
}

impl Authority {
    /// Writes its certificate, in PEM.
    pub fn write(&self, file: &Path) {
        std::fs::write(file, self.0.pem()).expect("write a certificate");
    }

    fn vouch(&self, names: &[&str]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let own = CertificateParams::new(names).expect("a certificate");
        let own = own.signed_by(&key, &self.0).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(
                vec![own.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            );
        Arc::new(config.expect("take the certificate"))
    }
}

/// What is at an address.
#[derive(Debug, Clone)]
pub enum Page {
    /// A status with lines of headers, and a body.
    Whole(String, Vec<u8>),
    /// A body that does not end.
    Endless,
    /// The same, a byte at a time.
    Drip,
    /// A server that says nothing.
    Silent,
}

impl Page {
    /// JSON, and nothing besides.
    pub fn json(document: &Value) -> Self {
        Self::bytes(document.to_string())
    }

    /// The same in these letters.
    pub fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self::Whole("200 OK\r\ncontent-type: application/json".to_owned(), body.into())
    }

    async fn write(self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
        match self {
            Self::Whole(status, body) => {
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&body).await?;
                stream.shutdown().await
            }
            Self::Endless => {
                stream.write_all(head.as_bytes()).await?;
                loop {
                    stream.write_all(&[b' '; 4096]).await?;
                }
            }
            Self::Drip => {
                stream.write_all(head.as_bytes()).await?;
                let mut ticks = tokio::time::interval(DRIP);
                loop {
                    ticks.tick().await;
                    stream.write_all(b" ").await?;
                    stream.flush().await?;
                }
            }
            Self::Silent => std::future::pending().await,
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    pages: BTreeMap<String, Page>,
    /// The addresses that were connected to.
    connections: Vec<IpAddr>,
    /// What was asked for.
    requests: Vec<String>,
}

/// A server of whatever names its certificate is for.
#[derive(Debug)]
pub struct Publisher {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Publisher {
    /// One that listens at an address of a network.
    pub fn start(network: &Namespace, address: &str, authority: &Authority, names: &[&str]) -> Self {
        let listener = network.listen(address);
        listener.set_nonblocking(true).expect("a socket");
        let listener = TcpListener::from_std(listener).expect("a socket");
        let tls = TlsAcceptor::from(authority.vouch(names));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let kept = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, seen) = (tls.clone(), kept.clone());
                // Whoever goes away meanwhile is missed by nobody.
                tokio::spawn(async move { serve(stream, &tls, &seen).await });
            }
        });
        Self { seen, task }
    }

    /// Publishes at an address, without its scheme.
    pub fn publish(&self, place: &str, page: Page) {
        locked(&self.seen).pages.insert(place.to_owned(), page);
    }

    /// The addresses that were connected to so far, in order.
    pub fn connections(&self) -> Vec<IpAddr> {
        locked(&self.seen).connections.clone()
    }

    /// What was asked for so far, in order: addresses without their scheme.
    pub fn requests(&self) -> Vec<String> {
        locked(&self.seen).requests.clone()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(stream: TcpStream, tls: &TlsAcceptor, seen: &Mutex<Seen>) -> io::Result<()> {
    let address = stream.local_addr()?.ip().to_canonical();
    locked(seen).connections.push(address);
    let mut stream = tls.accept(stream).await?;
    let Some(place) = asked(&mut stream).await? else {
        return Ok(());
    };
    let page = {
        let mut seen = locked(seen);
        seen.requests.push(place.clone());
        seen.pages.get(&place).cloned()
    };
    let none = || Page::Whole("404 Not Found".to_owned(), Vec::new());
    page.unwrap_or_else(none).write(&mut stream).await
}

/// The address of the request.
async fn asked(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let mut lines = head.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1));
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    Ok(host.zip(path).map(|(host, path)| format!("{host}{path}")))
}
