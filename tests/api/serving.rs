//! How the program starts, ends, and goes on without its database.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::json;
use support::{
    api::{Agent, Cable, Redis, Service, database, migrate, run, settings},
    wait,
};

#[tokio::test]
async fn it_does_not_start_on_a_schema_that_it_does_not_know() {
    let database = database().await;
    let refused = run(&["serve"], &settings(&database)).await;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        told.contains("the database lacks the migration ") || told.contains("pinfold_app"),
        "{told}"
    );

    migrate(&database).await;
    let again = run(&["migrate"], &settings(&database)).await;
    assert!(again.status.success());
    let told = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(told.starts_with("the schema is up to date: "), "{told}");
}

#[tokio::test]
async fn it_says_everything_that_is_wrong_with_its_settings() {
    let mut settings = settings(&database().await);
    settings.insert("PINFOLD_HTTP_ADDRESS", "nowhere".to_owned());
    settings.insert("PINFOLD_MASTER_KEY", "hunter2".to_owned());
    for command in ["check-config", "serve", "migrate"] {
        let refused = run(&[command], &settings).await;
        assert_eq!(refused.status.code(), Some(1));
        assert_eq!(
            String::from_utf8_lossy(&refused.stderr),
            "error: the configuration cannot be used:\n  \
             PINFOLD_HTTP_ADDRESS (http.address in the file): \"nowhere\" is not an address and a port, as 127.0.0.1:8080 or [::1]:8080\n  \
             PINFOLD_MASTER_KEY (auth.master_key in the file): is not 32 bytes in base64; write what `openssl rand -base64 32` gives\n"
        );
    }
}

/// AP-12: whoever was answered before is answered to the end, and whoever sends requests hears of it first.
#[tokio::test]
async fn asked_to_stop_under_load_it_fails_no_request() {
    let mut service = Service::new().await;
    let token = Agent::register(&service.client, "scout")
        .await
        .token(&service.client)
        .await;
    let (answered, heard) = (AtomicUsize::new(0), AtomicBool::new(false));
    // As a balancer does: it sends requests until it hears that the replica is not ready.
    let load = async |_: usize| {
        while !heard.load(Ordering::Relaxed) {
            let answer = service.client.get("/v1/me", Some(&token)).await;
            assert_eq!(answer.status, 200, "{:?}", answer.body);
            answered.fetch_add(1, Ordering::Relaxed);
        }
    };
    let stop = async {
        wait::until_true("there is load", async || answered.load(Ordering::Relaxed) > 100).await;
        service.terminate();
        wait::until_true("it says that it is not ready", async || {
            let answer = service.admin.get("/readyz", None).await;
            answer.told() == (503, &json!("asked to stop\n"))
        })
        .await;
        let last = answered.load(Ordering::Relaxed);
        wait::until_true("it goes on meanwhile", async || {
            answered.load(Ordering::Relaxed) > last + 100
        })
        .await;
        heard.store(true, Ordering::Relaxed);
    };
    wait::soon("the load ends", async {
        tokio::join!(stop, futures::future::join_all((0..8).map(load)))
    })
    .await;
    assert_eq!(service.ended().await, Some(0));
}

/// Both start at once on a machine that starts: the service waits, and is not started over and over.
#[tokio::test]
async fn it_waits_for_a_database_that_is_still_away() {
    let database = database().await;
    migrate(&database).await;
    let cable = Cable::to(&database);
    cable.cut();
    let later = async {
        cable.found_cut().await;
        cable.mend();
    };
    let settings = settings(&cable.url);
    let (service, ()) = tokio::join!(Service::start(&settings), later);
    Agent::register(&service.client, "scout").await;
    assert!(service.log().contains("waiting for the database"), "{}", service.log());
}

/// AP-03: what needs the database says at once that it is away, the rest goes on, and nothing has to be started again.
#[tokio::test]
async fn without_its_database_it_says_so_at_once_and_comes_back() {
    let database = database().await;
    migrate(&database).await;
    let cable = Cable::to(&database);
    let service = Service::start(&settings(&cable.url)).await;
    let client = &service.client;
    let agent = Agent::register(client, "scout").await;
    let token = agent.token(client).await;
    assert_eq!(client.get("/v1/me", Some(&token)).await.status, 200);
    let challenge = agent.challenge(client).await;

    cable.cut();
    let away = json!({
        "type": "/docs/errors#unavailable", "code": "unavailable", "status": 503,
        "title": "The service cannot answer at the moment; come again.",
    });
    for _ in 0..3 {
        let asked = Instant::now();
        let answer = client.get("/v1/me", Some(&token)).await;
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        assert_eq!(answer.told(), (503, &away));
        assert_eq!(answer.headers["retry-after"], "1");
    }
    let answer = agent.answer(client, &challenge).await;
    let later = json!({
        "error": "temporarily_unavailable",
        "error_description": "the service cannot answer at the moment; come again",
    });
    assert_eq!(answer.told(), (503, &later));
    // Who has no token needs no database to be refused, and the keys are in memory.
    assert_eq!(client.get("/v1/me", None).await.status, 401);
    assert_eq!(client.get("/.well-known/jwks.json", None).await.status, 200);
    let health = service.admin.get("/healthz", None).await;
    assert_eq!(health.status, 200, "a database that is away is no reason to start anew");

    cable.mend();
    wait::until_true("it answers again", async || {
        client.get("/v1/me", Some(&token)).await.status == 200
    })
    .await;
    assert_eq!(agent.prove(client).await.status, 200);
}

/// What clients have used up would be given back to them.
#[tokio::test]
async fn it_does_not_start_with_a_redis_that_forgets() {
    let redis = Redis::start("allkeys-lru").await;
    let database = database().await;
    migrate(&database).await;
    let mut settings = settings(&database);
    settings.insert("REDIS_URL", redis.url());
    let refused = run(&["serve"], &settings).await;
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    for part in [
        "redis.url (REDIS_URL)",
        "maxmemory-policy allkeys-lru; it must be noeviction",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

/// What Redis holds may be lost, so nobody waits for it.
#[tokio::test]
async fn it_starts_and_answers_while_redis_is_away() {
    let database = database().await;
    migrate(&database).await;
    let mut settings = settings(&database);
    settings.insert("REDIS_URL", "unix:///nowhere/socket".to_owned());
    let service = Service::start(&settings).await;
    let agent = Agent::register(&service.client, "scout").await;
    let token = agent.token(&service.client).await;
    assert_eq!(service.client.get("/v1/me", Some(&token)).await.status, 200);
    let metrics = service.admin.get("/metrics", None).await.body;
    let counted = metrics.as_str().unwrap_or_default().lines().find_map(|line| {
        let count = line.strip_prefix("pinfold_api_redis_unanswered_total ")?;
        count.parse::<u64>().ok()
    });
    assert!(counted.is_some_and(|count| count >= 4), "{counted:?}");
}
