use serde_json::json;

use crate::testing::{START, TestAgent, TestApp};

#[tokio::test]
async fn an_agent_registers_itself_once() {
    let app = TestApp::start().await;
    let agent = TestAgent::new();
    let made = app.post("/v1/agents", &agent.registration("scout", START)).await;
    let (agent_id, key_id) = (&made.body["agent_id"], &made.body["key_id"]);
    let wanted = json!({
        "agent_id": agent_id, "key_id": key_id, "name": "scout", "expires_at": "2027-02-14T08:00:00Z",
    });
    assert_eq!(made.told(), (201, &wanted));
    assert_ne!(agent_id, key_id);

    app.wait(10);
    let again = app
        .post("/v1/agents", &agent.registration("other name", START + 10))
        .await;
    assert_eq!(again.told(), (200, &wanted), "the key's agent is the one it was");
    let other = app
        .post("/v1/agents", &TestAgent::new().registration("scout", START + 10))
        .await;
    assert_eq!(other.status, 201);
    assert_ne!(&other.body["agent_id"], agent_id);

    let counted = sqlx::query_scalar::<_, String>(
        "SELECT string_agg(n::text, ' ') FROM (SELECT count(*) FROM agents UNION ALL SELECT count(*) FROM agent_keys \
         UNION ALL SELECT count(*) FROM overseers UNION ALL SELECT count(*) FROM audit_events) AS c (n)",
    )
    .fetch_one(&app.owner)
    .await
    .unwrap();
    assert_eq!(counted, "2 2 2 2");
}

#[tokio::test]
async fn racers_with_one_key_get_one_agent() {
    let app = TestApp::start().await;
    let body = TestAgent::new().registration("scout", START);
    // As many as there are connections: more, on a busy machine, are told to come again.
    let answers = futures::future::join_all((0..10).map(|_| app.post("/v1/agents", &body))).await;
    let made = answers.iter().filter(|a| a.status == 201).count();
    let known = answers.iter().filter(|a| a.status == 200).count();
    assert_eq!((made, known), (1, 9));
    assert!(answers.iter().all(|a| a.body == answers[0].body));
}

#[tokio::test]
async fn a_key_that_was_revoked_or_whose_agent_has_ended_is_not_taken_again() {
    let app = TestApp::start().await;
    let refused = json!({
        "type": "/docs/errors#key_used", "code": "key_used", "status": 409,
        "title": "The request cannot be done as things are.",
        "detail": "this key belongs to an agent that cannot register itself any more; make a new key",
    });
    let agent = app.agent().await;
    sqlx::query("UPDATE agent_keys SET revoked_at = now()")
        .execute(&app.owner)
        .await
        .unwrap();
    let answer = app.post("/v1/agents", &agent.registration("scout", START)).await;
    assert_eq!(answer.told(), (409, &refused));

    let agent = app.agent().await;
    app.wait(30 * 24 * 3600);
    let answer = app.post("/v1/agents", &agent.registration("scout", app.now())).await;
    assert_eq!(answer.told(), (409, &refused));
}

#[tokio::test]
async fn each_member_that_is_wrong_is_named() {
    let app = TestApp::start().await;
    let agent = TestAgent::new();
    let good = agent.registration("scout", START);
    let unsigned = "is not this key's over \"pinfold-agent-registration-v1\", \"https://pinfold.example\", public_key, signed_at, \
                name, joined by zero bytes";
    let names = "write 1 to 100 characters, no control characters and no space at either end";
    let bytes = "write 32 bytes in base64url without padding";
    let other = TestAgent::new();
    let cases = [
        ("name", json!(""), names),
        ("name", json!("a".repeat(101)), names),
        ("name", json!("a\u{0}b"), names),
        ("name", json!("other"), unsigned),
        (
            "name",
            json!(7),
            "invalid type: integer `7`, expected a string at line 1 column 9",
        ),
        ("public_key", json!(""), bytes),
        ("public_key", json!(agent.public_key() + "="), bytes),
        ("public_key", json!(other.public_key()), unsigned),
        (
            "signed_at",
            json!(START + 301),
            "is not within 300 seconds of this service's clock, which says 1800000000",
        ),
        ("signed_at", json!(START + 1), unsigned),
        ("signature", json!("AA"), "write 64 bytes in base64url without padding"),
        (
            "signature",
            other.registration("scout", START)["signature"].clone(),
            unsigned,
        ),
    ];
    for (field, value, detail) in cases {
        let mut body = good.clone();
        body[field] = value.clone();
        let answer = app.post("/v1/agents", &body).await;
        let told = (
            answer.status.as_u16(),
            answer.body["field"].as_str(),
            answer.body["detail"].as_str(),
        );
        // What is signed stands or falls together.
        let at_fault = if detail == unsigned { "signature" } else { field };
        assert_eq!(told, (400, Some(at_fault), Some(detail)), "{field} = {value}");
    }
    let mut number = good.clone();
    number["name"] = json!(7);
    let answer = app.post("/v1/agents", &number).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body["field"].as_str()),
        (400, Some("name"))
    );
    let mut more = good.clone();
    more["owner"] = json!("me");
    let answer = app.post("/v1/agents", &more).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body["field"].as_str()),
        (400, Some("owner"))
    );
    assert_eq!(
        app.post("/v1/agents", &good).await.status,
        201,
        "nothing was stored on the way"
    );
}
