//! The operator as the process that is shipped.

use std::{
    env,
    ffi::OsString,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
};

use crate::{cluster, install::SYSTEM_NAMESPACE};

/// What one operator is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its kubeconfig.
    pub kubeconfig: PathBuf,
    /// Its platform file.
    pub platform: PathBuf,
    /// Name of its lease.
    pub lease: String,
    /// Its name among those who want that lease.
    pub identity: String,
    /// How long a term lasts, in seconds.
    pub lease_seconds: u32,
    /// Where its log goes.
    pub log: PathBuf,
}

/// A running operator; it is killed when this is dropped.
#[derive(Debug)]
pub struct OperatorProcess {
    child: Child,
    admin: SocketAddr,
}

impl OperatorProcess {
    /// Starts the built binary.
    pub fn start(settings: &Settings) -> Self {
        let admin = address();
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&settings.log)
            .expect("a log file");
        let child = Command::new(binary())
            .env("KUBECONFIG", &settings.kubeconfig)
            .arg("--config")
            .arg(&settings.platform)
            .args(["--admin-address", &admin.to_string()])
            .args(["--namespace", SYSTEM_NAMESPACE])
            .args(["--identity", &settings.identity])
            .args(["--lease-name", &settings.lease])
            .args(["--lease-seconds", &settings.lease_seconds.to_string()])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log file"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the operator's binary: `cargo build -p operator`, or set PINFOLD_OPERATOR_BIN");
        Self { child, admin }
    }

    /// Kills it without a word of warning.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("kill the operator");
    }

    /// Waits until it has ended by itself; gives how.
    pub async fn ended(&mut self) -> ExitStatus {
        self.child.wait().await.expect("wait for the operator")
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process(pid.expect("the operator runs"), signal).expect("signal the operator");
    }

    /// Asks it to stop; gives how it ended.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        crate::wait::soon("the operator ends", self.child.wait())
            .await
            .expect("wait for the operator")
    }

    /// The port on which it tells of itself.
    pub fn admin_port(&self) -> AdminPort {
        AdminPort(self.admin)
    }
}

/// The port on which an operator tells of itself.
#[derive(Debug, Clone, Copy)]
pub struct AdminPort(SocketAddr);

impl AdminPort {
    /// What it answers to a path; nothing if it does not.
    pub async fn get(self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.0).await.ok()?;
        stream
            .write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())
            .await
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer.split_once("\r\n\r\n")?.1.to_owned())
    }

    /// The value of a metric, named with its labels as it is exposed.
    pub async fn metric(self, series: &str) -> Option<f64> {
        let text = self.get("/metrics").await?;
        text.lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }
}

/// The end of a log file.
pub fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

fn binary() -> OsString {
    env::var_os("PINFOLD_OPERATOR_BIN").unwrap_or_else(|| cluster::top().join("target/debug/pinfold-operator").into())
}

/// One of the sixteen million loopback addresses. A free port of 127.0.0.1 may be somebody's before the operator has it.
fn address() -> SocketAddr {
    let [a, b] = rand::random();
    (Ipv4Addr::new(127, rand::random_range(1..255), a, b), 8081).into()
}
