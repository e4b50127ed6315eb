//! What the program says of itself to whoever watches it.

use std::collections::BTreeMap;

use serde_json::json;
use support::{
    api::{Agent, Service},
    wait,
};

/// The series whose names begin like this, without buckets and times.
async fn series(service: &Service, prefix: &str) -> BTreeMap<String, u64> {
    let answer = service.admin.get("/metrics", None).await;
    assert_eq!(answer.status, 200);
    let text = answer.body.as_str().unwrap_or_default().to_owned();
    let lines = text.lines().filter(|line| line.starts_with(prefix));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.to_owned(), value.parse().expect("a number")))
        .collect()
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_what_a_client_invents() {
    let service = Service::new().await;
    let client = &service.client;
    Agent::register(client, "scout").await;
    for _ in 0..2 {
        assert_eq!(client.get("/v1/me", None).await.status, 401);
    }
    for path in ["/v1/nothing", "/wp-login.php", "/v1/tenants/x/none"] {
        assert_eq!(client.get(path, None).await.status, 404);
    }
    assert_eq!(client.get("/v1/tenants/acme/runs", None).await.status, 401);
    let of = |method: &str, route: &str, status: u16| {
        format!(r#"pinfold_api_requests_total{{method="{method}",route="{route}",status="{status}"}}"#)
    };
    let wanted = BTreeMap::from([
        (of("POST", "/v1/agents", 201), 1),
        (of("GET", "/v1/me", 401), 2),
        (of("GET", "/v1/tenants/{tenant}/runs", 401), 1),
        (of("GET", "none", 404), 3),
    ]);
    assert_eq!(series(&service, "pinfold_api_requests_total").await, wanted);
    let timed = series(&service, "pinfold_api_request_duration_seconds_count").await;
    assert_eq!(timed.values().sum::<u64>(), 7);
    let under_way = series(&service, "pinfold_api_requests_in_flight").await;
    assert_eq!(
        under_way,
        BTreeMap::from([("pinfold_api_requests_in_flight".to_owned(), 0)])
    );
}

#[tokio::test]
async fn what_is_done_behind_requests_is_counted() {
    let service = Service::new().await;
    Agent::register(&service.client, "scout").await;
    wait::until_true("the registration has its number in the audit", async || {
        let numbered = series(&service, "pinfold_api_audit_events_numbered_total").await;
        numbered.values().sum::<u64>() >= 1
    })
    .await;
    let connections = series(&service, "pinfold_api_database_connections").await;
    let names: Vec<&str> = connections.keys().map(String::as_str).collect();
    let of = ["idle", "used"].map(|state| format!(r#"pinfold_api_database_connections{{state="{state}"}}"#));
    assert_eq!(names, of);
    wait::until_true("the jobs were counted", async || {
        let jobs = series(&service, "pinfold_api_jobs{").await;
        json!(jobs) == json!({r#"pinfold_api_jobs{state="dead"}"#: 0, r#"pinfold_api_jobs{state="waiting"}"#: 0})
    })
    .await;
}
