//! The pool of connections, when statements are slow and when clients go away.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use futures::future::join_all;
use http_body_util::Full;
use hyper::Request;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use support::{
    api::{ISSUER, PASSWORD, Person, Service, database, migrate, registration, settings},
    full, wait,
};
use tokio::time::timeout;
use url::Url;

/// A service in which nobody asks too often, and a person who owns the tenant `acme`.
async fn acme(database: &Url, mail: &Path) -> (Service, Person) {
    migrate(database).await;
    let mut settings = settings(database);
    let most = || "1000000".to_owned();
    settings.extend([
        ("ENVIRONMENT", "development".to_owned()),
        ("PINFOLD_MAIL_DIRECTORY", mail.display().to_string()),
        ("PINFOLD_DATABASE_CONNECTIONS", "5".to_owned()),
        ("PINFOLD_REQUESTS_PER_MINUTE", most()),
        ("PINFOLD_CALLS_PER_MINUTE", most()),
        ("PINFOLD_WRITES_PER_MINUTE", most()),
        ("PINFOLD_LOGINS_PER_MINUTE", most()),
    ]);
    let service = Service::start(&settings).await;
    let ada = Person::sign_up(&service.client, mail, "ada@example.com").await;
    let made = ada.post(&service.client, "/v1/tenants", &json!({"name": "acme"})).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    (service, ada)
}

/// How long the service lets a statement run.
const STATEMENT: Duration = Duration::from_secs(5);

/// AP-05: whoever finds no connection does not wait for those who have one, and neither do health and logins.
#[tokio::test]
async fn slow_statements_hold_up_neither_logins_nor_health() {
    let database = database().await;
    let mail = tempfile::tempdir().expect("a folder");
    let (service, ada) = acme(&database, mail.path()).await;
    let client = &service.client;
    let mut owner = PgConnection::connect(database.as_str()).await.expect("connect");
    let lock = "BEGIN; LOCK TABLE invitations IN ACCESS EXCLUSIVE MODE";
    owner.execute(lock).await.expect("make every look at invitations wait");
    let begun = Instant::now();

    let slow = join_all((0..200).map(async |_| {
        let asked = Instant::now();
        let answer = ada.get(client, "/v1/tenants/acme/invitations").await;
        (answer.status.as_u16(), asked.elapsed())
    }));
    let others = async {
        for _ in 0..5 {
            let who = json!({"email": "ada@example.com", "password": PASSWORD});
            let login = client.post("/v1/sessions", &who).await;
            assert_eq!(login.status, 201, "{:?}", login.body);
            assert_eq!(service.admin.get("/healthz", None).await.status, 200);
        }
    };
    let (slow, ()) = tokio::join!(slow, others);
    let answered: Vec<u16> = slow.iter().map(|(status, _)| *status).collect();
    assert_eq!(answered, [503; 200]);
    // Four have a connection, and hear when their statement is given up.
    let late = slow.iter().filter(|(_, time)| *time >= STATEMENT).count();
    assert!(late <= 4, "{late} of 200 waited as long as a statement runs");
    // Two hundred are turned away, and it is said once in a second.
    let said = service.log().matches("a request was turned away").count();
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap_or_default() + 1;
    assert!((1..=seconds).contains(&said), "{said} warnings in {seconds} s");

    owner.execute("ROLLBACK").await.expect("let go");
    wait::until_true("it answers again", async || {
        ada.get(client, "/v1/tenants/acme/invitations").await.status == 200
    })
    .await;
}

/// AP-06: a client that goes away in the middle leaves no connection, no lock and no half of anything.
#[tokio::test]
async fn whoever_goes_away_leaves_nothing_half_done() {
    let database = database().await;
    let mail = tempfile::tempdir().expect("a folder");
    let (service, ada) = acme(&database, mail.path()).await;
    let client = &service.client;
    let count = if full() { 10_000 } else { 300 };
    let mut begun = 0_u32;
    let mut answered = 0_u32;
    while begun < count {
        let together = (0..20).map(async |i| {
            let (_, body) = registration(ISSUER, &format!("agent-{begun}-{i}"));
            let path = "/v1/tenants/acme/agents";
            let request = ada.request(client, "POST", path, Some(&body));
            // From before it is heard until after it is answered.
            let patience = Duration::from_micros(rand::random_range(0..20_000));
            match timeout(patience, client.fresh().try_send(request)).await {
                Ok(Ok(answer)) => {
                    assert_eq!(answer.status, 201, "{:?}", answer.body);
                    1
                }
                Ok(Err(error)) => panic!("{error}"),
                Err(_) => 0,
            }
        });
        answered += join_all(together).await.into_iter().sum::<u32>();
        begun += 20;
    }
    let mut owner = PgConnection::connect(database.as_str()).await.expect("connect");
    wait::until_true("nobody is left in a transaction", async || {
        let mut other = PgConnection::connect(database.as_str()).await.expect("connect");
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
             AND state LIKE 'idle in transaction%' AND now() - state_change > interval '1 second'",
        )
        .fetch_one(&mut other)
        .await
        .expect("look");
        left == 0
    })
    .await;
    // Had one been left, PostgreSQL would have ended it after five seconds.
    let ended: i64 =
        sqlx::query_scalar("SELECT sessions_fatal FROM pg_stat_database WHERE datname = current_database()")
            .fetch_one(&mut owner)
            .await
            .expect("look");
    assert_eq!(ended, 0, "sessions that PostgreSQL ended");
    let counts: (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM agents), (SELECT count(*) FROM agent_keys), \
         (SELECT count(*) FROM audit_events WHERE action = 'agent.register')",
    )
    .fetch_one(&mut owner)
    .await
    .expect("count");
    assert_eq!(
        (counts.1, counts.2),
        (counts.0, counts.0),
        "each agent with its key and its event"
    );
    assert!(counts.0 >= i64::from(answered), "what was answered is there");
    assert!(answered < count, "nobody went away");
    let waiting = Request::get(client.url("/v1/tenants/acme/agents"));
    let [cookie, csrf] = ada.headers();
    let waiting = waiting
        .header(cookie.0, cookie.1)
        .header(csrf.0, csrf.1)
        .body(Full::default());
    assert_eq!(client.send(waiting.expect("a request")).await.status, 200);
}
