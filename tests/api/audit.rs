//! The audit as whoever runs the service looks at it.

use std::fs;

use serde_json::Value;
use sqlx::{Connection as _, Executor as _, PgConnection};
use support::api::{Agent, Service, database, migrate, run, settings};

#[tokio::test]
async fn verify_audit_says_whether_the_audit_is_whole() {
    let database = database().await;
    migrate(&database).await;
    let settings = settings(&database);
    let service = Service::start(&settings).await;
    Agent::register(&service.client, "scout").await;
    // The head leaves the database by the log, and the log is what is compared with later.
    let line = service
        .logged("a head in the log", |line| line["message"] == "audit head")
        .await;
    let folder = tempfile::tempdir().expect("a folder");
    let heads = folder.path().join("service.log");
    fs::write(&heads, service.log()).expect("keep the log");
    let head: Value = serde_json::from_str(line["head"].as_str().unwrap_or_default()).expect("a head");
    let chain = head["chain"].as_str().unwrap_or_default();
    let verify = async || {
        let arguments = ["verify-audit", "--heads", heads.to_str().expect("a path")];
        let ended = run(&arguments, &settings).await;
        let told = [ended.stdout, ended.stderr].concat();
        (ended.status.code(), String::from_utf8_lossy(&told).into_owned())
    };
    let whole = format!(
        "{chain}: 1 events, whole\nthe audit is whole; 1 earlier heads were compared\nheads are signed with the Ed25519 key "
    );
    let (code, told) = verify().await;
    assert_eq!((code, told.starts_with(&whole)), (Some(0), true), "{told}");

    let mut superuser = PgConnection::connect(database.as_str()).await.expect("connect");
    superuser
        .execute("UPDATE audit_events SET action = 'agent.nothing'")
        .await
        .expect("tamper");
    let changed = format!(
        "error: the audit is not whole, 1 findings:\n{chain}: 1 events\n  event 1 was changed, or one before it removed or moved\n"
    );
    assert_eq!(verify().await, (Some(1), changed));
}
