use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use crate::{
    routes::tenants::tests::{get, joined, made, post, problem},
    testing::{Answer, START, TestAgent, TestApp, TestPerson},
};

/// A code that the agent asked for, with its token.
async fn code(app: &TestApp, token: &str) -> String {
    let answer = app.with_token(Method::POST, "/v1/me/claim-code", token, None).await;
    let code = answer.body["claim_code"].as_str().unwrap_or_default().to_owned();
    let wanted = json!({
        "claim_code": code,
        "claim_url": format!("https://pinfold.example/claim#{code}"),
        "expires_at": "2027-01-16T08:00:00Z",
    });
    assert_eq!(answer.told(), (201, &wanted));
    code
}

async fn claim(app: &TestApp, person: &TestPerson, tenant: &str, code: &str) -> Answer {
    let path = format!("/v1/tenants/{tenant}/agents/claim");
    post(app, person, &path, &json!({"claim_code": code})).await
}

async fn preview(app: &TestApp, person: &TestPerson, code: &str) -> Answer {
    post(app, person, "/v1/claims/preview", &json!({"claim_code": code})).await
}

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&app.owner).await.unwrap()
}

const STAND_INS: &str = "SELECT count(*) FROM overseers WHERE kind = 'shadow'";

#[tokio::test]
async fn whoever_has_the_code_becomes_the_owner() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let agent = app.agent().await;
    let before = app.token(&agent).await;
    let first = code(&app, &before).await;
    let shown = code(&app, &before).await;

    let ended = json!({
        "type": "/docs/errors#claim_code_ended", "code": "claim_code_ended", "status": 409,
        "title": "The request cannot be done as things are.",
        "detail": "the code was used, has ended or was never given; the agent asks for another",
    });
    assert_eq!(
        claim(&app, &ada, "acme", &first).await.told(),
        (409, &ended),
        "the next code ended it"
    );
    let keys = app.get("/v1/me/keys", Some(&before)).await;
    let seen = json!({
        "agent_id": agent.id, "name": "scout", "created_at": "2027-01-15T08:00:00Z",
        "key_thumbprints": [keys.body["keys"][0]["thumbprint"]],
    });
    let typed = shown.to_uppercase().replace('-', " ");
    assert_eq!(preview(&app, &ada, &typed).await.told(), (200, &seen));
    assert_eq!(count(&app, STAND_INS).await, 1);

    let answer = claim(&app, &ada, "acme", &typed).await;
    let wanted = json!({"id": agent.id, "name": "scout", "owner_id": ada.id, "created_at": "2027-01-15T08:00:00Z"});
    assert_eq!(answer.told(), (201, &wanted));
    assert_eq!(count(&app, STAND_INS).await, 0, "the stand-in is gone");
    for answer in [
        claim(&app, &ada, "acme", &shown).await,
        preview(&app, &ada, &shown).await,
    ] {
        assert_eq!(answer.told(), (409, &ended));
    }

    // What it proved to a stand-in's service holds no longer; its key does, with an agent's rights in the tenant.
    let replica = app.replica();
    replica.refresh_keys().await;
    assert_eq!(replica.get("/v1/me", Some(&before)).await.status, 401);
    let after = app.token(&agent).await;
    let own = app
        .get(&format!("/v1/tenants/acme/agents/{}", agent.id), Some(&after))
        .await;
    assert_eq!(own.told(), (200, &wanted));
    let again = app.with_token(Method::POST, "/v1/me/claim-code", &after, None).await;
    assert_eq!(problem(&again), (409, "agent_owned"));
    let known = app.post("/v1/agents", &agent.registration("scout", START)).await;
    assert_eq!(problem(&known), (409, "key_used"));
}

#[tokio::test]
async fn a_claim_ties_both_histories_together() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let agent = app.agent().await;
    let token = app.token(&agent).await;
    let shown = code(&app, &token).await;
    let heads = app.seal().await;
    assert_eq!(claim(&app, &ada, "acme", &shown).await.status, 201);
    let told: Vec<(String, Value)> =
        sqlx::query_as("SELECT action, detail FROM audit_events WHERE target_id = $1::uuid ORDER BY id DESC LIMIT 2")
            .bind(&agent.id)
            .fetch_all(&app.owner)
            .await
            .unwrap();
    let (tenant, former): (String, String) = (
        sqlx::query_scalar("SELECT id::text FROM tenants WHERE name = 'acme'")
            .fetch_one(&app.owner)
            .await
            .unwrap(),
        told[0].1["former_owner_id"].as_str().unwrap().to_owned(),
    );
    let shadow = "00000000-0000-8000-8000-000000000001";
    let head = |chain: &str| {
        let head = heads.iter().find(|head| head.chain == chain).unwrap();
        json!({"count": head.count, "hash": head.hash})
    };
    let wanted = [
        (
            "agent.claim".to_owned(),
            json!({"owner_id": ada.id, "former_owner_id": former, "from": {"tenant_id": shadow, "head": head(shadow)}}),
        ),
        (
            "agent.leave".to_owned(),
            json!({"owner_id": ada.id, "former_owner_id": former, "to": {"tenant_id": tenant, "head": head(&tenant)}}),
        ),
    ];
    assert_eq!(told, wanted);
}

/// For ten tenants in two replicas: no more at once than there are connections, or some would be told to come again.
#[tokio::test(flavor = "multi_thread")]
async fn of_all_who_claim_at_once_one_does() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let names: Vec<String> = (0..10).map(|n| format!("acme-{n}")).collect();
    for name in &names {
        made(&app, &ada, name).await;
    }
    let agent = app.agent().await;
    let shown = code(&app, &app.token(&agent).await).await;
    let replica = app.replica();
    let racers = names.iter().enumerate().map(|(n, name)| {
        let app = if n % 2 == 0 { &app } else { &replica };
        claim(app, &ada, name, &shown)
    });
    let answers = futures::future::join_all(racers).await;
    let won = answers.iter().filter(|answer| answer.status == 201).count();
    let lost = answers
        .iter()
        .filter(|answer| problem(answer) == (409, "claim_code_ended"))
        .count();
    assert_eq!(
        (won, lost),
        (1, 9),
        "{:?}",
        answers.iter().map(Answer::told).collect::<Vec<_>>()
    );
    assert_eq!(
        count(&app, "SELECT count(*) FROM audit_events WHERE action = 'agent.claim'").await,
        1
    );
    let keys = "SELECT count(*) FROM agent_keys AS k JOIN agents AS a USING (tenant_id) WHERE a.id = k.agent_id";
    assert_eq!(count(&app, keys).await, 1);
}

#[tokio::test]
async fn a_code_is_good_for_a_day_and_for_nothing_else() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let eve = app.person("eve@example.com").await;
    made(&app, &ada, "acme").await;
    let bob = joined(&app, &ada, "acme", "bob@example.com", "viewer").await;
    let agent = app.agent().await;
    let token = app.token(&agent).await;
    let shown = code(&app, &token).await;
    assert_eq!(problem(&claim(&app, &bob, "acme", &shown).await), (403, "forbidden"));
    assert_eq!(problem(&claim(&app, &eve, "acme", &shown).await), (404, "not_found"));
    let by_agent = app
        .with_token(
            Method::POST,
            "/v1/tenants/acme/agents/claim",
            &token,
            Some(&json!({"claim_code": shown})),
        )
        .await;
    assert_eq!(problem(&by_agent), (403, "forbidden"));
    for bad in ["", "aaaq-eaye-auda-och7", &"x".repeat(4000)] {
        assert_eq!(
            problem(&claim(&app, &ada, "acme", bad).await),
            (409, "claim_code_ended")
        );
    }
    app.wait(24 * 3600 - 1);
    assert_eq!(preview(&app, &ada, &shown).await.status, 200);
    app.wait(1);
    for answer in [
        preview(&app, &ada, &shown).await,
        claim(&app, &ada, "acme", &shown).await,
    ] {
        assert_eq!(problem(&answer), (409, "claim_code_ended"));
    }
}

/// An agent that a person of a tenant registers.
async fn registered(app: &TestApp, person: &TestPerson, tenant: &str) -> TestAgent {
    let mut agent = TestAgent::new();
    let path = format!("/v1/tenants/{tenant}/agents");
    let answer = post(app, person, &path, &agent.registration("scout", START)).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    agent.id = answer.body["agent_id"].as_str().unwrap().to_owned();
    agent.key_id = answer.body["key_id"].as_str().unwrap().to_owned();
    agent
}

async fn grant(app: &TestApp, by: &TestPerson, place: &str, to: &TestPerson, relation: &str) -> Answer {
    let path = format!("{place}/oversights/{}", to.id);
    app.as_person(Method::PUT, &path, by, Some(&json!({"relation": relation})))
        .await
}

async fn close(app: &TestApp, by: &TestPerson, place: &str, from: &TestPerson) -> Answer {
    app.as_person(Method::DELETE, &format!("{place}/oversights/{}", from.id), by, None)
        .await
}

/// Who is what, by whose leave.
async fn edges(app: &TestApp, by: &TestPerson, place: &str, people: &[&TestPerson]) -> Vec<String> {
    let answer = get(app, by, &format!("{place}/oversights")).await;
    assert_eq!(answer.status, 200);
    let name = |id: &Value| people.iter().position(|person| json!(person.id) == *id).unwrap();
    let list = answer.body["oversights"].as_array().unwrap().iter();
    let mut all: Vec<String> = list
        .map(|edge| {
            let relation = edge["relation"].as_str().unwrap();
            format!(
                "{}>{} {relation}",
                name(&edge["granted_by"]),
                name(&edge["overseer_id"])
            )
        })
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn what_somebody_is_to_an_agent_says_what_they_may_do_with_it() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let bob = joined(&app, &ada, "acme", "bob@example.com", "developer").await;
    let cyd = joined(&app, &ada, "acme", "cyd@example.com", "developer").await;
    let dan = joined(&app, &ada, "acme", "dan@example.com", "viewer").await;
    let agent = registered(&app, &bob, "acme").await;
    let place = format!("/v1/tenants/acme/agents/{}", agent.id);
    let keys = format!("{place}/keys");
    let rename = json!({"name": "other"});

    // With everything a developer may, cyd may only look at somebody else's agent.
    assert_eq!(get(&app, &cyd, &place).await.status, 200);
    let denied = app.as_person(Method::PATCH, &place, &cyd, Some(&rename)).await;
    let told = json!({
        "type": "/docs/errors#forbidden", "code": "forbidden", "status": 403, "title": "The caller may not do this.",
        "detail": "this needs the relation delegate to the agent",
    });
    assert_eq!(denied.told(), (403, &told));
    let steps = [
        // (relation, reads keys, renames, grants)
        (None, 403, 403, 403),
        (Some("viewer"), 200, 403, 403),
        (Some("delegate"), 200, 200, 403),
        (Some("owner"), 200, 200, 200),
    ];
    for (relation, reads, renames, grants) in steps {
        if let Some(relation) = relation {
            let given = grant(&app, &bob, &place, &cyd, relation).await;
            let wanted = json!({
                "overseer_id": cyd.id, "relation": relation, "granted_by": bob.id, "created_at": "2027-01-15T08:00:00Z",
            });
            assert_eq!(given.told(), (200, &wanted));
        }
        assert_eq!(get(&app, &cyd, &keys).await.status, reads, "{relation:?}");
        let renamed = app.as_person(Method::PATCH, &place, &cyd, Some(&rename)).await;
        assert_eq!(renamed.status, renames, "{relation:?}");
        assert_eq!(
            grant(&app, &cyd, &place, &dan, "owner").await.status,
            grants,
            "{relation:?}"
        );
    }
    // The role counts together with the relation.
    assert_eq!(get(&app, &dan, &keys).await.status, 200);
    let denied = app.as_person(Method::PATCH, &place, &dan, Some(&rename)).await;
    assert!(
        denied.body["detail"].as_str().unwrap().contains("agents:write"),
        "{:?}",
        denied.body
    );

    // Nobody is given what they have, or from outside.
    assert_eq!(
        problem(&grant(&app, &cyd, &place, &bob, "viewer").await),
        (409, "already_owner")
    );
    assert_eq!(
        problem(&grant(&app, &cyd, &place, &cyd, "owner").await),
        (409, "already_owner")
    );
    let eve = app.person("eve@example.com").await;
    let stranger = grant(&app, &bob, &place, &eve, "viewer").await;
    assert_eq!(
        (problem(&stranger), &stranger.body["field"]),
        ((400, "invalid_request"), &json!("overseer"))
    );
    let wrong = grant(&app, &bob, &place, &cyd, "admin").await;
    assert_eq!(
        (problem(&wrong), &wrong.body["field"]),
        ((400, "invalid_request"), &json!("relation"))
    );
    assert_eq!(problem(&get(&app, &eve, &place).await), (404, "not_found"));
}

#[tokio::test]
async fn what_was_given_ends_with_what_it_hung_on() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let mut people = vec![ada.clone()];
    for name in ["bob", "cyd", "dan", "eli"] {
        people.push(joined(&app, &ada, "acme", &format!("{name}@example.com"), "developer").await);
    }
    let people: Vec<&TestPerson> = people.iter().collect();
    let [_, bob, cyd, dan, eli] = people[..] else {
        unreachable!()
    };
    let agent = registered(&app, bob, "acme").await;
    let place = format!("/v1/tenants/acme/agents/{}", agent.id);
    // bob owns it. cyd and dan make each other owners: neither hangs on the other alone.
    for (by, to, relation) in [
        (bob, cyd, "owner"),
        (cyd, dan, "owner"),
        (dan, cyd, "owner"),
        (dan, eli, "viewer"),
        (bob, eli, "delegate"),
        (&ada, eli, "viewer"),
    ] {
        assert_eq!(grant(&app, by, &place, to, relation).await.status, 200);
    }
    let all = [
        "0>4 viewer",
        "1>2 owner",
        "1>4 delegate",
        "2>3 owner",
        "3>2 owner",
        "3>4 viewer",
    ];
    assert_eq!(edges(&app, &ada, &place, &people).await, all);
    // dan takes what dan gave, and no more.
    assert_eq!(close(&app, dan, &place, eli).await.status, 204);
    assert_eq!(problem(&close(&app, dan, &place, eli).await), (404, "not_found"));
    assert_eq!(grant(&app, dan, &place, eli, "viewer").await.status, 200);
    // A weaker relation is no owner's: what cyd gave ends, and what dan gave with it, the way back to cyd included.
    assert_eq!(grant(&app, bob, &place, cyd, "viewer").await.status, 200);
    assert_eq!(grant(&app, bob, &place, cyd, "owner").await.status, 200);
    assert_eq!(
        edges(&app, &ada, &place, &people).await,
        ["0>4 viewer", "1>2 owner", "1>4 delegate"]
    );
    assert_eq!(close(&app, bob, &place, cyd).await.status, 204);
    assert_eq!(edges(&app, &ada, &place, &people).await, ["0>4 viewer", "1>4 delegate"]);
    // Who leaves has nothing any more, and what they gave ends; so does what an admin gave with the role.
    assert_eq!(
        close(&app, eli, &place, eli).await.status,
        204,
        "everybody may give up their own"
    );
    let role = |person: &TestPerson| format!("/v1/tenants/acme/members/{}", person.id);
    let admin = app
        .as_person(Method::PATCH, &role(dan), &ada, Some(&json!({"role": "admin"})))
        .await;
    assert_eq!(admin.status, 200);
    for (by, to) in [(dan, eli), (bob, cyd)] {
        assert_eq!(grant(&app, by, &place, to, "viewer").await.status, 200);
    }
    assert_eq!(edges(&app, &ada, &place, &people).await, ["1>2 viewer", "3>4 viewer"]);
    let none = app
        .as_person(Method::PATCH, &role(dan), &ada, Some(&json!({"role": "developer"})))
        .await;
    assert_eq!(none.status, 200);
    assert_eq!(edges(&app, &ada, &place, &people).await, ["1>2 viewer"]);
    assert_eq!(app.as_person(Method::DELETE, &role(bob), &ada, None).await.status, 204);
    assert_eq!(edges(&app, &ada, &place, &people).await, Vec::<String>::new());
    let closed = count(
        &app,
        "SELECT count(*) FROM audit_events WHERE action = 'oversight.close'",
    )
    .await;
    assert_eq!(closed, 9, "each end is told of");
}

#[tokio::test]
async fn an_agent_is_changed_as_it_was_read() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let agent = registered(&app, &ada, "acme").await;
    let place = format!("/v1/tenants/acme/agents/{}", agent.id);
    let read = get(&app, &ada, &place).await;
    let version = read.header("etag").unwrap().to_owned();
    let patch = async |version: &str, body: Value| {
        let request = Request::patch(&place)
            .header(header::COOKIE, &ada.cookie)
            .header("x-csrf-token", &ada.csrf)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::IF_MATCH, version)
            .body(Body::from(body.to_string()));
        app.send(request.unwrap()).await
    };
    let renamed = patch(&version, json!({"name": "ranger"})).await;
    let wanted = json!({"id": agent.id, "name": "ranger", "owner_id": ada.id, "created_at": "2027-01-15T08:00:00Z"});
    assert_eq!(renamed.told(), (200, &wanted));
    let changed = json!({
        "type": "/docs/errors#precondition_failed", "code": "precondition_failed", "status": 412,
        "title": "It was changed since; read it again.",
    });
    assert_eq!(patch(&version, json!({"name": "third"})).await.told(), (412, &changed));
    let version = renamed.header("etag").unwrap();
    assert_eq!(get(&app, &ada, &place).await.header("etag"), Some(version));
    assert_eq!(patch(version, json!({})).await.told(), (200, &wanted));
    let bad = patch(version, json!({"name": " "})).await;
    assert_eq!(
        (problem(&bad), &bad.body["field"]),
        ((400, "invalid_request"), &json!("name"))
    );
    let unknown = patch(version, json!({"owner_id": ada.id})).await;
    assert_eq!(
        (problem(&unknown), &unknown.body["field"]),
        ((400, "invalid_request"), &json!("owner_id"))
    );
}

#[tokio::test]
async fn a_deleted_agent_proves_nothing_any_more() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let agent = registered(&app, &ada, "acme").await;
    let place = format!("/v1/tenants/acme/agents/{}", agent.id);
    let token = app.token(&agent).await;
    let replica = app.replica();
    replica.refresh_keys().await;

    let only = app
        .as_person(Method::DELETE, &format!("{place}/keys/{}", agent.key_id), &ada, None)
        .await;
    assert_eq!(problem(&only), (409, "last_key"));
    let more = TestAgent::new();
    let added = app
        .with_token(
            Method::POST,
            "/v1/me/keys",
            &token,
            Some(&more.addition(&agent.id, START)),
        )
        .await;
    assert_eq!(added.status, 201);
    let revoked = app
        .as_person(Method::DELETE, &format!("{place}/keys/{}", agent.key_id), &ada, None)
        .await;
    assert_eq!(revoked.told(), (204, &Value::Null));
    assert_eq!(replica.get("/v1/me", Some(&token)).await.status, 401);
    let second = TestAgent {
        id: agent.id.clone(),
        key_id: added.body["id"].as_str().unwrap().to_owned(),
        ..more
    };
    let token = app.token(&second).await;

    assert_eq!(
        app.as_person(Method::DELETE, &place, &ada, None).await.told(),
        (204, &Value::Null)
    );
    assert_eq!(replica.get("/v1/me", Some(&token)).await.status, 401);
    let challenge = app.challenge(&second).await;
    let form = second.answer(&challenge);
    let refused = app.form("/oauth/token", &crate::testing::borrowed(&form)).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["error"]),
        (400, &json!("invalid_grant"))
    );
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(
            problem(&app.as_person(method, &place, &ada, None).await),
            (404, "not_found")
        );
    }
    let list = get(&app, &ada, "/v1/tenants/acme/agents").await;
    assert_eq!(list.told(), (200, &json!({"agents": [], "next_page_token": null})));
    let again = post(
        &app,
        &ada,
        "/v1/tenants/acme/agents",
        &second.registration("scout", START),
    )
    .await;
    assert_eq!(problem(&again), (409, "key_used"));
}
