//! The way from the service to PostgreSQL, which can be cut and mended.

use std::{path::PathBuf, sync::Arc};

use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{UnixListener, UnixStream},
    sync::watch,
};
use url::Url;

use crate::wait;

/// A socket of our own before the server's.
pub struct Cable {
    /// The database's address by way of this cable.
    pub url: Url,
    whole: Arc<watch::Sender<bool>>,
    refused: Arc<watch::Sender<usize>>,
    _folder: TempDir,
}

impl Cable {
    /// A whole cable to a database whose server is reached by a socket.
    pub fn to(database: &Url) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = socket(
            database
                .query_pairs()
                .find(|(name, _)| name == "host")
                .map(|(_, host)| host),
        );
        let listener = UnixListener::bind(folder.path().join(NAME)).expect("listen");
        let whole = Arc::new(watch::Sender::new(true));
        let refused = Arc::new(watch::Sender::new(0));
        let (state, counted) = (whole.clone(), refused.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !*state.borrow() {
                    counted.send_modify(|count| *count += 1);
                }
                let (server, mut state) = (server.clone(), state.subscribe());
                tokio::spawn(async move {
                    if *state.borrow() {
                        tokio::select! {
                            () = carry(client, server) => {}
                            _ = state.wait_for(|whole| !whole) => {}
                        }
                    }
                });
            }
        });
        let mut url = database.clone();
        let pairs: Vec<(String, String)> = database
            .query_pairs()
            .filter(|(name, _)| name != "host")
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        url.query_pairs_mut()
            .clear()
            .extend_pairs(pairs)
            .append_pair("host", &folder.path().display().to_string());
        Self {
            url,
            whole,
            refused,
            _folder: folder,
        }
    }

    /// Ends every connection and takes no more.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Waits until somebody found it cut.
    pub async fn found_cut(&self) {
        let found = wait::soon("somebody needs the cable", async {
            self.refused.subscribe().wait_for(|count| *count > 0).await.map(drop)
        });
        found.await.expect("the cable lives");
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

/// PostgreSQL's name for its socket.
const NAME: &str = ".s.PGSQL.5432";

fn socket(host: Option<impl AsRef<str>>) -> PathBuf {
    let host = host.expect("the tests' server is reached by a socket: host=/folder");
    PathBuf::from(host.as_ref()).join(NAME)
}

async fn carry(mut client: UnixStream, server: PathBuf) {
    if let Ok(mut server) = UnixStream::connect(server).await {
        // Either end may go at any time.
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
