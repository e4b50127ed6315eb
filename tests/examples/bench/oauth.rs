//! Tokens that are bound to keys, and requests that are made with them: one replica on a core of its own, load, PostgreSQL and Redis on the
//! other; and, pinned the same way, what others do in its place.

use std::{
    env,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use support::api::{Agent, Client, OAuthClient, Person};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use super::{
    api::{Stage, on_the_other_core},
    cores::{self, MEASURED, REST},
    process::Process,
    report::{Row, quantile},
    timing, wire,
};

const ROUNDS: usize = 5;
/// How many ask at once.
const HOLDERS: usize = 64;
/// How often each asks in a round.
const EACH: usize = 200;
/// The same of the rival, which takes longer.
const EACH_OF_RIVAL: usize = 30;

/// The figures of a round: how many in a second, and how many in a second of the server's processor time.
struct Rates {
    by_clock: Vec<f64>,
    by_processor: Vec<f64>,
}

impl Rates {
    fn new() -> Self {
        Self {
            by_clock: Vec::new(),
            by_processor: Vec::new(),
        }
    }

    /// Sends what was made, and notes how long that took.
    async fn round(&mut self, address: &str, server: &Process, each: Vec<Vec<Vec<u8>>>) -> Result<()> {
        let count = each.iter().map(Vec::len).sum::<usize>();
        let count = f64::from(u32::try_from(count)?);
        let (address, before, begun) = (address.to_owned(), server.processor_time()?, Instant::now());
        on_the_other_core(move || async move { wire::send(&address, &each).await }).await??;
        let took = begun.elapsed();
        let used = server.processor_time()?.saturating_sub(before);
        self.by_clock.push(count / took.as_secs_f64());
        self.by_processor.push(count / used.as_secs_f64());
        Ok(())
    }
}

pub(crate) async fn measure(stage: &Stage, client: &Client, server: &Process, rows: &mut Vec<Row>) -> Result<()> {
    let owner = Person::sign_up(client, &stage.mail(), "clients@pinfold.test").await;
    let tenants = owner.get(client, "/v1/tenants").await.body;
    let tenant = tenants["tenants"][0]["name"].as_str().context("no tenant")?;
    let registered = OAuthClient::register(client, &owner, tenant).await;
    let holders: Vec<OAuthClient> = (0..HOLDERS).map(|_| registered.with_another_key()).collect();

    let mut rates = Rates::new();
    for _ in 0..ROUNDS {
        let mut each = Vec::with_capacity(HOLDERS);
        for holder in &holders {
            // The first gives the nonce of the others.
            holder.token(client).await;
            each.push((0..EACH).map(|_| holder.token_request(client.address())).collect());
        }
        rates.round(client.address(), server, each).await?;
    }
    let ours = quantile(&rates.by_clock, 50);
    rows.push(
        Row::new("API: DPoP-bound client-credentials tokens, median of 5", ours, "per second")
            .at_least(3000.0)
            .note(format!(
                "{HOLDERS} at once; {:.0} per second of its core's time; replay store, audit and Ed25519 proofs; load, PostgreSQL and Redis \
                 on the other core",
                quantile(&rates.by_processor, 50)
            )),
    );
    let theirs = rival().await?;
    rows.push(
        Row::new("API: the same, to node-oidc-provider's", ours / theirs, "times")
            .at_least(3.0)
            .note(format!(
                "{theirs:.0} per second: 9.13 on Node 22 with its memory adapter, the same load and pinning"
            )),
    );

    let mut rates = Rates::new();
    for _ in 0..ROUNDS {
        let mut each = Vec::with_capacity(HOLDERS);
        for holder in &holders {
            let token = holder.token(client).await;
            holder.show(client, &token).await;
            each.push(
                (0..EACH)
                    .map(|_| holder.resource_request(client.address(), &token))
                    .collect(),
            );
        }
        rates.round(client.address(), server, each).await?;
    }
    rows.push(
        Row::new(
            "API: requests with token and proof, in a second of its core's time, median of 5",
            quantile(&rates.by_processor, 50),
            "per second",
        )
        .at_least(6000.0)
        .note(format!(
            "GET /v1/me, {HOLDERS} at once, {:.0} per second by the clock; load and Redis on the other core",
            quantile(&rates.by_clock, 50)
        )),
    );
    let agent = Agent::of_person(&owner, client, tenant, "timed").await;
    timing::measure(stage, client, &registered, &agent, rows).await
}

/// How many bound tokens a second node-oidc-provider gives.
async fn rival() -> Result<f64> {
    let tools = env::var_os("PINFOLD_INTEROP_TOOLS").map(PathBuf::from);
    let tools = tools.context("PINFOLD_INTEROP_TOOLS is not set")?;
    cores::pin_this_thread(MEASURED)?;
    let process = Command::new(tools.join("bin/node"))
        .arg("rival.mjs")
        .current_dir(tools.join("node"))
        .env("NODE_ENV", "production")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    cores::pin_this_thread(REST)?;
    let mut process = process.context("start node")?;
    let server = Process::of_id(process.id().context("it has ended")?);
    let mut lines = BufReader::new(process.stdout.take().context("its output")?).lines();
    let said = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await??;
    let issuer = said.context("it says where it listens")?;
    let address = issuer.trim_start_matches("http://").to_owned();
    let holders: Vec<OAuthClient> = (0..HOLDERS).map(|_| OAuthClient::known("load", "secret")).collect();
    let mut rates = Rates::new();
    for _ in 0..ROUNDS {
        let each = holders.iter().map(|holder| {
            let request = |_| holder.token_request_to(&issuer, "/token", "&scope=runs%3Aread");
            (0..EACH_OF_RIVAL).map(request).collect()
        });
        rates.round(&address, &server, each.collect()).await?;
    }
    process.kill().await.context("end node")?;
    let rate = quantile(&rates.by_clock, 50);
    ensure!(rate > 0.0, "the rival gave no token");
    Ok(rate)
}
