//! A Redis server of a test's own.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::{
    net::UnixStream,
    process::{Child, Command},
};

use crate::wait;

/// A server that ends with the test.
pub struct Redis {
    folder: TempDir,
    process: Child,
}

impl Redis {
    /// A server with this `maxmemory-policy`.
    pub async fn start(policy: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // The tools of Debian's package are the server as well, by another name.
        let process = Command::new("redis-check-rdb")
            .arg0("redis-server")
            .args(["--port", "0", "--save", "", "--maxmemory-policy", policy])
            .args(["--unixsocket", "socket"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("start redis; apt-get install redis-tools has it");
        let server = Self { folder, process };
        let socket = server.folder.path().join("socket");
        wait::until_true("redis listens", async || UnixStream::connect(&socket).await.is_ok()).await;
        server
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("unix://{}/socket", self.folder.path().display())
    }

    /// Takes away all that it knows.
    pub async fn flush(&self) {
        let socket = self.folder.path().join("socket");
        let ended = Command::new("redis-cli")
            .arg("-s")
            .arg(socket)
            .arg("FLUSHALL")
            .stdout(Stdio::null())
            .status();
        assert!(ended.await.expect("run redis-cli").success());
    }

    /// Ends it as a crash would.
    pub async fn kill(&mut self) {
        self.process.kill().await.expect("kill redis");
    }
}
