//! HTTPS by ourselves, where no proxy before us does it. A certificate that is renewed is taken up without a restart.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::serve::Listener;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use telemetry::logging::chain;
use thiserror::Error;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::{debug, info, warn};

/// How long a client may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// So many clients may be agreeing at once: who opens connections and says nothing fills no memory.
const HANDSHAKES: usize = 1024;
/// After the machine refused a connection for lack of something.
const PAUSE: Duration = Duration::from_millis(100);

/// Where a certificate and its key are kept, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate, and those between it and the root (RFC 8446, section 4.4.2).
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file is not there, or not PEM.
    #[error("the certificate in {0} cannot be read")]
    Certificate(PathBuf, #[source] rustls::pki_types::pem::Error),
    /// The file is not there, or not PEM.
    #[error("the key in {0} cannot be read")]
    Key(PathBuf, #[source] rustls::pki_types::pem::Error),
    /// They are not of one another, or of a kind that nobody uses.
    #[error("certificate and key do not make a pair that can be used")]
    Pair(#[source] rustls::Error),
}

impl Files {
    /// What a server says of itself: this certificate, HTTP/1.1.
    pub fn load(&self) -> Result<ServerConfig, TlsError> {
        let of_certificate = |error| TlsError::Certificate(self.certificate.clone(), error);
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .map_err(of_certificate)?
            .collect::<Result<Vec<_>, _>>()
            .map_err(of_certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| TlsError::Key(self.key.clone(), error))?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(TlsError::Pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// The certificate that is shown to whoever connects now.
#[derive(Debug)]
pub struct Certificate {
    files: Files,
    current: RwLock<Arc<ServerConfig>>,
}

impl Certificate {
    /// Reads it.
    pub fn read(files: Files) -> Result<Self, TlsError> {
        let current = RwLock::new(Arc::new(files.load()?));
        Ok(Self { files, current })
    }

    /// Reads it again. One that cannot be used is left aside: the one before may still be valid.
    pub fn refresh(&self) {
        match self.files.load() {
            Ok(config) => *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config),
            Err(error) => warn!(error = chain(&error), "the certificate was not renewed"),
        }
    }

    fn current(&self) -> Arc<ServerConfig> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Takes connections and agrees on keys with their clients, with each at its own pace.
#[derive(Debug)]
pub struct TlsListener {
    address: SocketAddr,
    agreed: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    /// Listens until it is dropped.
    pub fn new(listener: TcpListener, certificate: Arc<Certificate>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (done, agreed) = mpsc::channel(1);
        tokio::spawn(accept(listener, certificate, done));
        info!(http.address = %address, "speaking TLS");
        Ok(Self { address, agreed })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.agreed.recv().await {
            Some(connection) => connection,
            // The task that sends ends only after this receiver.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

async fn accept(
    listener: TcpListener,
    certificate: Arc<Certificate>,
    done: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = done.closed() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "a connection was not taken");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Lines of a stream do not wait for the client to acknowledge those before. Without it they are late, and no more.
        let _ = stream.set_nodelay(true);
        let (acceptor, done) = (TlsAcceptor::from(certificate.current()), done.clone());
        tokio::spawn(async move {
            match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    // Nobody takes it any more when the server has ended.
                    let _ = done.send((stream, peer)).await;
                }
                Ok(Err(error)) => debug!(%error, client.address = %peer, "no TLS with this client"),
                Err(_) => debug!(client.address = %peer, "a client took too long to agree on keys"),
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests;
