//! A PostgreSQL server for as long as somebody needs it: its data in memory, reached through a socket that root and the server's
//! user alone can open, ended with whoever started it.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::build::postgres;
use crate::command::Run;
use crate::paths;
use crate::stage::{Stage, Ui};

/// The server refuses to run as root.
const USER: &str = "pinfold-dev";
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// Suites that run at once have a server each.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    folder: PathBuf,
    process: Child,
}

/// Starts a server with nothing in it.
pub(crate) fn start(ui: &Ui) -> Result<Server> {
    let programs = postgres::ensure(ui)?;
    ui.stage("start postgres", "read the log beside this one", |stage| {
        ensure_user(stage)?;
        sweep(&paths::clusters());
        // Sockets lie in it, whose paths end at 107 characters.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = paths::clusters().join(format!("postgres-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        // The cache lies in somebody's home, which the server's user may not enter.
        let own = folder.join("programs");
        stage
            .run("cp")
            .args(["-a", "--reflink=auto"])
            .arg(&programs)
            .arg(&own)
            .run()?;
        let (user, group) = (id("-u")?, id("-g")?);
        chown(&folder, Some(user), Some(group)).with_context(|| format!("cannot give {} away", folder.display()))?;
        let server = run(&own, &folder, user, group);
        if server.is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
        server
    })
}

/// Removes the folders of runs that were killed: their servers ended with them.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let run = name
            .to_str()
            .and_then(|name| name.strip_prefix("postgres-")?.split('-').next());
        if run.is_some_and(|run| !Path::new("/proc").join(run).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Makes a cluster of databases in memory that only the server sees, and becomes the server. Each test has a database of hundreds
/// of files, which cost a disk far more than the tests cost a processor; and what is killed leaves nothing behind.
const IN_MEMORY: &str = r#"
set -eu
data=$1; programs=$2; user=$3; group=$4; shift 4
mount -t tmpfs -o "mode=0700,uid=$user,gid=$group" tmpfs "$data"
as_user="setpriv --reuid $user --regid $group --clear-groups"
$as_user -- "$programs/initdb" --username=postgres --auth=trust --encoding=UTF8 --no-sync --locale=C.UTF-8 -D "$data"
exec $as_user --pdeathsig INT -- "$programs/postgres" -D "$data" "$@"
"#;

fn run(programs: &Path, folder: &Path, user: u32, group: u32) -> Result<Server> {
    let data = folder.join("data");
    fs::create_dir(&data).with_context(|| format!("cannot create {}", data.display()))?;
    let log = fs::File::create(folder.join("server.log")).context("cannot write the server's log")?;
    let process = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "--", "sh", "-c", IN_MEMORY, "sh"])
        .arg(&data)
        .arg(programs.join("bin"))
        .args([user.to_string(), group.to_string()])
        // Nobody reads what a crash would lose: durability is the production server's.
        .args(["-c", "listen_addresses=", "-c", "fsync=off"])
        .args(["-c", "max_connections=300"])
        .args(["-c", "max_wal_size=256MB", "-c", "shared_buffers=64MB"])
        .arg("-c")
        .arg(format!("unix_socket_directories={}", folder.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::from(log.try_clone()?))
        .stderr(Stdio::from(log))
        .spawn()
        .context("cannot start postgres")?;
    let mut server = Server {
        folder: folder.to_owned(),
        process,
    };
    server.wait_until_it_answers()?;
    Ok(server)
}

impl Server {
    /// The address of the database `postgres` for the server's superuser.
    pub(crate) fn url(&self) -> String {
        format!("postgresql:///postgres?host={}&user=postgres", self.folder.display())
    }

    /// The server writes a line into its lock file once it takes connections; the way there leads through its own mounts.
    fn wait_until_it_answers(&mut self) -> Result<()> {
        let started = Instant::now();
        let inside = format!("/proc/{}/root{}", self.process.id(), self.folder.display());
        let lock_file = Path::new(&inside).join("data/postmaster.pid");
        loop {
            let pid = fs::read_to_string(&lock_file).unwrap_or_default();
            if pid.lines().any(|line| line.trim() == "ready") {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                let log = fs::read_to_string(self.folder.join("server.log")).unwrap_or_default();
                bail!("postgres ended with {status}: {}", log.trim());
            }
            ensure!(
                started.elapsed() < PATIENCE,
                "postgres does not answer after {} s",
                PATIENCE.as_secs()
            );
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT is the fast way down: sessions are ended, data is written.
        if let Some(pid) = rustix::process::Pid::from_raw(self.process.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        }
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn ensure_user(stage: &Stage) -> Result<()> {
    if Run::new("id").arg(USER).succeeds() {
        return Ok(());
    }
    stage
        .run("useradd")
        .args([
            "--system",
            "--user-group",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            USER,
        ])
        .run()
}

fn id(which: &str) -> Result<u32> {
    let text = Run::new("id").args([which, USER]).output()?;
    text.trim().parse().with_context(|| format!("{text:?} is no id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_runs_that_have_ended_go() {
        let folder = std::env::temp_dir().join(format!("pinfold-sweep-{}", std::process::id()));
        // No process has the number 0.
        let names: [&str; 3] = ["dev", "postgres-0-1", &format!("postgres-{}-0", std::process::id())];
        for name in names {
            fs::create_dir_all(folder.join(name).join("data")).unwrap();
        }
        sweep(&folder);
        let left = names.map(|name| folder.join(name).exists());
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(left, [true, false, true]);
    }
}
