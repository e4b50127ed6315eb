use std::{fs, path::Path};

use axum::{Router, extract::ConnectInfo, routing::get, serve::ListenerExt as _};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::*;

/// Writes a pair, and answers the certificate.
fn write_pair(folder: &Path) -> CertificateDer<'static> {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["pinfold.example".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
    fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
    certificate.der().clone()
}

fn files(folder: &TempDir) -> Files {
    Files {
        certificate: folder.path().join("tls.crt"),
        key: folder.path().join("tls.key"),
    }
}

/// Starts a server that answers a client with the client's own address.
async fn serve(certificate: Arc<Certificate>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = TlsListener::new(listener, certificate).unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route(
        "/",
        get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
    );
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener.tap_io(|_| ()), service).await });
    address
}

/// Asks the server that this root vouches for; answers our own address and the body.
async fn ask(server: SocketAddr, root: &CertificateDer<'static>) -> io::Result<(String, String)> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server).await?;
    let own = stream.local_addr()?.to_string();
    let name = ServerName::try_from("pinfold.example").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: pinfold.example\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let body = answer.rsplit("\r\n").next().unwrap_or_default().to_owned();
    Ok((own, body))
}

fn provider() {
    // Another test may have been first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

#[tokio::test]
async fn a_client_is_known_by_its_address_and_a_silent_one_holds_nobody_up() {
    provider();
    let folder = TempDir::new().unwrap();
    let root = write_pair(folder.path());
    let server = serve(Arc::new(Certificate::read(files(&folder)).unwrap())).await;
    let _silent = TcpStream::connect(server).await.unwrap();
    let (own, body) = ask(server, &root).await.unwrap();
    assert_eq!(body, own);
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    provider();
    let folder = TempDir::new().unwrap();
    let first = write_pair(folder.path());
    let certificate = Arc::new(Certificate::read(files(&folder)).unwrap());
    let server = serve(certificate.clone()).await;

    // Half of a renewal: the key of another certificate.
    let key = rcgen::KeyPair::generate().unwrap();
    fs::write(folder.path().join("tls.key"), key.serialize_pem()).unwrap();
    certificate.refresh();
    ask(server, &first).await.unwrap();

    let second = write_pair(folder.path());
    certificate.refresh();
    ask(server, &second).await.unwrap();
    let refused = ask(server, &first).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn what_cannot_be_used_is_named() {
    provider();
    let folder = TempDir::new().unwrap();
    write_pair(folder.path());
    let wrong = |files: &Files| files.load().unwrap_err().to_string();
    let missing = Files {
        certificate: folder.path().join("none.crt"),
        ..files(&folder)
    };
    assert_eq!(
        wrong(&missing),
        format!(
            "the certificate in {} cannot be read",
            folder.path().join("none.crt").display()
        )
    );
    fs::write(folder.path().join("empty.key"), "").unwrap();
    let empty = Files {
        key: folder.path().join("empty.key"),
        ..files(&folder)
    };
    assert_eq!(
        wrong(&empty),
        format!(
            "the key in {} cannot be read",
            folder.path().join("empty.key").display()
        )
    );
    fs::write(folder.path().join("tls.crt"), "").unwrap();
    assert_eq!(
        wrong(&files(&folder)),
        "certificate and key do not make a pair that can be used"
    );
}
