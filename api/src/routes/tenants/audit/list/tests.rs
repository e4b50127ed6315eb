use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::testing::{Answer, TestApp, TestPerson};

struct Place {
    app: TestApp,
    ada: TestPerson,
}

impl Place {
    /// A tenant `acme` in which three keys were made.
    async fn new() -> Self {
        let app = TestApp::start().await;
        let ada = app.person("ada@example.com").await;
        let place = Self { app, ada };
        assert_eq!(place.post("/v1/tenants", json!({"name": "acme"})).await.status, 201);
        for name in ["one", "two", "three"] {
            let key = json!({"name": name, "scopes": ["runs:read"]});
            assert_eq!(place.post("/v1/tenants/acme/api-keys", key).await.status, 201);
        }
        place.app.seal().await;
        place
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.app.as_person(Method::POST, path, &self.ada, Some(&body)).await
    }

    async fn get(&self, query: &str) -> Answer {
        let path = format!("/v1/tenants/acme/audit{query}");
        self.app.as_person(Method::GET, &path, &self.ada, None).await
    }
}

fn actions(answer: &Answer) -> Vec<(i64, String)> {
    let events = answer.body["events"].as_array().cloned().unwrap_or_default();
    let of = |event: &Value| {
        let action = event["action"].as_str().unwrap_or_default().to_owned();
        (event["sequence"].as_i64().unwrap_or_default(), action)
    };
    events.iter().map(of).collect()
}

#[tokio::test]
async fn the_newest_comes_first_and_pages_stay_as_they_are() {
    let place = Place::new().await;
    let first = place.get("?limit=1").await;
    let event = &first.body["events"][0];
    let wanted = json!({
        "sequence": 4, "at": "2027-01-15T08:00:00Z", "actor_kind": "overseer", "actor_id": place.ada.id,
        "action": "api_key.create", "target_id": event["target_id"], "request_id": event["request_id"],
        "detail": event["detail"],
    });
    assert_eq!(
        first.told(),
        (200, &json!({"events": [wanted], "next_page_token": "4"}))
    );
    assert!(event["target_id"].is_string() && event["request_id"].is_string());

    let newer = json!({"name": "four", "scopes": ["runs:read"]});
    assert_eq!(place.post("/v1/tenants/acme/api-keys", newer).await.status, 201);
    place.app.seal().await;
    let key = |number| (number, "api_key.create".to_owned());
    let second = place.get("?limit=2&page_token=4").await;
    assert_eq!(actions(&second), [key(3), key(2)]);
    assert_eq!(second.body["next_page_token"], "2");
    let last = place.get("?limit=2&page_token=2").await;
    assert_eq!(actions(&last), [(1, "tenant.create".to_owned())]);
    assert_eq!(last.body["next_page_token"], Value::Null);
}

#[tokio::test]
async fn events_are_found_by_what_they_tell_of() {
    let place = Place::new().await;
    let all = place.get("").await;
    assert_eq!(actions(&all).len(), 4);
    let made = place.get("?action=tenant.create").await;
    assert_eq!(actions(&made), [(1, "tenant.create".to_owned())]);
    let target = all.body["events"][0]["target_id"].as_str().unwrap_or_default();
    let of_target = place.get(&format!("?target_id={target}")).await;
    assert_eq!(actions(&of_target), [(4, "api_key.create".to_owned())]);
    let by_ada = place.get(&format!("?actor_id={}", place.ada.id)).await;
    assert_eq!(actions(&by_ada), actions(&all));
    let by_nobody = place.get("?actor_id=00000000-0000-0000-0000-000000000000").await;
    assert_eq!(by_nobody.told(), (200, &json!({"events": [], "next_page_token": null})));
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_told() {
    let place = Place::new().await;
    for (query, field) in [
        ("?limit=501", "limit"),
        ("?page_token=0", "page_token"),
        ("?page_token=x", "page_token"),
        ("?actor_id=ada", "actor_id"),
    ] {
        let answer = place.get(query).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {:?}", answer.body);
        assert_eq!(answer.body["field"], field, "{query}: {:?}", answer.body);
    }
}

/// As docs/audit.md tells somebody who has the export and nothing of ours.
#[tokio::test]
async fn an_export_can_be_checked_by_anybody() {
    let place = Place::new().await;
    let export = place.get("/export").await;
    assert_eq!(export.header("content-type"), Some("application/jsonl"));
    let text = export.body.as_str().expect("more than one line");
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let head = lines.pop().expect("a last line")["head"].clone();
    let mut before = vec![0; 32];
    for (number, line) in (1_i64..).zip(&lines) {
        let event = line["event"].as_str().expect("a text");
        let hashed = [
            b"pinfold-audit-link-v1\0".as_slice(),
            &before,
            &number.to_be_bytes(),
            event.as_bytes(),
        ]
        .concat();
        before = digest(&SHA256, &hashed).as_ref().to_vec();
        let hash = before
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        assert_eq!((&line["sequence"], &line["hash"]), (&json!(number), &json!(hash)));
    }
    let tenant: Value = serde_json::from_str(lines[0]["event"].as_str().unwrap_or_default()).expect("an event");
    assert_eq!(
        (&tenant["action"], &tenant["actor_id"]),
        (&json!("tenant.create"), &json!(place.ada.id))
    );
    let wanted = json!({
        "chain": tenant["target_id"], "count": 4, "hash": lines[3]["hash"], "at": 1_800_000_000_000_000_i64,
        "signature": head["signature"],
    });
    assert_eq!(head, wanted);
}
