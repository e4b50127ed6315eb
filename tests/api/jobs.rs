//! AP-16: what was stored to be done is done, whoever ends and whatever is not heard.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use support::{
    api::{Service, Worker, database, migrate, settings},
    wait,
};
use tokio::net::TcpListener;
use url::Url;

/// What waits for a worker.
const LETTERS: usize = 20;

struct World {
    database: Url,
    settings: BTreeMap<&'static str, String>,
    service: Service,
}

impl World {
    /// A service that leaves the jobs to others.
    async fn new(mail: &Path) -> Self {
        let database = database().await;
        migrate(&database).await;
        let mut settings = settings(&database);
        settings.extend([
            ("ENVIRONMENT", "development".to_owned()),
            ("PINFOLD_SIGN_UP", "open".to_owned()),
            ("PINFOLD_MAIL_DIRECTORY", mail.display().to_string()),
            ("PINFOLD_LOGIN_MILLISECONDS", "0".to_owned()),
            ("PINFOLD_LOGINS_PER_MINUTE", "1000".to_owned()),
        ]);
        let service = Service::start_without_jobs(&settings).await;
        Self {
            database,
            settings,
            service,
        }
    }

    async fn sign_up(&self, count: usize) {
        for number in 0..count {
            let body = json!({"email": format!("p{number}@example.com")});
            let asked = self.service.client.post("/v1/sign-ups", &body).await;
            assert_eq!(asked.status, 202, "{:?}", asked.body);
        }
    }

    async fn connection(&self) -> PgConnection {
        let connection = PgConnection::connect(self.database.as_str()).await;
        connection.expect("connect to PostgreSQL")
    }
}

/// To whom letters were written, in order.
fn written(mail: &Path) -> Vec<String> {
    let files = std::fs::read_dir(mail).into_iter().flatten();
    let letters = files.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("a letter"));
    let mut all: Vec<String> = letters
        .filter_map(|letter| {
            let to = letter.lines().find_map(|line| line.strip_prefix("To: "))?;
            Some(to.trim().to_owned())
        })
        .collect();
    all.sort();
    all
}

fn everybody() -> Vec<String> {
    let mut all: Vec<String> = (0..LETTERS).map(|number| format!("p{number}@example.com")).collect();
    all.sort();
    all
}

/// A worker that is killed at its work leaves it to the next, and so does one that is lost behind an old transaction.
#[tokio::test]
async fn a_killed_workers_jobs_are_done_by_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::new(folder.path()).await;
    // A mail server that takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let mut hanging = world.settings.clone();
    let place = silent.local_addr().expect("an address");
    hanging.insert("SMTP_URL", format!("smtp://{place}"));
    let mut killed = Worker::start(&hanging).await;
    // Somebody looks at the database for longer than all of this takes.
    let mut long = world.connection().await;
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()")
        .execute(&mut long)
        .await
        .expect("begin");

    world.sign_up(LETTERS).await;
    let mut held = Vec::new();
    for _ in 0..16 {
        let connection = wait::soon("the worker is at its jobs", silent.accept()).await;
        held.push(connection.expect("a connection"));
    }
    killed.kill().await;
    assert_eq!(written(folder.path()), Vec::<String>::new());
    let _other = Worker::start(&world.settings).await;
    wait::until_true("every letter is written", async || {
        written(folder.path()).len() == LETTERS
    })
    .await;
    assert_eq!(written(folder.path()), everybody());
    let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs")
        .fetch_one(&mut world.connection().await)
        .await
        .expect("count");
    assert_eq!(waiting, 0);
}

/// The promise: a job is found within five seconds by a worker whom nobody tells of it.
#[tokio::test]
async fn a_job_that_is_announced_to_nobody_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::new(folder.path()).await;
    world.sign_up(1).await;
    let mut connection = world.connection().await;
    sqlx::raw_sql("UPDATE jobs SET due_at = 'infinity'")
        .execute(&mut connection)
        .await
        .expect("put it off");
    let _worker = Worker::start(&world.settings).await;
    // No program says that it is due now.
    sqlx::raw_sql("UPDATE jobs SET due_at = now()")
        .execute(&mut connection)
        .await
        .expect("make it due");
    let found = async {
        wait::until_true("the letter is written", async || written(folder.path()).len() == 1).await;
    };
    tokio::time::timeout(Duration::from_secs(5), found)
        .await
        .expect("within five seconds");
}
