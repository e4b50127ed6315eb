//! A database of the test's own, and the API's program on it.

use std::{
    collections::BTreeMap,
    env,
    net::{SocketAddr, TcpListener},
    os::fd::AsRawFd as _,
    path::PathBuf,
    process::{Output, Stdio},
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::watch,
};
use url::Url;

use crate::{
    api::{Client, Namespace},
    wait,
};

/// The issuer of every test; the service is reached by the address that it says it listens on.
pub const ISSUER: &str = "https://pinfold.test";

/// 32 bytes, the same for every replica of a test.
const MASTER_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// A database with nothing in it.
pub async fn database() -> Url {
    let server = env::var("PINFOLD_TEST_DATABASE_URL")
        .expect("`cargo xtask test api` starts PostgreSQL, or PINFOLD_TEST_DATABASE_URL names a superuser's database");
    let mut url: Url = server.parse().expect("PINFOLD_TEST_DATABASE_URL is a URL");
    let name = format!("api_{:032x}", rand::random::<u128>());
    let mut connection = PgConnection::connect(&server).await.expect("connect to PostgreSQL");
    connection
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .await
        .expect("make a database");
    url.set_path(&name);
    url
}

/// The settings of a service on a database.
pub fn settings(database: &Url) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("DATABASE_URL", database.to_string()),
        ("SERVICE_URL", ISSUER.to_owned()),
        ("PINFOLD_MASTER_KEY", MASTER_KEY.to_owned()),
        ("PINFOLD_LOG_FORMAT", "json".to_owned()),
        ("PINFOLD_HTTP_ADDRESS", "127.0.0.1:0".to_owned()),
        ("PINFOLD_HTTP_ADMIN_ADDRESS", "127.0.0.1:0".to_owned()),
    ])
}

fn program() -> PathBuf {
    env::var_os("PINFOLD_API_BIN").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/debug/pinfold-api")),
        PathBuf::from,
    )
}

/// The program with these settings and no others; it ends with the test.
pub fn command(arguments: &[&str], settings: &BTreeMap<&'static str, String>) -> Command {
    let mut command = Command::new(program());
    command.args(arguments);
    with(command, settings)
}

fn with(mut command: Command, settings: &BTreeMap<&'static str, String>) -> Command {
    command
        .env_clear()
        .envs(settings)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs a command of the program to its end.
pub async fn run(arguments: &[&str], settings: &BTreeMap<&'static str, String>) -> Output {
    let ended = command(arguments, settings).output();
    wait::soon("the program ends", ended).await.expect("run the program")
}

/// A service that answers.
pub struct Service {
    /// A client of it.
    pub client: Client,
    /// A client of its admin port.
    pub admin: Client,
    process: Child,
    log: watch::Receiver<Vec<Value>>,
}

impl Service {
    /// A service on a database of its own.
    pub async fn new() -> Self {
        let database = database().await;
        migrate(&database).await;
        Self::start(&settings(&database)).await
    }

    /// Starts a replica and waits until it says where it listens.
    pub async fn start(settings: &BTreeMap<&'static str, String>) -> Self {
        Self::started(&["serve"], settings).await
    }

    /// The same of one that leaves the jobs to others.
    pub async fn start_without_jobs(settings: &BTreeMap<&'static str, String>) -> Self {
        Self::started(&["serve", "--no-jobs"], settings).await
    }

    /// Starts a replica that is given a socket to listen on.
    pub async fn start_at(socket: &Socket, settings: &BTreeMap<&'static str, String>) -> Self {
        Self::of(logged(socket.command(settings))).await
    }

    /// Starts a replica in another network, which is reached in this one.
    pub async fn start_inside(network: &Namespace, settings: &BTreeMap<&'static str, String>) -> Self {
        let socket = Socket::bind();
        Self::of(logged(socket.command_of(&network.enter(), settings))).await
    }

    async fn started(arguments: &[&str], settings: &BTreeMap<&'static str, String>) -> Self {
        Self::of(logged(command(arguments, settings))).await
    }

    async fn of((process, log): (Child, watch::Receiver<Vec<Value>>)) -> Self {
        let serving = line(&log, "the service listens", |l| l["message"] == "serving").await;
        let client = |name: &str| Client::new(serving[name].as_str().expect("an address"));
        Self {
            client: client("http.address"),
            admin: client("http.admin_address"),
            process,
            log,
        }
    }

    /// Waits for a line of the log.
    pub async fn logged(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        line(&self.log, what, wanted).await
    }

    /// The lines of the log; one that is no JSON is a text.
    pub fn lines(&self) -> Vec<Value> {
        self.log.borrow().clone()
    }

    /// The whole log as text.
    pub fn log(&self) -> String {
        let lines: Vec<String> = self.log.borrow().iter().map(Value::to_string).collect();
        lines.join("\n")
    }

    /// The process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        let pid = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process(pid.expect("it runs"), Signal::TERM).expect("send SIGTERM");
    }

    /// Ends it as a machine does that loses power.
    pub async fn kill(&mut self) {
        wait::soon("the service ends", self.process.kill())
            .await
            .expect("kill it");
    }

    /// Waits until it has ended; its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        let ended = wait::soon("the service ends", self.process.wait()).await;
        ended.expect("wait for the service").code()
    }
}

/// A process that does the jobs.
#[derive(Debug)]
pub struct Worker(Child);

impl Worker {
    /// Starts one and waits until it works.
    pub async fn start(settings: &BTreeMap<&'static str, String>) -> Self {
        let (process, log) = logged(command(&["work"], settings));
        line(&log, "the worker works", |l| l["message"] == "working").await;
        Self(process)
    }

    /// Ends it as a machine does that loses power.
    pub async fn kill(&mut self) {
        wait::soon("the worker ends", self.0.kill()).await.expect("kill it");
    }
}

/// A socket that several processes listen on, as systemd hands one over.
#[derive(Debug)]
pub struct Socket(TcpListener);

impl Socket {
    /// One on loopback that outlives who listens on it.
    pub fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        // Programs that are started have it as well.
        fcntl_setfd(&listener, FdFlags::empty()).expect("keep it open");
        Self(listener)
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("its address")
    }

    fn command(&self, settings: &BTreeMap<&'static str, String>) -> Command {
        self.command_of("", settings)
    }

    /// The program as something else becomes it: a process with the same number.
    fn command_of(&self, before: &str, settings: &BTreeMap<&'static str, String>) -> Command {
        let mut command = Command::new("bash");
        let script = format!(
            "LISTEN_FDS=1 LISTEN_PID=$$ exec {before} \"$0\" serve 3<&{}",
            self.0.as_raw_fd()
        );
        command.args(["-c", &script]).arg(program());
        with(command, settings)
    }
}

/// The program, and what it logs.
fn logged(mut command: Command) -> (Child, watch::Receiver<Vec<Value>>) {
    let mut process = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start the program");
    let (sender, log) = watch::channel(Vec::new());
    let mut lines = BufReader::new(process.stderr.take().expect("its log")).lines();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
            sender.send_modify(|all| all.push(line));
        }
    });
    (process, log)
}

async fn line(log: &watch::Receiver<Vec<Value>>, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut log = log.clone();
    let found = wait::soon(what, log.wait_for(|all| all.iter().any(&wanted))).await;
    let all = found.expect("the program lives");
    all.iter().find(|l| wanted(l)).cloned().unwrap_or_default()
}

/// Brings a database up to date.
pub async fn migrate(database: &Url) {
    let done = run(&["migrate"], &settings(database)).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
