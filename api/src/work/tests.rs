use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::{
    store::jobs::{self, NewJob},
    testing::{START, TestApp},
    work::{ATTEMPTS, LONGEST, pause},
};

const LEASE: SignedDuration = SignedDuration::from_secs(60);

async fn store(app: &TestApp, kind: &'static str, subject: u128) {
    let mut tx = app.state.database.platform().await.unwrap();
    let job = NewJob {
        kind,
        subject: Uuid::from_u128(subject),
        payload: json!({}),
        at: app.state.clock.now(),
    };
    jobs::insert(&mut tx, &job).await.unwrap();
    tx.commit().await.unwrap();
}

async fn take(app: &TestApp) -> Vec<jobs::Held> {
    let pool = app.state.database.pool();
    let mut taken = jobs::take(pool, 100, LEASE, app.state.clock.now()).await.unwrap();
    taken.sort_by_key(|job| job.position);
    taken
}

#[tokio::test]
async fn jobs_of_a_subject_are_done_in_order_and_others_beside_them() {
    let app = TestApp::start().await;
    for (kind, subject) in [("a.b", 1), ("a.b", 1), ("a.b", 2), ("a.c", 1)] {
        store(&app, kind, subject).await;
    }
    let first = take(&app).await;
    let which: Vec<_> = first
        .iter()
        .map(|job| (job.kind.as_str(), job.subject.as_u128(), job.attempts, job.epoch))
        .collect();
    assert_eq!(which, [("a.b", 1, 1, 1), ("a.b", 2, 1, 1), ("a.c", 1, 1, 1)]);
    assert_eq!(take(&app).await, []);
    let pool = app.state.database.pool();
    assert!(jobs::finish(pool, &first[0]).await.unwrap());
    let second = take(&app).await;
    assert_eq!(second.len(), 1);
    assert!(second[0].position > first[0].position);
}

/// AP-16: a worker that died, and one that only thought it held the job.
#[tokio::test]
async fn a_lost_lease_is_taken_over_and_its_old_holder_ends_nothing() {
    let app = TestApp::start().await;
    store(&app, "a.b", 1).await;
    let old = take(&app).await.remove(0);
    app.wait(60);
    let new = take(&app).await.remove(0);
    assert_eq!((new.position, new.attempts, new.epoch), (old.position, 2, 2));
    let pool = app.state.database.pool();
    let now = app.state.clock.now();
    assert!(!jobs::finish(pool, &old).await.unwrap());
    jobs::fail(pool, &old, "late", None, now).await.unwrap();
    assert_eq!(jobs::count(pool).await.unwrap(), jobs::Counts { waiting: 1, dead: 0 });
    assert!(jobs::finish(pool, &new).await.unwrap());
    assert_eq!(jobs::count(pool).await.unwrap(), jobs::Counts { waiting: 0, dead: 0 });
}

/// Whoever says that they are still at it keeps the job, and whoever came too late does not get it back.
#[tokio::test]
async fn a_lease_is_kept_as_long_as_it_is_renewed() {
    let app = TestApp::start().await;
    store(&app, "test.kept", 1).await;
    let held = take(&app).await;
    let renew = async |job: &jobs::Held| {
        let renewed = jobs::renew(app.state.database.pool(), job, LEASE, app.state.clock.now());
        renewed.await.unwrap()
    };
    for _ in 0..3 {
        app.wait(59);
        assert!(renew(&held[0]).await);
        assert_eq!(take(&app).await, []);
    }
    app.wait(60);
    let other = take(&app).await;
    assert_eq!((other.len(), other[0].position), (1, held[0].position));
    assert!(!renew(&held[0]).await);
    assert!(renew(&other[0]).await);
}

#[tokio::test]
async fn many_workers_take_each_job_once() {
    let app = TestApp::start().await;
    for subject in 0..200 {
        store(&app, "a.b", subject).await;
    }
    let now = Timestamp::from_second(START).unwrap();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let pool = app.state.database.pool().clone();
        workers.spawn(async move {
            let mut mine = Vec::new();
            loop {
                let taken = jobs::take(&pool, 7, LEASE, now).await.unwrap();
                if taken.is_empty() {
                    return mine;
                }
                mine.extend(taken.into_iter().map(|job| job.position));
            }
        });
    }
    let mut all: Vec<i64> = workers.join_all().await.into_iter().flatten().collect();
    all.sort_unstable();
    let before = all.len();
    all.dedup();
    assert_eq!((before, all.len()), (200, 200));
}

#[tokio::test]
async fn what_fails_is_tried_less_and_less_often_and_then_given_up() {
    let app = TestApp::start().await;
    // No release knows this kind.
    store(&app, "a.b", 1).await;
    let folder = tempfile::tempdir().unwrap();
    let worker = app.worker(folder.path());
    for attempt in 1..=ATTEMPTS {
        worker.drain().await;
        let row: (i32, Option<String>, bool) =
            sqlx::query_as("SELECT attempts, last_error, dead_at IS NOT NULL FROM jobs")
                .fetch_one(&app.owner)
                .await
                .unwrap();
        let wanted = Some("this release does not know jobs of kind a.b".to_owned());
        assert_eq!(row, (attempt, wanted, attempt == ATTEMPTS));
        app.wait(LONGEST);
    }
    worker.drain().await;
    assert_eq!(
        jobs::count(app.state.database.pool()).await.unwrap(),
        jobs::Counts { waiting: 0, dead: 1 }
    );
    // What was given up is in nobody's way.
    store(&app, "a.b", 1).await;
    assert_eq!(take(&app).await.len(), 1);
}

#[test]
fn a_pause_grows_to_two_hours_and_is_never_below_half() {
    for attempt in 1..40 {
        let whole = 2_i64.pow(u32::try_from(attempt - 1).unwrap().min(13)).min(LONGEST) * 1000;
        let milliseconds = i64::try_from(pause(attempt).as_millis()).unwrap();
        assert!(
            (whole / 2..=whole).contains(&milliseconds),
            "{attempt}: {milliseconds} of {whole}"
        );
    }
}

/// Without a cluster the tenant waits for one, and nothing is lost.
#[tokio::test]
async fn a_tenant_waits_for_its_cluster() {
    let app = TestApp::start().await;
    app.person("ada@example.com").await;
    app.wait(3600);
    app.mail().await;
    let row: (String, i32, String) = sqlx::query_as("SELECT kind, attempts, last_error FROM jobs")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    let error = "there is no cluster to make the tenant in".to_owned();
    assert_eq!(row, ("tenant.apply".to_owned(), row.1, error));
    assert!(row.1 >= 1, "{row:?}");
}
