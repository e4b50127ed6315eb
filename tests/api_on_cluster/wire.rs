//! The way to the API server, on which everything can be held up: what was sent arrives when it is let go.

use std::{net::SocketAddr, sync::Arc};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use url::Url;

/// A port of our own before the server's.
pub struct Wire {
    /// The kubeconfig by way of this wire.
    pub kubeconfig: String,
    held: Arc<watch::Sender<bool>>,
}

impl Wire {
    /// A wire to the server of a kubeconfig.
    pub async fn to(kubeconfig: &str) -> Self {
        let mut config: Value = serde_json::from_str(kubeconfig).expect("a kubeconfig in JSON");
        let cluster = &mut config["clusters"][0]["cluster"];
        let server: Url = cluster["server"].as_str().expect("a server").parse().expect("a URL");
        let place = (
            server.host_str().expect("a host").to_owned(),
            server.port().expect("a port"),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let address: SocketAddr = listener.local_addr().expect("an address");
        cluster["server"] = json!(format!("https://{address}"));
        let held = Arc::new(watch::Sender::new(false));
        let state = held.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (place, state) = (place.clone(), state.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect((place.0.as_str(), place.1)).await else {
                        return;
                    };
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    // Whichever side ends first ends both.
                    tokio::select! {
                        () = carry(from_client, to_server, state.subscribe()) => {}
                        () = carry(from_server, to_client, state.subscribe()) => {}
                    }
                });
            }
        });
        Self {
            kubeconfig: config.to_string(),
            held,
        }
    }

    /// Nothing arrives any more.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Everything arrives that was sent meanwhile.
    pub fn let_go(&self) {
        self.held.send_replace(false);
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut held: watch::Receiver<bool>) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let free = held.wait_for(|held| !held).await.is_ok();
        if !free || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
