//! Redis loses all that it knows while it is needed.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use support::{
    api::{Agent, Redis, Service, database, migrate, settings},
    wait,
};

/// DA-12: nothing that was done is lost or done twice, nobody hears that the service is broken, and it goes on at once.
#[tokio::test]
async fn a_flush_under_load_loses_nothing_and_gives_nothing_twice() {
    let redis = Redis::start("noeviction").await;
    let database = database().await;
    migrate(&database).await;
    let mut settings = settings(&database);
    let most = || "1000000".to_owned();
    settings.extend([
        ("REDIS_URL", redis.url()),
        ("PINFOLD_REQUESTS_PER_MINUTE", most()),
        ("PINFOLD_CALLS_PER_MINUTE", most()),
        ("PINFOLD_WRITES_PER_MINUTE", most()),
    ]);
    let (first, second) = (Service::start(&settings).await, Service::start(&settings).await);
    let agents = join_all((0..8).map(async |i| Agent::register(&first.client, &format!("agent-{i}")).await)).await;
    let (issued, flushed) = (AtomicU32::new(0), AtomicBool::new(false));
    let refused = json!({
        "error": "invalid_grant",
        "error_description": "the answer proves nothing; ask for a new challenge and sign that",
    });
    let load = agents.iter().map(async |agent| {
        while !flushed.load(Ordering::Relaxed) {
            let challenge = agent.challenge(&first.client).await;
            let answer = agent.answer(&first.client, &challenge).await;
            let again = agent.answer(&second.client, &challenge).await;
            let good = [&answer, &again]
                .into_iter()
                .filter(|answer| answer.status == 200)
                .count();
            for answer in [answer, again].iter().filter(|answer| answer.status != 200) {
                assert_eq!(answer.told(), (400, &refused));
            }
            // None, if the challenge was of before a flush.
            assert!(good <= 1, "a challenge was answered twice");
            issued.fetch_add(u32::try_from(good).unwrap_or_default(), Ordering::Relaxed);
        }
    });
    let losses = async {
        for _ in 0..20 {
            let before = issued.load(Ordering::Relaxed);
            wait::until_true("tokens are given", async || {
                issued.load(Ordering::Relaxed) > before + 10
            })
            .await;
            redis.flush().await;
        }
        flushed.store(true, Ordering::Relaxed);
    };
    wait::soon("the load ends", async { tokio::join!(join_all(load), losses) }).await;
    let mut owner = PgConnection::connect(database.as_str()).await.expect("connect");
    let recorded: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_events WHERE action = 'token.issue'")
        .fetch_one(&mut owner)
        .await
        .expect("count");
    assert_eq!(
        recorded,
        i64::from(issued.load(Ordering::Relaxed)),
        "each token and its event"
    );
    for agent in &agents {
        let token = agent.token(&second.client).await;
        let me: Value = first.client.get("/v1/me", Some(&token)).await.body;
        assert_eq!(me["id"], json!(agent.id));
    }
}
