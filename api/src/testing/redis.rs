//! A Redis server of a test's own.

use std::{
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use rustix::process::{Pid, Signal, kill_process};
use secrecy::SecretString;
use tempfile::TempDir;

use crate::redis::{Redis, RedisError};

/// Debian starts the server of the package that has its name; its tools are the same program.
const PROGRAM: &str = "redis-check-rdb";
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that ends with the test.
#[derive(Debug)]
pub struct TestRedis {
    folder: TempDir,
    policy: &'static str,
    process: Child,
}

impl TestRedis {
    /// A server as it should be.
    pub async fn start() -> Self {
        Self::with_policy("noeviction").await
    }

    /// A server with this `maxmemory-policy`.
    pub async fn with_policy(policy: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let process = spawn(&folder, policy);
        let server = Self {
            folder,
            policy,
            process,
        };
        server.until_it_answers().await;
        server
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("unix://{}", socket(&self.folder).display())
    }

    /// Forgets everything.
    pub async fn flush(&self) {
        self.command(&["FLUSHALL"]).await;
    }

    /// Takes over as after a failover, its data whole.
    pub async fn fail_over(&self) {
        self.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
        self.command(&["REPLICAOF", "NO", "ONE"]).await;
    }

    /// Does what an operator tells it.
    pub async fn command(&self, words: &[&str]) {
        let client = ::redis::Client::open(self.url()).expect("a client");
        let mut connection = client.get_multiplexed_async_connection().await.expect("a connection");
        let mut command = ::redis::Cmd::new();
        command.arg(words);
        command.query_async::<()>(&mut connection).await.expect("an answer");
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process.kill().expect("kill redis");
        self.process.wait().expect("wait for redis");
    }

    /// Starts it again, with nothing in it.
    pub async fn come_back(&mut self) {
        self.process = spawn(&self.folder, self.policy);
        self.until_it_answers().await;
    }

    /// Lets it hang, connections and all.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after that.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.id().cast_signed()).expect("a process");
        kill_process(pid, signal).expect("send redis a signal");
    }

    async fn until_it_answers(&self) {
        let answers = async {
            loop {
                let redis = Redis::open(&SecretString::from(self.url()), Counter::default()).expect("a client");
                match redis.check().await {
                    Ok(()) | Err(RedisError::Evicts(_)) => break,
                    // A server that begins tells nobody.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, answers).await.expect("redis answers");
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("socket")
}

fn spawn(folder: &TempDir, policy: &str) -> Child {
    Command::new(PROGRAM)
        .arg0("redis-server")
        .args(["--port", "0", "--save", "", "--maxmemory-policy", policy])
        .arg("--unixsocket")
        .arg(socket(folder))
        .arg("--dir")
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{PROGRAM}: {error}; apt-get install redis-tools has it"))
}
