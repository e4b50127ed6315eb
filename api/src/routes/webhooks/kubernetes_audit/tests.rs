use axum::http::Method;
use serde_json::{Value, json};

use crate::testing::{Answer, TestApp};

const TOKEN: &str = "a token of at least thirty-two bytes";
const UID: &str = "0198c5b4-5a0e-4000-8000-00000000000c";

async fn app() -> TestApp {
    let app = TestApp::start().await;
    app.with_settings(&[("PINFOLD_KUBERNETES_AUDIT_TOKEN", TOKEN.to_owned())])
}

async fn send(app: &TestApp, items: &[Value]) -> Answer {
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items});
    app.with_token(Method::POST, "/webhooks/kubernetes-audit", TOKEN, Some(&list))
        .await
}

/// What was stored, in order: version, user, as whom, request.
async fn stored(app: &TestApp) -> Vec<(String, i64, String, Option<String>, String)> {
    sqlx::query_as(
        "SELECT resource_id::text, version, user_name, acting_as, request_id FROM cluster_requests ORDER BY version, resource_id",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap()
}

fn event(more: Value) -> Value {
    let mut event = json!({
        "level": "RequestResponse", "auditID": "a-1", "stage": "ResponseComplete", "requestURI": "/apis/pinfold.dev/v1alpha1/...",
        "verb": "patch", "user": {"username": "jane", "groups": ["system:authenticated"]}, "sourceIPs": ["10.0.0.1"],
        "objectRef": {"resource": "sandboxruns", "namespace": "tenant-acme", "name": "answer", "apiGroup": "pinfold.dev"},
        "responseStatus": {"metadata": {}, "code": 200},
        "responseObject": {"kind": "SandboxRun", "metadata": {"uid": UID, "resourceVersion": "17"}},
        "requestReceivedTimestamp": "2027-01-15T08:00:00.123456Z", "stageTimestamp": "2027-01-15T08:00:00.200000Z",
    });
    let Value::Object(more) = more else { unreachable!() };
    event.as_object_mut().unwrap().extend(more);
    event
}

#[tokio::test]
async fn keeps_who_made_which_version_of_our_resources() {
    let app = app().await;
    let (two, three) = (UID.replace('c', "d"), UID.replace('c', "e"));
    let sent = [
        event(json!({})),
        event(json!({"auditID": "a-2", "impersonatedUser": {"username": "deploy"},
                     "responseObject": {"metadata": {"uid": UID, "resourceVersion": "18"}}})),
        event(
            json!({"auditID": "a-3", "verb": "delete", "responseObject": {"kind": "Status", "details": {"uid": UID}}}),
        ),
        event(
            json!({"auditID": "a-4", "verb": "deletecollection", "user": {"username": "controller"},
                     "responseObject": {"items": [{"metadata": {"uid": two}}, {"metadata": {"uid": three}}]}}),
        ),
        event(
            json!({"auditID": "a-5\u{0}", "user": {"username": "jane\u{0}"}, "requestObject": [{"op": "test"}, {"op": "add"}],
                     "objectRef": {"apiGroup": "pinfold.dev", "resource": "agents", "subresource": "scale"},
                     "responseObject": {"kind": "Scale", "metadata": {"uid": UID, "resourceVersion": "19"}}}),
        ),
        // Nobody tries by what stands in a resource.
        event(json!({"auditID": "a-6", "requestObject": {"dryRun": ["All"]},
                     "responseObject": {"metadata": {"uid": UID, "resourceVersion": "20"}}})),
    ];
    assert_eq!(send(&app, &sent).await.status, 204);
    let row = |id: &str, version, user: &str, acting_as: Option<&str>, request: &str| {
        (
            id.to_owned(),
            version,
            user.to_owned(),
            acting_as.map(str::to_owned),
            request.to_owned(),
        )
    };
    let wanted = [
        row(UID, 0, "jane", None, "a-3"),
        row(&two, 0, "controller", None, "a-4"),
        row(&three, 0, "controller", None, "a-4"),
        row(UID, 17, "jane", None, "a-1"),
        row(UID, 18, "jane", Some("deploy"), "a-2"),
        row(UID, 19, "jane", None, "a-5"),
        row(UID, 20, "jane", None, "a-6"),
    ];
    assert_eq!(stored(&app).await, wanted);
    assert_eq!(send(&app, &sent).await.status, 204, "sent again");
    assert_eq!(stored(&app).await, wanted);
}

#[tokio::test]
async fn passes_over_what_changed_nothing_of_ours() {
    let app = app().await;
    let sent = [
        event(json!({"verb": "get"})),
        event(json!({"stage": "RequestReceived"})),
        event(json!({"responseStatus": {"code": 403}})),
        event(json!({"objectRef": {"resource": "pods", "apiGroup": ""}})),
        event(json!({"objectRef": {"resource": "sandboxruns", "apiGroup": "pinfold.dev", "subresource": "status"}})),
        event(json!({"responseObject": null})),
        event(json!({"requestURI": "/apis/pinfold.dev/v1alpha1/x?fieldManager=y&dryRun=%41ll"})),
        event(json!({"verb": "delete", "requestObject": {"kind": "DeleteOptions", "dryRun": ["All"]}})),
        event(json!({"requestReceivedTimestamp": "yesterday"})),
        json!({"verb": "get"}),
        event(json!({"responseObject": {"metadata": {"uid": "no UID", "resourceVersion": "17"}}})),
    ];
    assert_eq!(send(&app, &sent).await.status, 204);
    assert_eq!(stored(&app).await, []);
}

#[tokio::test]
async fn lets_nobody_in_without_the_token() {
    let without = TestApp::start().await;
    let list = json!({"items": [event(json!({}))]});
    let path = "/webhooks/kubernetes-audit";
    let refused = without.with_token(Method::POST, path, TOKEN, Some(&list)).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (401, &json!("unauthenticated"))
    );
    let app = app().await;
    for token in ["", "another token of thirty-two bytes or more"] {
        let refused = app.with_token(Method::POST, path, token, Some(&list)).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["code"]),
            (401, &json!("unauthenticated")),
            "{token}"
        );
    }
    assert_eq!(stored(&app).await, []);
    let broken = app
        .with_token(Method::POST, path, TOKEN, Some(&json!({"kind": "EventList"})))
        .await;
    assert_eq!((broken.status.as_u16(), &broken.body["field"]), (400, &json!("items")));
}

#[tokio::test]
async fn takes_what_an_api_server_sends_at_once() {
    let app = app().await;
    let large = event(json!({"requestObject": {"spec": {"code": "x".repeat(10 * 1024 * 1024)}}}));
    assert_eq!(send(&app, &[large]).await.status, 204);
    assert_eq!(stored(&app).await.len(), 1);
}
