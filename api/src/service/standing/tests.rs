use std::time::Duration;

use axum::http::{Method, StatusCode};
use domain::{AgentId, AgentKeyId};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};
use uuid::Uuid;

mod grants;
mod outsiders;

use super::{feed::Feed, feed::Told, *};
use crate::{
    auth::api_key::ApiKey,
    store::{changes::Change, tenants::SHADOW},
    testing::{TestAgent, TestApp, TestRedis},
};

/// The tenant of agents that registered themselves.
const NAME: &str = "shadow";

/// Two replicas that hear one another.
struct Two {
    here: TestApp,
    there: TestApp,
    redis: TestRedis,
    following: Vec<JoinHandle<()>>,
    agent: TestAgent,
}

async fn two() -> Two {
    let redis = TestRedis::start().await;
    let here = TestApp::with_redis(&redis).await;
    let there = here.replica();
    there.refresh_keys().await;
    let following = [&here, &there].map(follow).into();
    for app in [&here, &there] {
        until("the replicas hear one another", || app.state.standing.in_touch()).await;
    }
    let agent = here.agent().await;
    Two {
        here,
        there,
        redis,
        following,
        agent,
    }
}

fn follow(app: &TestApp) -> JoinHandle<()> {
    let standing = app.state.standing.clone();
    tokio::spawn(async move { standing.follow().await })
}

/// Waits for what nobody tells; the deadline only stops a hang.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let looks = async {
        while !holds() {
            // What a replica hears or forgets it tells nobody.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        timeout(Duration::from_secs(20), looks).await.is_ok(),
        "waited for: {what}"
    );
}

impl Drop for Two {
    fn drop(&mut self) {
        for task in &self.following {
            task.abort();
        }
    }
}

fn ids(agent: &TestAgent) -> (AgentId, AgentKeyId) {
    (agent.id.parse().unwrap(), agent.key_id.parse().unwrap())
}

/// What a replica says of an agent: whether its key stands, or that it cannot say.
async fn stands(app: &TestApp, agent: &TestAgent) -> Option<bool> {
    let (agent, key) = ids(agent);
    let found = app.state.standing.find_holder(agent, key, Some(NAME)).await;
    Some(
        found
            .ok()?
            .is_some_and(|holder| !holder.revoked && holder.beside.is_some()),
    )
}

/// The database of this replica is away from now on.
async fn cut(app: &TestApp) {
    app.state.database.pool().close().await;
}

async fn revoke(app: &TestApp, agent: &TestAgent) {
    let token = app.token(agent).await;
    // The last key is kept.
    let another = TestAgent::new().addition(&agent.id, app.now());
    let answer = app
        .with_token(Method::POST, "/v1/me/keys", &token, Some(&another))
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    let path = format!("/v1/me/keys/{}", agent.key_id);
    let answer = app.with_token(Method::DELETE, &path, &token, None).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{:?}", answer.body);
}

#[tokio::test]
async fn what_was_asked_once_is_known_without_the_database() {
    let two = two().await;
    let other = two.here.agent().await;
    assert_eq!(stands(&two.there, &two.agent).await, Some(true));
    cut(&two.there).await;
    assert_eq!(stands(&two.there, &two.agent).await, Some(true));
    assert_eq!(stands(&two.there, &other).await, None, "it was not asked before");
}

/// Whoever asks another replica after the answer is refused there, whether or not that one reaches the database.
#[tokio::test]
async fn a_key_that_was_revoked_is_refused_by_every_replica() {
    let two = two().await;
    for reaches in [true, false] {
        let agent = two.here.agent().await;
        assert_eq!(stands(&two.there, &agent).await, Some(true));
        if !reaches {
            cut(&two.there).await;
        }
        revoke(&two.here, &agent).await;
        assert_eq!(stands(&two.here, &agent).await, Some(false));
        assert_eq!(stands(&two.there, &agent).await, reaches.then_some(false));
    }
}

/// A change that no request made is found by looking.
#[tokio::test]
async fn what_is_changed_past_the_service_is_noticed() {
    let two = two().await;
    for app in [&two.here, &two.there] {
        assert_eq!(stands(app, &two.agent).await, Some(true));
    }
    cut(&two.there).await;
    let sql = "UPDATE agent_keys SET revoked_at = now()";
    sqlx::query(sql).execute(&two.here.owner).await.unwrap();
    let (agent, key) = ids(&two.agent);
    for app in [&two.here, &two.there] {
        until("it is forgotten", || {
            app.state.standing.known_holder(agent, key, None).is_none()
        })
        .await;
    }
    assert_eq!(stands(&two.here, &two.agent).await, Some(false));
    assert_eq!(stands(&two.there, &two.agent).await, None);
}

#[tokio::test]
async fn without_redis_the_database_is_asked_each_time() {
    let mut two = two().await;
    assert_eq!(stands(&two.there, &two.agent).await, Some(true));
    two.redis.hang();
    let standing = two.there.state.standing.clone();
    until("Redis is not heard", || !standing.in_touch()).await;
    assert_eq!(stands(&two.there, &two.agent).await, Some(true));
    cut(&two.there).await;
    assert_eq!(stands(&two.there, &two.agent).await, None);
    two.redis.kill();
    two.redis.come_back().await;
    until("Redis is heard again", || two.here.state.standing.in_touch()).await;
    assert!(
        !standing.in_touch(),
        "how new runs are is not known without the database"
    );
}

/// What one replica has written the others know when the writer is answered.
#[tokio::test]
async fn who_wrote_is_answered_when_all_have_heard() {
    let two = two().await;
    let (agent, key) = ids(&two.agent);
    let version = async |app: &TestApp| {
        let found = app.state.standing.find_holder(agent, key, Some(NAME)).await.unwrap();
        found.unwrap().beside.unwrap().runs_version
    };
    version(&two.there).await;
    for wanted in 1..=200 {
        two.here.state.standing.wrote(SHADOW, wanted).await;
        assert_eq!(version(&two.there).await, wanted);
    }
}

/// The promise: a replica that died holds nobody up for longer than it would be believed to be there, and the look at it.
#[tokio::test]
async fn a_replica_that_died_is_not_waited_for_long() {
    let two = two().await;
    two.following[1].abort();
    let begun = Instant::now();
    timeout(Duration::from_secs(4), two.here.state.standing.wrote(SHADOW, 1))
        .await
        .unwrap();
    assert!(
        begun.elapsed() > Duration::from_secs(1),
        "it might have believed what it knew"
    );
    until("it believes nothing any more", || !two.there.state.standing.in_touch()).await;
}

/// What may have been missed is not believed: a replica that reaches no database is told when another has missed something.
#[tokio::test]
async fn who_missed_something_tells_the_others() {
    let two = two().await;
    assert_eq!(stands(&two.there, &two.agent).await, Some(true));
    cut(&two.there).await;
    assert_eq!(stands(&two.there, &two.agent).await, Some(true));
    two.here.state.standing.owed.store(true, SeqCst);
    two.here.state.standing.catch_up().await;
    assert_eq!(stands(&two.there, &two.agent).await, None);
}

/// What one replica does not say is read with the next changes.
#[tokio::test]
async fn what_was_written_in_silence_is_noticed() {
    let two = two().await;
    let (agent, key) = ids(&two.agent);
    sqlx::query("UPDATE tenants SET runs_version = 77")
        .execute(&two.here.owner)
        .await
        .unwrap();
    stands(&two.there, &two.agent).await;
    let noticed = || {
        let holder = two.there.state.standing.known_holder(agent, key, Some(NAME));
        holder.is_some_and(|holder| holder.beside.unwrap().runs_version == 77)
    };
    until("the version is read", noticed).await;
}

/// One that says that it ends is not waited for at all.
#[tokio::test]
async fn a_replica_that_left_is_not_waited_for() {
    let two = two().await;
    two.following[1].abort();
    two.there.state.standing.leave().await;
    two.here.state.standing.wrote(SHADOW, 1).await;
}

fn subjects(reading: &changes::Reading) -> Vec<Uuid> {
    let mut subjects: Vec<Uuid> = reading.changes.iter().map(|change| change.subject).collect();
    subjects.sort_unstable();
    subjects
}

/// A transaction that began first and ends last is not passed over.
#[tokio::test]
async fn a_transaction_that_is_open_across_a_reading_is_read_later() {
    let app = TestApp::start().await;
    let (slow, quick) = (ids(&app.agent().await).0.uuid(), ids(&app.agent().await).0.uuid());
    let pool = app.state.database.pool();
    let revoke = "UPDATE agent_keys SET revoked_at = now() WHERE agent_id = $1";
    let begin = changes::read(pool, None).await.unwrap();
    assert_eq!(begin.changes, []);

    let mut open = app.owner.begin().await.unwrap();
    sqlx::query(revoke).bind(slow).execute(&mut *open).await.unwrap();
    sqlx::query(revoke).bind(quick).execute(&app.owner).await.unwrap();
    let mut feed = Feed::default();
    feed.take(None, &begin, Instant::now());
    let during = changes::read(pool, Some(begin.horizon)).await.unwrap();
    assert_eq!(subjects(&during), [quick]);
    let told = feed.take(feed.from(), &during, Instant::now());
    assert_eq!(told, Told::Changed(vec![quick]));

    open.commit().await.unwrap();
    let after = changes::read(pool, Some(during.horizon)).await.unwrap();
    let mut both = vec![slow, quick];
    both.sort_unstable();
    assert_eq!(subjects(&after), both, "the one beyond the horizon is read again");
    let told = feed.take(feed.from(), &after, Instant::now());
    assert_eq!(told, Told::Changed(vec![slow]), "and told once");
    let end = changes::read(pool, Some(after.horizon)).await.unwrap();
    assert_eq!(end.changes, []);
}

#[test]
fn after_a_silence_anything_may_have_changed() {
    let reading = changes::Reading {
        horizon: 7,
        server_started: 1,
        runs_version: 0,
        changes: vec![Change {
            position: 1,
            subject: Uuid::from_u128(1),
        }],
    };
    let mut feed = Feed::default();
    assert_eq!(feed.from(), None);
    let told = feed.take(None, &reading, Instant::now());
    assert_eq!((told, feed.from()), (Told::Anything, Some(7)));
    let told = feed.take(Some(7), &reading, Instant::now());
    assert_eq!(told, Told::Changed(vec![]), "it was told before");
    let other_server = changes::Reading {
        server_started: 2,
        ..reading.clone()
    };
    assert_eq!(feed.take(Some(7), &other_server, Instant::now()), Told::Anything);
    let long_ago = Instant::now() - SILENT - Duration::from_millis(1);
    feed.take(Some(7), &reading, long_ago);
    assert_eq!(feed.from(), None);
}

fn key_of_ada() -> Value {
    json!({"name": "ci", "scopes": ["runs:read", "tenant:read"]})
}

/// People and their programs are known without the database, until another replica tells of their end.
#[tokio::test]
async fn people_and_keys_are_remembered_too() {
    let two = two().await;
    let ada = two.here.person("ada@example.com").await;
    let made = two
        .here
        .as_person(Method::POST, "/v1/me/api-keys", &ada, Some(&key_of_ada()))
        .await;
    let (secret, id) = (made.body["secret"].as_str().unwrap(), made.body["id"].as_str().unwrap());
    let (key, now) = (ApiKey::parse(secret).unwrap().hash(), two.here.state.clock.now());
    let overseer = ada.id.parse().unwrap();
    let name: String =
        sqlx::query_scalar("SELECT t.name FROM tenants AS t JOIN memberships AS m ON m.tenant_id = t.id")
            .fetch_one(&two.here.owner)
            .await
            .unwrap();
    let cookie = sqlx::query_scalar::<_, Vec<u8>>("SELECT token_hash FROM sessions");
    let cookie: [u8; 32] = cookie.fetch_one(&two.here.owner).await.unwrap().try_into().unwrap();
    let there = &two.there.state.standing;
    let known = async || {
        let session = there.find_session(&cookie, now).await.ok()?.is_some();
        let key = there.find_key(&key, now).await.ok()?.is_some();
        let seat = there.find_seat(overseer, &name).await.ok()?.is_some();
        Some((session, key, seat))
    };
    assert_eq!(known().await, Some((true, true, true)));
    cut(&two.there).await;
    assert_eq!(known().await, Some((true, true, true)));
    let later = now + jiff::SignedDuration::from_hours(24 * 365);
    assert_eq!(
        there.find_session(&cookie, later).await.unwrap(),
        None,
        "it has ended by itself"
    );

    let path = format!("/v1/me/api-keys/{id}");
    let revoked = two.here.as_person(Method::DELETE, &path, &ada, None).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert!(there.find_key(&key, now).await.is_err(), "the database would say");
    let out = two.here.as_person(Method::DELETE, "/v1/sessions", &ada, None).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert!(there.find_session(&cookie, now).await.is_err());
}

/// Everything that a remembered answer depends on leaves a change, and what is written all the time does not.
#[tokio::test]
async fn these_leave_a_change() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let (agent, shadow) = (ids(&agent).0.uuid(), SHADOW.uuid());
    let person = app.person("ada@example.com").await;
    let made = app
        .as_person(Method::POST, "/v1/me/api-keys", &person, Some(&key_of_ada()))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
    let of = async |sql: &'static str| -> Uuid { sqlx::query_scalar(sql).fetch_one(&app.owner).await.unwrap() };
    let (ada, key) = (person.id.parse().unwrap(), of("SELECT id FROM api_keys").await);
    let session = of("SELECT id FROM sessions").await;
    let cases = [
        (
            "UPDATE agents SET expires_at = expires_at + interval '1 day'",
            vec![agent],
        ),
        ("UPDATE agents SET ended_at = now()", vec![agent]),
        ("UPDATE agents SET name = 'other'", vec![]),
        ("UPDATE agent_keys SET revoked_at = now()", vec![agent]),
        ("UPDATE agent_keys SET revoked_at = revoked_at", vec![]),
        ("UPDATE tenants SET runs_version = runs_version + 1", vec![]),
        (
            "UPDATE tenants SET deleted_at = now() WHERE name = 'shadow'",
            vec![shadow],
        ),
        ("UPDATE tenants SET name = 'other' WHERE name = 'shadow'", vec![shadow]),
        ("DELETE FROM agents", vec![agent, agent]),
        ("UPDATE sessions SET seen_at = seen_at + interval '1 minute'", vec![]),
        (
            "UPDATE sessions SET expires_at = expires_at - interval '1 minute'",
            vec![session],
        ),
        ("DELETE FROM sessions", vec![session]),
        ("UPDATE api_keys SET used_at = now()", vec![]),
        ("UPDATE api_keys SET scopes = '{runs:read}'", vec![key]),
        ("UPDATE api_keys SET revoked_at = now()", vec![key]),
        ("DELETE FROM api_keys", vec![key]),
        ("UPDATE memberships SET role = 'viewer'", vec![ada]),
        ("DELETE FROM memberships", vec![ada]),
        (
            "UPDATE overseers SET platform_admin = true WHERE kind = 'person'",
            vec![],
        ),
        (
            "UPDATE overseers SET blocked_at = now() WHERE kind = 'person'",
            vec![ada],
        ),
        (
            "UPDATE overseers SET deleted_at = now() WHERE kind = 'person'",
            vec![ada],
        ),
    ];
    for (sql, wanted) in cases {
        assert_eq!(changed(&app, sql).await, wanted, "{sql}");
    }
}

/// Of whom a statement leaves a change. Who follows the changes reads some again while a transaction is open, anywhere on the server: the rows
/// say what is new.
async fn changed(app: &TestApp, sql: &'static str) -> Vec<Uuid> {
    let last = "SELECT coalesce(max(position), 0) FROM changes";
    let before: i64 = sqlx::query_scalar(last).fetch_one(&app.owner).await.unwrap();
    execute(&app.owner, sql).await;
    let new = "SELECT subject_id FROM changes WHERE position > $1 ORDER BY position";
    sqlx::query_scalar(new)
        .bind(before)
        .fetch_all(&app.owner)
        .await
        .unwrap()
}

async fn execute(owner: &PgPool, sql: &'static str) {
    sqlx::query(AssertSqlSafe(sql)).execute(owner).await.unwrap();
}
