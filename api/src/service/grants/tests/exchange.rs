//! Case 44: an agent acts for a person, and a client for itself with less.

use axum::http::Method;
use serde_json::{Value, json};

use super::{error, is_no_subject, status, text};
use crate::{
    auth::jws,
    testing::{Answer, TestAgent, TestApp, consent::TestParty},
};

pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub(super) const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

/// An agent of `acme`, whose owner is the party's.
pub(super) async fn agent(app: &TestApp, party: &TestParty, name: &str) -> TestAgent {
    let mut agent = TestAgent::new();
    let registration = agent.registration(name, app.now());
    let made = app
        .as_person(
            Method::POST,
            "/v1/tenants/acme/agents",
            &party.owner,
            Some(&registration),
        )
        .await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let id = |name: &str| made.body[name].as_str().unwrap_or_default().to_owned();
    agent.id = id("agent_id");
    agent.key_id = id("key_id");
    agent
}

/// The owner's token, in the client's hands.
pub(super) async fn subject(app: &TestApp, party: &TestParty, scope: &str) -> String {
    let code = party.code(app, &[("scope", scope), ("prompt", "consent")]).await;
    text(&party.redeem(app, &code, &[]).await, "access_token").to_owned()
}

async fn act(app: &TestApp, subject: &str, actor: &str, others: &[(&str, &str)]) -> Answer {
    let form = [acting(subject, actor).as_slice(), others].concat();
    app.form("/oauth/token", &form).await
}

/// What an agent sends that is to act for somebody.
pub(super) fn acting<'a>(subject: &'a str, actor: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("grant_type", GRANT),
        ("subject_token", subject),
        ("subject_token_type", ACCESS),
        ("actor_token", actor),
        ("actor_token_type", ACCESS),
    ]
}

pub(super) fn said(token: &str) -> Value {
    Value::Object(jws::parse(token).unwrap().unproven().unwrap())
}

#[tokio::test]
async fn an_agent_acts_for_its_owner() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({"scope": "openid tenant:read tenant:write runs:read"})).await;
    let scout = agent(&app, &party, "scout").await;
    let own = app.token(&scout).await;
    let subject = subject(&app, &party, "openid tenant:read tenant:write").await;
    app.wait(60);
    let made = act(&app, &subject, &own, &[]).await;
    let token = text(&made, "access_token").to_owned();
    // Of what the person may, what an agent may; and no longer than the person's token.
    let wanted = json!({
        "access_token": token, "token_type": "Bearer", "expires_in": 540, "scope": "tenant:read", "issued_token_type": ACCESS,
    });
    assert_eq!(made.told(), (200, &wanted));
    let (said, of_subject) = (said(&token), said(&subject));
    assert_eq!(said["sub"], json!(party.owner.id));
    assert_eq!(
        (&said["client_id"], &said["act"]),
        (&json!(scout.id), &json!({"sub": scout.id}))
    );
    assert_ne!(said["pinfold_grant"], of_subject["pinfold_grant"]);
    assert_eq!(status(&app, &token).await, 200);
    let me = app.get("/v1/me", Some(&token)).await;
    assert_eq!(
        (&me.body["kind"], &me.body["actors"]),
        (&json!("grant"), &json!([scout.id]))
    );
    let told: (String, Value) =
        sqlx::query_as("SELECT actor_id::text, detail FROM audit_events WHERE action = 'grant.delegate'")
            .fetch_one(&app.owner)
            .await
            .unwrap();
    let detail = json!({"parent": of_subject["pinfold_grant"], "client_id": party.id, "agent": scout.id});
    assert_eq!(told, (scout.id.clone(), detail));

    // A second agent acts for the first, and the chain says so.
    let ranger = agent(&app, &party, "ranger").await;
    let chained = act(&app, &token, &app.token(&ranger).await, &[]).await;
    let chained = text(&chained, "access_token");
    let wanted = json!({"sub": ranger.id, "act": {"sub": scout.id}});
    assert_eq!((status(&app, chained).await, &said_act(chained)), (200, &wanted));
    // Nobody acts for themselves, and nobody in a chain without end.
    is_no_subject(&act(&app, chained, &own, &[]).await);
    let third = agent(&app, &party, "third").await;
    let deep = act(&app, chained, &app.token(&third).await, &[]).await;
    let deep = text(&deep, "access_token");
    assert_eq!(status(&app, deep).await, 200);
    let fourth = agent(&app, &party, "fourth").await;
    is_no_subject(&act(&app, deep, &app.token(&fourth).await, &[]).await);

    // With any link the rest of the chain dies.
    let path = format!("/v1/tenants/acme/agents/{}", ranger.id);
    assert_eq!(
        app.as_person(Method::DELETE, &path, &party.owner, None).await.status,
        204
    );
    assert_eq!(
        (
            status(&app, chained).await,
            status(&app, deep).await,
            status(&app, &token).await
        ),
        (401, 401, 200)
    );
}

fn said_act(token: &str) -> Value {
    said(token)["act"].clone()
}

#[tokio::test]
async fn an_agent_acts_as_long_as_everybody_stands() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({"scope": "tenant:read runs:read"})).await;
    let scout = agent(&app, &party, "scout").await;
    let own = app.token(&scout).await;
    let subject_token = subject(&app, &party, "tenant:read").await;
    let made = act(&app, &subject_token, &own, &[]).await;
    let token = text(&made, "access_token");
    assert_eq!(status(&app, token).await, 200);
    let change = async |sql: &'static str| {
        sqlx::query(sql).execute(&app.owner).await.unwrap();
    };
    for (ends, comes_back) in [
        (
            "UPDATE overseers SET blocked_at = now()",
            "UPDATE overseers SET blocked_at = NULL",
        ),
        (
            "UPDATE agents SET ended_at = now()",
            "UPDATE agents SET ended_at = NULL",
        ),
        (
            "UPDATE agent_keys SET revoked_at = now()",
            "UPDATE agent_keys SET revoked_at = NULL",
        ),
        (
            "UPDATE oauth_grants SET revoked_at = now() WHERE parent_id IS NULL",
            "UPDATE oauth_grants SET revoked_at = NULL",
        ),
        (
            "UPDATE oauth_grants SET revoked_at = now() WHERE parent_id IS NOT NULL",
            "UPDATE oauth_grants SET revoked_at = NULL",
        ),
        (
            "INSERT INTO agent_client_blocks (tenant_id, agent_id, client_id, created_by, created_at) \
             SELECT g.tenant_id, g.actors[1], g.client_id, g.overseer_id, now() FROM oauth_grants AS g WHERE g.parent_id IS NOT NULL",
            "DELETE FROM agent_client_blocks",
        ),
        (
            "INSERT INTO client_blocks (overseer_id, client_id, created_at) \
             SELECT overseer_id, client_id, now() FROM oauth_grants WHERE parent_id IS NULL",
            "DELETE FROM client_blocks",
        ),
    ] {
        change(ends).await;
        assert_eq!(status(&app, token).await, 401, "{ends}");
        change(comes_back).await;
        // What ended with it stays ended; here it did not happen.
        change("UPDATE oauth_grants SET revoked_at = NULL").await;
        assert_eq!(status(&app, token).await, 200, "{comes_back}");
    }

    // The agent's owner blocks the client for it.
    let blocks = format!("/v1/tenants/acme/agents/{}/client-blocks", scout.id);
    let body = json!({"client_id": party.id});
    let blocked = app.as_person(Method::POST, &blocks, &party.owner, Some(&body)).await;
    assert_eq!((blocked.status.as_u16(), status(&app, token).await), (201, 401));
    let again = app.as_person(Method::POST, &blocks, &party.owner, Some(&body)).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["code"]),
        (409, &json!("already_blocked"))
    );
    is_no_subject(&act(&app, &subject_token, &own, &[]).await);
    let listed = app.as_person(Method::GET, &blocks, &party.owner, None).await;
    assert_eq!(
        listed.body,
        json!({"client_blocks": [blocked.body], "next_page_token": null})
    );
    let block = format!("{blocks}/{}", blocked.body["id"].as_str().unwrap());
    assert_eq!(
        app.as_person(Method::DELETE, &block, &party.owner, None).await.status,
        204
    );
    assert_eq!(status(&app, token).await, 401, "what has ended stays ended");
    assert_eq!(act(&app, &subject_token, &own, &[]).await.status, 200);

    // Whoever does not oversee an agent is not acted for by it.
    let bob = crate::routes::tenants::tests::joined(&app, &party.owner, "acme", "bob@example.com", "developer").await;
    let bobs = TestParty {
        owner: bob.clone(),
        ..party.clone()
    };
    let bobs = subject(&app, &bobs, "tenant:read").await;
    is_no_subject(&act(&app, &bobs, &own, &[]).await);
    let path = format!("/v1/tenants/acme/agents/{}/oversights/{}", scout.id, bob.id);
    let given = async |relation: &str| {
        let wanted = json!({"relation": relation});
        let answer = app.as_person(Method::PUT, &path, &party.owner, Some(&wanted)).await;
        assert!(answer.status.is_success(), "{:?}", answer.body);
    };
    given("viewer").await;
    is_no_subject(&act(&app, &bobs, &own, &[]).await);
    given("delegate").await;
    let made = act(&app, &bobs, &own, &[]).await;
    let token = text(&made, "access_token");
    assert_eq!(status(&app, token).await, 200);
    assert_eq!(
        app.as_person(Method::DELETE, &path, &party.owner, None).await.status,
        204
    );
    assert_eq!(status(&app, token).await, 401);
}

#[tokio::test]
async fn what_is_exchanged_is_judged() {
    let app = TestApp::start().await;
    let party = TestParty::new(&app, &json!({"scope": "tenant:read runs:read"})).await;
    let scout = agent(&app, &party, "scout").await;
    let own = app.token(&scout).await;
    let subject = subject(&app, &party, "tenant:read").await;
    for (subject, actor) in [
        ("nonsense", own.as_str()),
        (own.as_str(), &own),
        (&subject, "nonsense"),
        (&subject, &subject),
    ] {
        is_no_subject(&act(&app, subject, actor, &[]).await);
    }
    // An agent of another tenant.
    let stranger = app.agent().await;
    is_no_subject(&act(&app, &subject, &app.token(&stranger).await, &[]).await);
    for (others, code) in [
        ([("scope", "tenant:read runs:read")].as_slice(), "invalid_scope"),
        (&[("resource", "https://other.example")], "invalid_target"),
        (&[("audience", "https://other.example")], "invalid_target"),
        (
            &[("requested_token_type", "urn:ietf:params:oauth:token-type:id_token")],
            "invalid_request",
        ),
    ] {
        assert_eq!(
            error(&act(&app, &subject, &own, others).await),
            (400, code),
            "{others:?}"
        );
    }
    app.wait(600);
    is_no_subject(&act(&app, &subject, &app.token(&scout).await, &[]).await);
}

#[tokio::test]
async fn a_client_gets_a_token_that_may_do_less() {
    let app = TestApp::start().await;
    let wanted = json!({"scope": "tenant:read runs:read", "grant_types": ["authorization_code", GRANT]});
    let party = TestParty::new(&app, &wanted).await;
    let other = TestParty::of(
        &app,
        party.owner.clone(),
        &json!({"client_name": "Other", "grant_types": ["authorization_code", GRANT]}),
    )
    .await;
    let token = subject(&app, &party, "tenant:read runs:read").await;
    let form = [
        ("grant_type", GRANT),
        ("subject_token", token.as_str()),
        ("subject_token_type", ACCESS),
        ("scope", "tenant:read"),
    ];
    let less = party.token(&app, &[], &form).await;
    assert_eq!(
        (less.status.as_u16(), &less.body["scope"]),
        (200, &json!("tenant:read")),
        "{:?}",
        less.body
    );
    assert_eq!(status(&app, text(&less, "access_token")).await, 200);
    is_no_subject(&other.token(&app, &[], &form).await);
    let without = json!({"client_name": "Without"});
    let without = TestParty::of(&app, party.owner.clone(), &without).await;
    assert_eq!(
        error(&without.token(&app, &[], &form).await),
        (400, "unauthorized_client")
    );
    let nobody = app.form("/oauth/token", &form).await;
    assert_eq!(error(&nobody), (401, "invalid_client"));
}
