//! How soon a job is taken up, and how many are done: letters, which a worker writes to files.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use support::api::{Client, Service, Worker, database, migrate, settings};

use super::{
    cores::{self, MEASURED, REST},
    place::DEADLINE,
    report::{Row, milliseconds, quantile},
};

const MANY: usize = 5_000;
const SINGLE: usize = 200;
const AT_ONCE: usize = 32;

pub(crate) async fn measure(rows: &mut Vec<Row>) -> Result<()> {
    let database = database().await;
    migrate(&database).await;
    let folder = tempfile::tempdir()?;
    let mut settings: BTreeMap<&'static str, String> = settings(&database);
    settings.extend([
        ("ENVIRONMENT", "development".to_owned()),
        ("PINFOLD_SIGN_UP", "open".to_owned()),
        ("PINFOLD_MAIL_DIRECTORY", folder.path().display().to_string()),
        ("PINFOLD_LOGIN_MILLISECONDS", "0".to_owned()),
        ("PINFOLD_LOGINS_PER_MINUTE", "1000000".to_owned()),
    ]);
    let service = Service::start_without_jobs(&settings).await;
    let mut database = PgConnection::connect(database.as_str()).await?;
    stream::iter(0..MANY)
        .map(|number| sign_up(&service.client, format!("many-{number}@example.com")))
        .buffer_unordered(AT_ONCE)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    cores::pin_this_thread(MEASURED)?;
    let begun = Instant::now();
    let _worker = Worker::start(&settings).await;
    cores::pin_this_thread(REST)?;
    empty(&mut database, Duration::from_millis(20)).await?;
    let rate = f64::from(u32::try_from(MANY)?) / begun.elapsed().as_secs_f64();
    rows.push(
        Row::new("API: jobs done by one worker", rate, "per second")
            .at_least(1_000.0)
            .note(format!(
                "{MANY} letters to files, worker on one core, its start included"
            )),
    );
    let mut times = Vec::new();
    for number in 0..SINGLE {
        sign_up(&service.client, format!("single-{number}@example.com")).await?;
        let since = Instant::now();
        empty(&mut database, Duration::from_millis(1)).await?;
        times.push(milliseconds(since.elapsed()));
    }
    rows.push(
        Row::new(
            "API: from an answer to the end of its job in another process, p95",
            quantile(&times, 95),
            "ms",
        )
        .at_most(5_000.0)
        .note(format!(
            "p50 {:.1} ms, longest {:.1} ms",
            quantile(&times, 50),
            quantile(&times, 100)
        )),
    );
    Ok(())
}

async fn sign_up(client: &Client, email: String) -> Result<()> {
    let asked = client.post("/v1/sign-ups", &json!({"email": email})).await;
    ensure!(asked.status == 202, "no mail is asked for: {}", asked.body);
    Ok(())
}

/// Waits until there are no jobs.
async fn empty(database: &mut PgConnection, look: Duration) -> Result<()> {
    let since = Instant::now();
    loop {
        let left: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM jobs)")
            .fetch_one(&mut *database)
            .await?;
        if !left {
            return Ok(());
        }
        ensure!(since.elapsed() < DEADLINE, "the jobs are not done");
        tokio::time::sleep(look).await;
    }
}
