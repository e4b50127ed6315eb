//! AP-02: a request that is sent fifty times at once, while the replica that did it is killed and Redis forgets everything, is done once.

use futures::{StreamExt as _, stream::FuturesUnordered};
use http_body_util::Full;
use hyper::{Request, body::Bytes};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use support::{
    api::{Client, Person, Redis, Service, database, migrate, settings},
    full, wait,
};

/// How often the request is sent at once.
const AT_ONCE: usize = 50;

fn request(person: &Person, client: &Client, key: &str, body: &Value) -> Request<Full<Bytes>> {
    let mut request = person.request(client, "POST", "/v1/me/api-keys", Some(body));
    request
        .headers_mut()
        .insert("idempotency-key", key.parse().expect("a value"));
    request
}

#[tokio::test]
async fn of_many_that_are_sent_one_is_done_whoever_dies() {
    let rounds = if full() { 1_000 } else { 10 };
    let database = database().await;
    migrate(&database).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mail = folder.path().join("mail");
    let redis = Redis::start("noeviction").await;
    let mut settings = settings(&database);
    let most = || "1000000".to_owned();
    settings.extend([
        ("ENVIRONMENT", "development".to_owned()),
        ("PINFOLD_MAIL_DIRECTORY", mail.display().to_string()),
        ("PINFOLD_CALLS_PER_MINUTE", most()),
        ("PINFOLD_WRITES_PER_MINUTE", most()),
        ("REDIS_URL", redis.url()),
    ]);
    let stays = Service::start(&settings).await;
    let ada = Person::sign_up(&stays.client, &mail, "ada@example.com").await;
    let mut connection = PgConnection::connect(database.as_str())
        .await
        .expect("connect to PostgreSQL");
    for round in 0..rounds {
        let mut dies = Service::start(&settings).await;
        let key = format!("round-{round}");
        let name = json!({"name": key, "scopes": ["runs:read"]});
        let clients = [&dies.client, &stays.client];
        let mut sent: FuturesUnordered<_> = (0..AT_ONCE)
            .map(|number| {
                let client = clients[number % 2].clone();
                let request = request(&ada, &client, &key, &name);
                async move { client.try_send(request).await }
            })
            .collect();
        // The first that is answered says that it is done.
        let first = loop {
            let answer = wait::soon("an answer", sent.next()).await.expect("one is done");
            match answer.expect("nobody has died yet") {
                done if done.status == 201 => break done,
                other => assert_eq!(other.status, 409, "round {round}: {:?}", other.body),
            }
        };
        dies.kill().await;
        redis.flush().await;
        while let Some(answer) = sent.next().await {
            // What the dead one did not answer is asked of the other.
            let Ok(answer) = answer else { continue };
            match answer.status.as_u16() {
                201 => assert_eq!(answer.body, first.body, "round {round}"),
                status => assert_eq!(status, 409, "round {round}: {:?}", answer.body),
            }
        }
        let again = stays.client.send(request(&ada, &stays.client, &key, &name)).await;
        assert_eq!(again.told(), (201, &first.body), "round {round}");
        assert_eq!(again.headers["idempotency-replayed"], "true");
        let other = json!({"name": "other", "scopes": ["runs:read"]});
        let other = stays.client.send(request(&ada, &stays.client, &key, &other)).await;
        assert_eq!(
            (other.status.as_u16(), &other.body["code"]),
            (422, &json!("idempotency_key_reused"))
        );
        let made: i64 = sqlx::query_scalar("SELECT count(*) FROM api_keys WHERE name = $1")
            .bind(&key)
            .fetch_one(&mut connection)
            .await
            .expect("count");
        assert_eq!(made, 1, "round {round}");
        // A person has so many keys and no more.
        sqlx::query("DELETE FROM api_keys")
            .execute(&mut connection)
            .await
            .expect("make room");
    }
}
