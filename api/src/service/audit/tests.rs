use std::collections::BTreeMap;

use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};

use super::*;
use crate::{
    auth::seal::MasterKey,
    store::audit::{self, Actor, Event},
    testing::TestApp,
};

/// A service with a tenant that has so many events, numbered, and the head that tells of them.
struct Place {
    app: TestApp,
    tenant: TenantId,
    head: Head,
}

impl Place {
    async fn with_events(count: usize) -> Self {
        let app = TestApp::start().await;
        let tenant = new_tenant(&app.owner).await;
        for number in 0..count {
            append(&app, tenant, &format!("request-{number}")).await;
        }
        let heads = app.seal().await;
        let head = heads.into_iter().find(|head| head.chain == tenant.to_string());
        Self {
            head: head.expect("a head"),
            tenant,
            app,
        }
    }

    /// Does something that only the owner of the tables can.
    async fn tamper(&self, statement: &str) {
        let statement = statement.replace("$tenant", &self.tenant.to_string());
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&self.app.owner)
            .await
            .expect("tamper");
    }

    async fn findings(&self, known: &[Head]) -> Vec<Finding> {
        let state = &self.app.state;
        let reports = verify(&state.database, &state.audit_signer, known).await.unwrap();
        let own = reports
            .into_iter()
            .filter(|report| report.chain == self.tenant.to_string());
        own.flat_map(|report| report.findings).collect()
    }
}

async fn new_tenant(owner: &PgPool) -> TenantId {
    let id = TenantId::new(Timestamp::now(), crate::auth::random::random().unwrap());
    let statement = format!(
        "INSERT INTO tenants (id, name, kind, plan, created_at) VALUES ('{id}', 't-{id}', 'team', 'standard', now())"
    );
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(owner).await.unwrap();
    id
}

fn event<'a>(app: &TestApp, request_id: &'a str) -> Event<'a> {
    Event {
        at: app.state.clock.now(),
        actor: Actor::System,
        action: "run.create",
        target: uuid::Uuid::nil(),
        request_id,
        detail: json!({"z": 1.5, "a": {"c": [1, null], "b": "ü\n"}}),
    }
}

async fn append(app: &TestApp, tenant: TenantId, request_id: &str) {
    let mut tx = app.state.database.tenant(tenant).await.unwrap();
    audit::append(&mut tx, &event(app, request_id)).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn every_event_has_its_number_and_the_chain_is_whole() {
    let place = Place::with_events(3).await;
    assert_eq!(place.head.count, 3);
    assert_eq!(place.findings(std::slice::from_ref(&place.head)).await, []);
    append(&place.app, place.tenant, "later").await;
    assert_eq!(place.findings(&[]).await, [], "an event that waits is no finding");
    let heads = place.app.seal().await;
    assert_eq!(heads.iter().map(|head| head.count).collect::<Vec<_>>(), [4]);
    assert_eq!(place.findings(&[place.head.clone(), heads[0].clone()]).await, []);
    assert_eq!(place.app.seal().await, [], "nothing waits any more");
}

/// More than one batch, and the events of accounts beside those of a tenant.
#[tokio::test]
async fn a_long_chain_is_numbered_in_batches() {
    let app = TestApp::start().await;
    let tenant = new_tenant(&app.owner).await;
    let mut tx = app.state.database.tenant(tenant).await.unwrap();
    for _ in 0..=BATCH {
        audit::append(&mut tx, &event(&app, "many")).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = app.state.database.platform().await.unwrap();
    audit::append(&mut tx, &event(&app, "account")).await.unwrap();
    tx.commit().await.unwrap();
    let counts: BTreeMap<String, i64> = app
        .seal()
        .await
        .into_iter()
        .map(|head| (head.chain, head.count))
        .collect();
    let wanted = [(tenant.to_string(), BATCH + 1), ("platform".to_owned(), 1)];
    assert_eq!(counts, BTreeMap::from(wanted));
    let reports = verify(&app.state.database, &app.state.audit_signer, &[]).await.unwrap();
    let told: BTreeMap<String, (i64, Vec<Finding>)> = reports
        .into_iter()
        .map(|report| (report.chain, (report.count, report.findings)))
        .collect();
    let wanted = counts.into_iter().map(|(chain, count)| (chain, (count, vec![])));
    assert_eq!(told, wanted.collect());
}

/// Replicas number at the same time; no number is given twice and none is left out.
#[tokio::test(flavor = "multi_thread")]
async fn many_number_at_once() {
    let place = Place::with_events(1).await;
    let replicas: Vec<TestApp> = (0..4).map(|_| place.app.replica()).collect();
    let writers = (0..12).map(|number| {
        let (app, tenant) = (&replicas[number % 4], place.tenant);
        async move {
            append(app, tenant, &format!("at-once-{number}")).await;
            app.seal().await;
        }
    });
    futures::future::join_all(writers).await;
    place.app.seal().await;
    assert_eq!(place.findings(std::slice::from_ref(&place.head)).await, []);
    let state = &place.app.state;
    let reports = verify(&state.database, &state.audit_signer, &[]).await.unwrap();
    assert_eq!(reports[0].count, 13);
}

/// The order of ids is not the order of commits.
#[tokio::test]
async fn an_event_that_commits_late_is_numbered_late() {
    let place = Place::with_events(1).await;
    let (app, tenant) = (&place.app, place.tenant);
    let mut late = app.state.database.tenant(tenant).await.unwrap();
    audit::append(&mut late, &event(app, "late")).await.unwrap();
    append(app, tenant, "early").await;
    assert_eq!(app.seal().await[0].count, 2);
    late.commit().await.unwrap();
    assert_eq!(app.seal().await[0].count, 3);
    assert_eq!(place.findings(&[]).await, []);
    let order: Vec<String> = sqlx::query_scalar(
        "SELECT request_id FROM audit_events JOIN audit_seals ON event_id = id WHERE audit_seals.tenant_id = $1 ORDER BY sequence",
    )
    .bind(tenant.uuid())
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert_eq!(order, ["request-0", "early", "late"]);
}

/// Each way to tamper, and what shows it, without and with the head that left the database.
#[tokio::test]
async fn whatever_is_done_to_the_rows_is_found() {
    const OF: &str = "(SELECT event_id FROM audit_seals WHERE tenant_id = '$tenant' AND sequence = 2)";
    let gone = "DELETE FROM audit_seals WHERE tenant_id = '$tenant' AND sequence";
    let shorter = |is| Finding::Shorter { was: 3, is };
    let cases = [
        (
            format!("UPDATE audit_events SET detail = '{{}}' WHERE id = {OF}"),
            vec![Finding::Changed(2)],
        ),
        (
            format!("UPDATE audit_events SET at = at + interval '1 microsecond' WHERE id = {OF}"),
            vec![Finding::Changed(2)],
        ),
        (
            format!("UPDATE audit_events SET actor_kind = 'agent' WHERE id = {OF}"),
            vec![Finding::Changed(2)],
        ),
        (
            // Of somebody else's now: here it is gone, and there it has no number.
            format!("UPDATE audit_events SET tenant_id = NULL WHERE id = {OF}"),
            vec![Finding::Removed(2)],
        ),
        (
            format!("DELETE FROM audit_events WHERE id = {OF}"),
            vec![Finding::Removed(2)],
        ),
        (
            format!("{gone} = 2"),
            vec![Finding::Missing(2), Finding::Changed(3), Finding::Unnumbered(vec![])],
        ),
        (format!("{gone} = 3"), vec![shorter(2), Finding::Unnumbered(vec![])]),
        (
            // The next one takes its number.
            format!("{gone} = 2; UPDATE audit_seals SET sequence = 2 WHERE tenant_id = '$tenant' AND sequence = 3"),
            vec![Finding::Changed(2), shorter(2), Finding::Unnumbered(vec![])],
        ),
        (
            "UPDATE audit_seals SET sequence = 5 - sequence + 10 WHERE tenant_id = '$tenant' AND sequence > 1; \
             UPDATE audit_seals SET sequence = sequence - 10 WHERE tenant_id = '$tenant' AND sequence > 10"
                .to_owned(),
            vec![Finding::Changed(2), Finding::Changed(3), Finding::Head(3)],
        ),
        (
            "DELETE FROM audit_heads WHERE tenant_id = '$tenant'".to_owned(),
            vec![Finding::NoHead],
        ),
        (
            "UPDATE audit_heads SET count = 2 WHERE tenant_id = '$tenant'".to_owned(),
            vec![Finding::Unsigned(2), Finding::Head(2)],
        ),
    ];
    for (statement, wanted) in cases {
        let place = Place::with_events(3).await;
        place.tamper(&statement).await;
        let mut found = place.findings(&[]).await;
        for finding in &mut found {
            // Which row that was is no matter here.
            if let Finding::Unnumbered(ids) = finding {
                assert_eq!(ids.len(), 1, "{statement}");
                ids.clear();
            }
        }
        assert_eq!(found, wanted, "{statement}");
    }
}

/// Who can do anything to the database, but has not the master key.
#[tokio::test]
async fn a_chain_that_was_made_anew_shows_by_what_left_the_database() {
    let place = Place::with_events(3).await;
    let forger = Signer::new(&MasterKey::new([9; 32])).unwrap();
    place
        .tamper(
            "DELETE FROM audit_seals WHERE tenant_id = '$tenant'; DELETE FROM audit_heads WHERE tenant_id = '$tenant'; \
             UPDATE audit_events SET request_id = 'harmless' WHERE tenant_id = '$tenant'; \
             INSERT INTO audit_unsealed SELECT id, tenant_id FROM audit_events WHERE tenant_id = '$tenant'",
        )
        .await;
    let database = &place.app.state.database;
    seal(database, &forger, Some(place.tenant), place.app.state.clock.now())
        .await
        .unwrap();
    assert_eq!(place.findings(&[]).await, [Finding::Unsigned(3)]);
    // The service does not go on from there, which would make it its own; others' chains go on.
    append(&place.app, place.tenant, "later").await;
    let other = new_tenant(&place.app.owner).await;
    append(&place.app, other, "other").await;
    let heads = place.app.seal().await;
    assert_eq!(
        heads.iter().map(|head| head.chain.clone()).collect::<Vec<_>>(),
        [other.to_string()]
    );
    assert_eq!(place.findings(&[]).await, [Finding::Unsigned(3)]);

    // With the service's own key, as a service would that was given the forged rows, only the earlier head tells.
    place
        .tamper("UPDATE audit_events SET request_id = 'worse' WHERE tenant_id = '$tenant'; DELETE FROM audit_seals WHERE tenant_id = '$tenant'; \
                 DELETE FROM audit_heads WHERE tenant_id = '$tenant'; \
                 INSERT INTO audit_unsealed SELECT id, tenant_id FROM audit_events WHERE tenant_id = '$tenant' \
                 ON CONFLICT DO NOTHING")
        .await;
    place.app.seal().await;
    assert_eq!(place.findings(&[]).await, []);
    let known = std::slice::from_ref(&place.head);
    assert_eq!(place.findings(known).await, [Finding::Replaced(3)]);
}

/// As a replica of the release before stores them, or as somebody leaves them who empties the queue.
#[tokio::test]
async fn events_that_wait_for_no_number_are_found() {
    let place = Place::with_events(2).await;
    append(&place.app, place.tenant, "forgotten").await;
    place
        .tamper("DELETE FROM audit_unsealed WHERE tenant_id = '$tenant'")
        .await;
    assert_eq!(place.app.seal().await, []);
    assert!(matches!(place.findings(&[]).await[..], [Finding::Unnumbered(_)]));
    let database = &place.app.state.database;
    assert_eq!(adopt(database).await.unwrap(), 1);
    assert_eq!(adopt(database).await.unwrap(), 0);
    assert_eq!(place.app.seal().await[0].count, 3);
    assert_eq!(place.findings(&[]).await, []);
}

/// Everything of a tenant is gone, and all that is left is what left the database before.
#[tokio::test]
async fn a_chain_that_is_gone_shows_by_what_left_the_database() {
    let place = Place::with_events(3).await;
    place
        .tamper(
            "DELETE FROM audit_seals WHERE tenant_id = '$tenant'; DELETE FROM audit_heads WHERE tenant_id = '$tenant'; \
             DELETE FROM audit_events WHERE tenant_id = '$tenant'",
        )
        .await;
    assert_eq!(place.findings(&[]).await, []);
    let known = std::slice::from_ref(&place.head);
    assert_eq!(place.findings(known).await, [Finding::Shorter { was: 3, is: 0 }]);
    let mut forged = place.head.clone();
    forged.count = 30;
    assert_eq!(place.findings(&[forged]).await, [Finding::Unsigned(30)]);
}
