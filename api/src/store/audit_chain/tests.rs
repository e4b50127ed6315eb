use super::*;
use crate::{
    store::audit::{self, Actor, Event},
    testing::TestApp,
};

/// Events in each of two chains; the last of them wait for their numbers.
const EVENTS: i32 = 3_000;
const WAITING: i32 = 20;

/// A service with a long chain of a tenant and a long one of no tenant, which PostgreSQL has counted, or has not yet.
async fn long_chains(counted: bool) -> (TestApp, TenantId) {
    let app = TestApp::start().await;
    let tenant = TenantId::from_u128(7);
    sqlx::query(
        "INSERT INTO tenants (id, name, kind, plan, created_at) VALUES ($1, 'long', 'team', 'standard', now())",
    )
    .bind(tenant.uuid())
    .execute(&app.owner)
    .await
    .unwrap();
    for of in [Some(tenant.uuid()), None] {
        sqlx::query(
            "WITH made AS (
                INSERT INTO audit_events (tenant_id, at, actor_kind, action, request_id, detail)
                SELECT $1, now(), 'system', 'a.b', n::text, '{}' FROM generate_series(1, $2) AS n
                RETURNING id, request_id::integer AS n
            ), sealed AS (
                INSERT INTO audit_seals (tenant_id, sequence, event_id, hash)
                SELECT $1, n, id, sha256('x') FROM made WHERE n <= $2 - $3
            )
            INSERT INTO audit_unsealed (tenant_id, event_id) SELECT $1, id FROM made WHERE n > $2 - $3",
        )
        .bind(of)
        .bind(EVENTS)
        .bind(WAITING)
        .execute(&app.owner)
        .await
        .unwrap();
    }
    if counted {
        sqlx::query("ANALYZE audit_events, audit_seals, audit_unsealed")
            .execute(&app.owner)
            .await
            .unwrap();
    }
    (app, tenant)
}

/// Rows of the audit that this transaction has read.
async fn rows_read(tx: &mut impl Scope) -> i64 {
    sqlx::query_scalar(
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables WHERE relname LIKE 'audit\\_%'",
    )
    .fetch_one(tx.connection())
    .await
    .unwrap()
}

/// While many things are done nothing is counted yet, and the chains grow.
#[tokio::test]
async fn the_queue_is_short_before_postgresql_has_counted() {
    let (app, tenant) = long_chains(false).await;
    let mut tx = app.state.database.tenant(tenant).await.unwrap();
    assert!(lock(&mut tx).await.unwrap());
    let before = rows_read(&mut tx).await;
    let (waiting, gone) = take(&mut tx, 1_000).await.unwrap();
    assert_eq!((waiting.len(), gone), (usize::try_from(WAITING).unwrap(), vec![]));
    let read = rows_read(&mut tx).await - before;
    assert!((1..=100).contains(&read), "read {read}");
}

#[tokio::test]
async fn a_question_reads_what_it_answers_however_long_the_chains_are() {
    let (app, tenant) = long_chains(true).await;
    let sealed = i64::from(EVENTS - WAITING);
    for of in [Some(tenant), None] {
        let mut tx = app.state.database.any(of).await.unwrap();

        let end = last(&mut tx).await.unwrap().map(|(sequence, _)| sequence);
        assert_eq!(end, Some(sealed));
        let first = rows_read(&mut tx).await;

        let (waiting, _) = take(&mut tx, 1_000).await.unwrap();
        assert_eq!(waiting.len(), usize::try_from(WAITING).unwrap());
        let second = rows_read(&mut tx).await;

        let places = after(&mut tx, 1_000, 10).await.unwrap();
        let numbers: Vec<i64> = places.iter().map(|place| place.sequence).collect();
        assert_eq!(numbers, (1_001..=1_010).collect::<Vec<_>>());
        let third = rows_read(&mut tx).await;

        let filter = Filter {
            before: 2_000,
            action: None,
            actor: None,
            target: None,
            most: 10,
        };
        let shown = newest(&mut tx, filter).await.unwrap();
        let numbers: Vec<i64> = shown.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(numbers, (1_990..2_000).rev().collect::<Vec<_>>());
        let fourth = rows_read(&mut tx).await;
        tx.commit().await.unwrap();

        let read = [first, second - first, third - second, fourth - third];
        // The queue is short, of both chains, and may be read as a whole; an event is read with its place, and an index answers a few
        // rows more than are wanted. A chain has thousands.
        let most = [1, 100, 50, 50];
        assert!(
            read.iter().zip(most).all(|(read, most)| (1..=most).contains(read)),
            "{of:?}: read {read:?}, at most {most:?}"
        );
    }
}

/// The requests of the events that are taken out of the queue, when so many are enough each time.
async fn taken(tx: &mut impl Scope, enough: &[i64]) -> Vec<String> {
    let mut all = Vec::new();
    for enough in enough {
        let (events, gone) = take(tx, *enough).await.unwrap();
        assert_eq!(gone, Vec::<i64>::new());
        all.push(events.into_iter().map(|event| event.request_id).collect());
    }
    all
}

/// As tokens are recorded that are asked for at once, and as a replica of the release before records one.
#[tokio::test]
async fn what_was_stored_together_is_numbered_together() {
    let (app, tenant) = long_chains(false).await;
    let mut tx = app.state.database.tenant(tenant).await.unwrap();
    sqlx::query("DELETE FROM audit_unsealed")
        .execute(tx.connection())
        .await
        .unwrap();
    for together in [&["a", "b", "c"][..], &["d"], &["e", "f"], &[]] {
        let events: Vec<Event<'_>> = together
            .iter()
            .map(|name| Event {
                at: app.state.clock.now(),
                actor: Actor::System,
                action: "a.b",
                target: Uuid::nil(),
                request_id: name,
                detail: json!({}),
            })
            .collect();
        audit::append_all(&mut tx, &events).await.unwrap();
    }
    let alone = "WITH event AS (INSERT INTO audit_events (tenant_id, at, actor_kind, action, request_id, detail) \
                 VALUES ($1, now(), 'system', 'a.b', 'g', '{}') RETURNING id) \
                 INSERT INTO audit_unsealed (tenant_id, event_id) SELECT $1, id FROM event";
    sqlx::query(alone)
        .bind(tenant.uuid())
        .execute(tx.connection())
        .await
        .unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_unsealed")
        .fetch_one(tx.connection())
        .await
        .unwrap();
    assert_eq!(rows, 4);
    // These wait; those that were taken out of the queue at first do not.
    assert_eq!(lost(&mut tx).await.unwrap().len(), usize::try_from(WAITING).unwrap());

    // So many, and what was stored together with the last.
    sqlx::query("SAVEPOINT whole").execute(tx.connection()).await.unwrap();
    assert_eq!(taken(&mut tx, &[2, 2, 500, 500]).await, ["abc", "def", "g", ""]);
    sqlx::query("ROLLBACK TO whole").execute(tx.connection()).await.unwrap();

    // As that replica adopts what it knows of no place for, twice; and once what has its number.
    for sql in [
        "INSERT INTO audit_unsealed (tenant_id, event_id) SELECT tenant_id, unnest(others) FROM audit_unsealed",
        "INSERT INTO audit_unsealed (tenant_id, event_id) SELECT tenant_id, event_id FROM audit_seals ORDER BY sequence LIMIT 1",
    ] {
        sqlx::query(sql).execute(tx.connection()).await.unwrap();
    }
    assert_eq!(taken(&mut tx, &[500, 500]).await, ["abcdefg", ""]);
}
