//! Case 46: a thousand logins at once, and one that is very large.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::json;
use support::{
    api::{Agent, Service, database, migrate, settings},
    wait,
};

const LOGINS: usize = 1_000;

#[tokio::test]
async fn a_flood_of_logins_holds_up_nobody_else() {
    let database = database().await;
    migrate(&database).await;
    let mut settings = settings(&database);
    settings.extend([
        ("PINFOLD_LOGINS_PER_MINUTE", "1000000".to_owned()),
        ("PINFOLD_LOGIN_MILLISECONDS", "0".to_owned()),
    ]);
    let service = Service::start(&settings).await;
    let client = &service.client;
    let token = Agent::register(client, "scout").await.token(client).await;

    let done = AtomicBool::new(false);
    let flood = async {
        let answers = join_all((0..LOGINS).map(async |number| {
            let who = json!({"email": format!("nobody-{number}@example.com"), "password": "not the password"});
            client.post("/v1/sessions", &who).await
        }));
        let answers = wait::soon("every login is answered", answers).await;
        done.store(true, Ordering::Relaxed);
        answers
    };
    let others = async {
        let mut rounds = 0;
        while !done.load(Ordering::Relaxed) {
            let asked = Instant::now();
            assert_eq!(service.admin.get("/healthz", None).await.status, 200);
            assert_eq!(service.admin.get("/readyz", None).await.status, 200);
            let me = client.fresh().get("/v1/me", Some(&token)).await;
            assert_eq!(me.status, 200, "{:?}", me.body);
            // The promise of everything that needs no hash.
            assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
            rounds += 1;
        }
        rounds
    };
    let (answers, rounds) = tokio::join!(flood, others);
    assert!(rounds > 0, "nobody else came");
    let mut counts = BTreeMap::new();
    for answer in &answers {
        *counts.entry(answer.status.as_u16()).or_insert(0) += 1;
        let waits = answer.headers.contains_key("retry-after");
        assert_eq!(waits, answer.status != 401, "{:?}", answer.body);
    }
    // Who finds no place for the hash is told so, and so is who finds no connection; nothing else goes wrong.
    assert!(
        counts.keys().all(|status| [401, 429, 503].contains(status)),
        "{counts:?}"
    );
    assert!(counts.contains_key(&401) && counts.len() > 1, "{counts:?}");

    let large = json!({"email": "ada@example.com", "password": "x".repeat(1024 * 1024)});
    let refused = client.post("/v1/sessions", &large).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (413, &json!("body_too_large"))
    );
    let long = json!({"email": "ada@example.com", "password": "x".repeat(1025)});
    let refused = client.post("/v1/sessions", &long).await;
    assert_eq!(
        refused.status, 401,
        "no password is longer than 1024 bytes: {:?}",
        refused.body
    );
}
