//! A proof counts once, in whichever replica and whatever its store has lost.

use futures::future::join_all;

use super::*;
use crate::testing::TestRedis;

/// Of any number of the same proof, at any replica, one counts.
async fn one_of_a_hundred_counts(app: &TestApp, client: &TestClient, proof: &str) {
    let replica = app.replica();
    replica.refresh_keys().await;
    let basic = client.basic();
    let racers = (0..100).map(|i| {
        let to = if i % 2 == 0 { app } else { &replica };
        let basic = &basic;
        async move {
            // Each from elsewhere: of one address there may not be so many.
            let address = format!("203.0.113.{i}");
            let headers = [
                ("authorization", basic.as_str()),
                ("dpop", proof),
                ("x-forwarded-for", &address),
            ];
            ask(to, &headers, &[]).await
        }
    });
    let answers = join_all(racers).await;
    let mut told: Vec<(u16, &str)> = answers.iter().map(error).collect();
    told.sort_unstable();
    let mut wanted = vec![(200, "")];
    wanted.extend([(400, "invalid_dpop_proof"); 99]);
    assert_eq!(told, wanted);
}

#[tokio::test]
async fn a_proof_counts_once_in_postgresql() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({})).await;
    let key = TestKey::new(7);
    let given = nonce(&app, &client, &key).await;
    let (basic, proof) = (client.basic(), key.proof(&claims("one", &given)));
    one_of_a_hundred_counts(&app, &client, &proof).await;

    // What PostgreSQL forgets in a crash.
    sqlx::query("TRUNCATE replay_epoch, replay_spent")
        .execute(&app.owner)
        .await
        .unwrap();
    let unused = key.proof(&claims("two", &given));
    for proof in [&proof, &unused] {
        let after = ask(&app, &[("authorization", &basic), ("dpop", proof)], &[]).await;
        assert_eq!(error(&after), (400, "use_dpop_nonce"));
        assert_ne!(after.header("dpop-nonce"), Some(given.as_str()));
    }
}

#[tokio::test]
async fn a_proof_counts_once_in_redis_and_in_none_that_lost_what_it_knew() {
    let mut redis = TestRedis::start().await;
    let app = TestApp::with_redis(&redis).await;
    let client = TestClient::new(&app, &json!({})).await;
    let key = TestKey::new(7);
    let basic = client.basic();
    let given = nonce(&app, &client, &key).await;
    let proof = key.proof(&claims("one", &given));
    one_of_a_hundred_counts(&app, &client, &proof).await;
    let unused = key.proof(&claims("two", &given));
    let shown = async |proof: &str| ask(&app, &[("authorization", &basic), ("dpop", proof)], &[]).await;

    redis.flush().await;
    for proof in [&unused, &proof] {
        assert_eq!(error(&shown(proof).await), (400, "use_dpop_nonce"));
    }
    let given = nonce(&app, &client, &key).await;
    assert_eq!(error(&shown(&key.proof(&claims("three", &given))).await), (200, ""));

    // What it is to judge is refused while it is away. PostgreSQL stands in for it, and takes nothing that was minted for it.
    redis.kill();
    let before = key.proof(&claims("four", &given));
    assert_eq!(error(&shown(&before).await), (503, "temporarily_unavailable"));
    assert_eq!(error(&shown(&before).await), (400, "use_dpop_nonce"));
    let given = nonce(&app, &client, &key).await;
    assert_eq!(error(&shown(&key.proof(&claims("four", &given))).await), (200, ""));
}
