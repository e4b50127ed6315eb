//! The control-plane API: one replica on a core of its own; load, PostgreSQL, Redis and the cluster on the other.

use std::{
    collections::BTreeMap,
    env,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use crds::{SandboxRun, Tenant};
use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use kube::{Api, api::ListParams};
use serde_json::json;
use support::{
    api::{Agent, Client, Person, Redis, Service, database, migrate, settings},
    cluster,
};
use tempfile::TempDir;
use tokio::{process::Command, sync::mpsc};

use super::{
    cores::{self, MEASURED, REST},
    jobs, oauth,
    place::{Bench, DEADLINE, create, until},
    process::Process,
    report::{Row, milliseconds, quantile},
    revocations::{self, Place, Way},
};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(5);
/// How many get tokens at once.
const HOLDERS: usize = 32;
const RUNS: usize = 1000;
const AT_ONCE: usize = 16;
const PER_SECOND: u32 = 500;
const OPEN_LOOP: Duration = Duration::from_secs(20);

pub(crate) async fn measure(bench: &Bench, rows: &mut Vec<Row>) -> Result<()> {
    let mut stage = Stage::new().await?;
    let service = stage.start(rows).await?;
    let server = Process::of_id(service.process_id().context("the service has ended")?);
    rows.push(Row::new("API: memory of an idle replica", server.rss()?, "MiB RSS").at_most(40.0));
    verifications(rows).await?;
    tokens(&service.client, &server, rows).await?;
    oauth::measure(&stage, &service.client, &server, rows).await?;
    reads(bench, &mut stage, &service, &server, rows).await?;
    jobs::measure(rows).await
}

/// What the service stands on.
pub(crate) struct Stage {
    folder: TempDir,
    redis: Redis,
    settings: BTreeMap<&'static str, String>,
}

impl Stage {
    async fn new() -> Result<Self> {
        cores::pin_processes("postgres", "", REST)?;
        // What this starts stays where it is started.
        cores::pin_this_process(REST)?;
        let redis = Redis::start("noeviction").await;
        let folder = tempfile::tempdir()?;
        let database = database().await;
        migrate(&database).await;
        let mut settings = settings(&database);
        let path = |name: &str| folder.path().join(name).display().to_string();
        let most = || "1000000".to_owned();
        settings.extend([
            ("ENVIRONMENT", "development".to_owned()),
            ("KUBECONFIG", cluster::kubeconfig("admin").display().to_string()),
            ("PINFOLD_MAIL_DIRECTORY", path("mail")),
            ("PINFOLD_REGISTRATIONS_PER_HOUR", most()),
            ("PINFOLD_REQUESTS_PER_MINUTE", most()),
            ("PINFOLD_CALLS_PER_MINUTE", most()),
            ("PINFOLD_WRITES_PER_MINUTE", most()),
            ("PINFOLD_LOGINS_PER_MINUTE", most()),
            ("REDIS_URL", redis.url()),
        ]);
        Ok(Self {
            folder,
            redis,
            settings,
        })
    }

    /// Where mail is written.
    pub(crate) fn mail(&self) -> PathBuf {
        self.folder.path().join("mail")
    }

    /// Starts a replica on its core, five times; the last one stays.
    async fn start(&self, rows: &mut Vec<Row>) -> Result<Service> {
        // The first one makes the signing key.
        drop(Service::start(&self.settings).await);
        let mut times = Vec::new();
        let mut last = None;
        for _ in 0..ROUNDS {
            drop(last.take());
            cores::pin_this_thread(MEASURED)?;
            let started = Instant::now();
            let service = Service::start(&self.settings).await;
            times.push(milliseconds(started.elapsed()));
            cores::pin_this_thread(REST)?;
            last = Some(service);
        }
        rows.push(Row::new("API: start to ready, median of 5", quantile(&times, 50), "ms").at_most(300.0));
        last.context("no replica was started")
    }
}

/// A program of the API's own says how many tokens it verifies, alone on a core.
async fn verifications(rows: &mut Vec<Row>) -> Result<()> {
    let program = env::var_os("PINFOLD_BENCH_VERIFICATIONS").context("PINFOLD_BENCH_VERIFICATIONS is not set")?;
    cores::pin_this_thread(MEASURED)?;
    let said = Command::new(program).output();
    cores::pin_this_thread(REST)?;
    let said = said.await?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = String::from_utf8(said.stdout)?;
    let rows_of_it = [
        ("verifications of access tokens", "each as if it were new"),
        (
            "verifications of access tokens with their proofs",
            "each as if it were new",
        ),
        (
            "requests judged in the library",
            "tokens that were shown before, with proofs, nonces and all checks; no store",
        ),
    ];
    for ((what, note), rate) in rows_of_it.into_iter().zip(said.lines()) {
        let name = format!("API: {what}, median of 5");
        rows.push(
            Row::new(name, rate.trim().parse()?, "per second")
                .at_least(10_000.0)
                .note(note),
        );
    }
    Ok(())
}

/// Challenge, signature, token, again and again.
async fn tokens(client: &Client, server: &Process, rows: &mut Vec<Row>) -> Result<()> {
    let agents: Vec<Agent> = stream::iter(0..HOLDERS)
        .map(|i| async move { Agent::register(client, &format!("bench-{i}")).await })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let token = async |agent: Arc<Agent>, client: Client| drop(agent.token(&client).await);
    let (rate, note) = issued(client, server, agents, token).await?;
    rows.push(
        Row::new(
            "API: agents' tokens by signed challenge, median of 5",
            rate,
            "per second",
        )
        .at_least(2000.0)
        .note(format!("two requests each; {note}")),
    );
    Ok(())
}

/// How many tokens a second holders get, each one after another: a load of its own thread, on its own core.
async fn issued<H, T>(client: &Client, server: &Process, holders: Vec<H>, token: T) -> Result<(f64, String)>
where
    H: Send + Sync + 'static,
    T: AsyncFn(Arc<H>, Client) + Copy + Send + 'static,
{
    let holders: Vec<Arc<H>> = holders.into_iter().map(Arc::new).collect();
    let mut rates = Vec::new();
    let (begun, before) = (Instant::now(), server.processor_time()?);
    for _ in 0..ROUNDS {
        let (client, holders) = (client.fresh(), holders.clone());
        let made = on_the_other_core(move || async move {
            let end = Instant::now() + ROUND;
            let each = holders.iter().map(async |holder| {
                let mut made = 0_u32;
                while Instant::now() < end {
                    token(holder.clone(), client.clone()).await;
                    made += 1;
                }
                made
            });
            future::join_all(each).await.into_iter().sum::<u32>()
        })
        .await?;
        rates.push(f64::from(made) / ROUND.as_secs_f64());
    }
    let used = server.processor_time()?.saturating_sub(before);
    let share = used.as_secs_f64() / begun.elapsed().as_secs_f64();
    let note = format!(
        "{HOLDERS} at once; server on one core, of which it used {:.0} %; load, PostgreSQL and Redis on the other",
        share * 100.0
    );
    Ok((quantile(&rates, 50), note))
}

/// One run of a thousand, at a steady rate whatever the answers take.
async fn reads(
    bench: &Bench,
    stage: &mut Stage,
    service: &Service,
    server: &Process,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let client = &service.client;
    let owner = Person::sign_up(client, &stage.mail(), "bench@pinfold.test").await;
    let tenant = format!("bench-{:08x}", rand::random::<u32>());
    bench.will_make(&tenant);
    let made = owner.post(client, "/v1/tenants", &json!({"name": tenant})).await;
    ensure!(made.status == 201, "the tenant is not made: {}", made.body);
    let namespace = format!("tenant-{tenant}");
    let runs: Api<SandboxRun> = Api::namespaced(bench.client.clone(), &namespace);
    let tenants: Api<Tenant> = Api::all(bench.client.clone());
    until("the tenant is ready", DEADLINE, async || {
        let found = tenants.get_opt(&tenant).await?.and_then(|t| t.status);
        Ok(found.is_some_and(|s| crds::condition::is_true(&s.conditions, "Ready")))
    })
    .await?;
    let waiting = json!({"template": "none-of-this-name", "command": ["true"], "startTimeoutSeconds": 3600});
    stream::iter(0..RUNS)
        .map(|i| {
            let (runs, waiting) = (runs.clone(), waiting.clone());
            async move { create(&runs, &format!("run-{i}"), waiting).await }
        })
        .buffer_unordered(AT_ONCE)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    until("every run says why it waits", DEADLINE, async || {
        let runs = runs.list(&ListParams::default()).await?;
        Ok(runs
            .iter()
            .all(|r| r.status.as_ref().is_some_and(|s| s.reason.is_some())))
    })
    .await?;
    let agent = Agent::of_person(&owner, client, &tenant, "reader").await;
    let token = agent.token(client).await;
    let path = format!("/v1/tenants/{tenant}/runs/run-7");
    until("the run is read", DEADLINE, async || {
        Ok(client.get(&path, Some(&token)).await.status == 200)
    })
    .await?;
    let mut halves = Vec::new();
    let mut tails = Vec::new();
    for _ in 0..ROUNDS {
        let (client, path, token) = (client.fresh(), path.clone(), token.clone());
        let times = on_the_other_core(move || steady(client, path, token)).await??;
        halves.push(quantile(&times, 50));
        tails.push(quantile(&times, 99));
    }
    let load = format!("{PER_SECOND} requests/s, {RUNS} runs in memory, server on one core");
    rows.push(
        Row::new("API: GET of a run, p50, median of 5", quantile(&halves, 50), "ms")
            .at_most(1.0)
            .note(&load),
    );
    rows.push(
        Row::new("API: GET of a run, p99, median of 5", quantile(&tails, 50), "ms")
            .at_most(5.0)
            .note(&load),
    );
    rows.push(
        Row::new(
            "API: memory of a replica under that load",
            server.peak_rss()?,
            "MiB RSS",
        )
        .at_most(120.0),
    );
    let other = Service::start(&stage.settings).await;
    let place = Place {
        stage: &*stage,
        one: client,
        two: &other.client,
        owner: &owner,
        tenant: &tenant,
    };
    revocations::measure(place, Way::Redis, rows).await?;
    let mut alone = stage.settings.clone();
    alone.remove("REDIS_URL");
    let (one, two) = (Service::start(&alone).await, Service::start(&alone).await);
    let place = Place {
        one: &one.client,
        two: &two.client,
        ..place
    };
    revocations::measure(place, Way::Database, rows).await?;
    drop((one, two, other));
    let with = quantile(&tails, 50);
    stage.redis.kill().await;
    let mut without = Vec::new();
    for _ in 0..ROUNDS {
        let (client, path, token) = (client.fresh(), path.clone(), token.clone());
        let times = on_the_other_core(move || steady(client, path, token)).await??;
        without.push(quantile(&times, 99));
    }
    let without = quantile(&without, 50);
    rows.push(
        Row::new(
            "API: GET of a run after Redis is gone, p99 to p99 before, medians of 5",
            without / with,
            "times",
        )
        .at_most(2.0)
        .note(format!("{without:.2} to {with:.2} ms")),
    );
    Ok(())
}

/// The times of all answers, each from when its request was due.
async fn steady(client: Client, path: String, token: String) -> Result<Vec<f64>> {
    let (tell, mut told) = mpsc::unbounded_channel();
    // The runtime's timers are late by up to a millisecond, which is the limit itself; a thread wakes within a tenth of that.
    let pace = thread::spawn(move || -> Result<()> {
        cores::pin_this_thread(REST)?;
        let (begin, step) = (Instant::now(), Duration::from_secs(1) / PER_SECOND);
        let mut due = begin;
        while due < begin + OPEN_LOOP {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            tell.send(due)?;
            due += step;
        }
        Ok(())
    });
    let mut answers = Vec::new();
    while let Some(due) = told.recv().await {
        let request = client.reading(&path, Some(&token));
        let client = client.clone();
        answers.push(tokio::spawn(async move {
            let status = client.send(request).await.status;
            (status, milliseconds(due.elapsed()))
        }));
    }
    pace.join()
        .map_err(|_| anyhow!("the load's clock ended in a panic"))??;
    let mut times = Vec::with_capacity(answers.len());
    for answer in answers {
        let (status, time) = answer.await?;
        ensure!(status == 200, "the API answered {status}");
        times.push(time);
    }
    Ok(times)
}

/// Runs a load on a thread of its own, which has the other core.
pub(crate) async fn on_the_other_core<F, T>(load: impl FnOnce() -> F + Send + 'static) -> Result<T>
where
    F: Future<Output = T>,
    T: Send + 'static,
{
    let (send, receive) = tokio::sync::oneshot::channel();
    thread::spawn(move || {
        let run = || -> Result<T> {
            cores::pin_this_thread(REST)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(load()))
        };
        // Who waits for it may have been interrupted.
        let _ = send.send(run());
    });
    receive.await.context("the load ended early")?
}
