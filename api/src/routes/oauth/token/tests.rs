use axum::{
    body::Body,
    http::{Request, header},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    auth::{
        challenge,
        jws::{self, PublicKey},
        possession::{self, KEY_TAG, REGISTRATION_TAG},
        token::TYPE,
    },
    testing::{Answer, ISSUER, START, TestAgent, TestApp, TestKey, TestRedis, borrowed},
};

/// The error of the answer to a challenge that proves nothing.
fn unproven() -> Value {
    json!({
        "error": "invalid_grant",
        "error_description": "the answer proves nothing; ask for a new challenge and sign that",
    })
}

async fn answer(app: &TestApp, agent: &TestAgent, challenge: &Value) -> Answer {
    app.form("/oauth/token", &borrowed(&agent.answer(challenge))).await
}

#[tokio::test]
async fn a_signed_challenge_becomes_a_token_that_others_can_verify() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let challenge = app.challenge(&agent).await;
    assert_eq!(challenge["expires_at"], json!(START + 60));
    let answer = answer(&app, &agent, &challenge).await;
    let access_token = answer.body["access_token"].as_str().unwrap().to_owned();
    let wanted = json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": 600, "scope": "self",
    });
    assert_eq!(answer.told(), (200, &wanted));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));

    // As a stranger verifies it: by the published keys.
    let published = app.get("/.well-known/jwks.json", None).await;
    assert_eq!(published.header("content-type"), Some("application/jwk-set+json"));
    assert_eq!(published.header("cache-control"), Some("public, max-age=300"));
    let keys = published.body["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["alg"] == "EdDSA").unwrap();
    let parsed = jws::parse(&access_token).unwrap();
    assert_eq!(parsed.key_id(), key["kid"].as_str());
    let point = jws::decode(key["x"].as_str().unwrap()).unwrap();
    let claims = parsed
        .verify(TYPE, &PublicKey::Ed25519(point.try_into().unwrap()))
        .unwrap();
    let claims = Value::Object(claims);
    let wanted = json!({
        "iss": ISSUER, "aud": ISSUER, "sub": agent.id, "client_id": agent.id, "scope": "self",
        "iat": START, "exp": START + 600, "jti": claims["jti"],
        "pinfold_key": agent.key_id, "pinfold_owner": claims["pinfold_owner"],
        "pinfold_tenant": "00000000-0000-8000-8000-000000000001",
    });
    assert_eq!(claims, wanted);

    let (action, detail) =
        sqlx::query_as::<_, (String, Value)>("SELECT action, detail FROM audit_events ORDER BY id DESC LIMIT 1")
            .fetch_one(&app.owner)
            .await
            .unwrap();
    let recorded = json!({"grant": "agent_challenge", "key_id": agent.key_id, "jti": claims["jti"]});
    assert_eq!((action.as_str(), detail), ("token.issue", recorded));
}

/// RFC 7523, section 3.1.
#[tokio::test]
async fn whoever_shows_what_proves_a_client_is_judged_by_it() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let challenge = app.challenge(&agent).await;
    let answer = agent.answer(&challenge);
    for more in [
        &[("client_id", "nobody"), ("client_secret", "x")][..],
        &[("client_assertion", "x")],
        &[("client_assertion", "x"), ("client_assertion_type", "x")],
    ] {
        let mut form = borrowed(&answer);
        form.extend_from_slice(more);
        let answer = app.form("/oauth/token", &form).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["error"]),
            (401, &json!("invalid_client")),
            "{more:?}"
        );
    }
    // The challenge is as good as before.
    let answer = app.form("/oauth/token", &borrowed(&answer)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
}

#[tokio::test]
async fn an_answer_counts_once_whichever_replica_hears_it() {
    let app = TestApp::start().await;
    let replica = app.replica();
    replica.refresh_keys().await;
    let agent = app.agent().await;
    let challenge = app.challenge(&agent).await;
    let answers = futures::future::join_all((0..20).map(|n| {
        let to = if n % 2 == 0 { &app } else { &replica };
        answer(to, &agent, &challenge)
    }))
    .await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a.status == 200);
    assert_eq!(good.len(), 1);
    for answer in bad {
        assert_eq!(answer.told(), (400, &unproven()));
    }
}

#[tokio::test]
async fn a_store_that_lost_its_memory_judges_nothing_from_before() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let used = app.challenge(&agent).await;
    let unused = app.challenge(&agent).await;
    assert_eq!(answer(&app, &agent, &used).await.status, 200);
    // As after a crash of the server.
    for table in ["TRUNCATE replay_epoch", "TRUNCATE replay_spent"] {
        sqlx::query(table).execute(&app.owner).await.unwrap();
    }
    for challenge in [&used, &unused] {
        assert_eq!(answer(&app, &agent, challenge).await.told(), (400, &unproven()));
    }
    assert_eq!(answer(&app, &agent, &app.challenge(&agent).await).await.status, 200);
}

/// Redis judges what it minted, and nothing that it may have forgotten; PostgreSQL stands in while it is away.
#[tokio::test]
async fn a_challenge_is_judged_where_it_was_minted() {
    let mut redis = TestRedis::start().await;
    let app = TestApp::with_redis(&redis).await;
    let replica = app.replica();
    replica.refresh_keys().await;
    let agent = app.agent().await;
    let used = app.challenge(&agent).await;
    let answers = futures::future::join_all((0..20).map(|n| {
        let to = if n % 2 == 0 { &app } else { &replica };
        answer(to, &agent, &used)
    }))
    .await;
    assert_eq!(answers.iter().filter(|a| a.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|a| a.told() == (400, &unproven())).count(), 19);

    let unused = app.challenge(&agent).await;
    redis.flush().await;
    for challenge in [&used, &unused] {
        assert_eq!(answer(&replica, &agent, challenge).await.told(), (400, &unproven()));
    }
    assert_eq!(answer(&app, &agent, &replica.challenge(&agent).await).await.status, 200);

    let outstanding = app.challenge(&agent).await;
    redis.kill();
    let refused = answer(&app, &agent, &outstanding).await;
    assert_eq!(
        (refused.status.as_u16(), refused.header("retry-after")),
        (503, Some("1"))
    );
    let here = app.challenge(&agent).await;
    assert_eq!(answer(&app, &agent, &here).await.status, 200);
    assert_eq!(answer(&replica, &agent, &here).await.told(), (400, &unproven()));
    let here = app.challenge(&agent).await;
    redis.come_back().await;
    assert_eq!(answer(&replica, &agent, &here).await.status, 200);
}

/// Unknown agents, revoked keys, other agents' challenges and wrong signatures look alike.
#[tokio::test]
async fn what_proves_nothing_looks_alike() {
    let app = TestApp::start().await;
    let (agent, other) = (app.agent().await, app.agent().await);
    let unknown = TestAgent {
        id: "0198c5b4-5a0e-7000-8000-00000000000a".to_owned(),
        key_id: "0198c5b4-5a0e-7000-8000-00000000000b".to_owned(),
        ..TestAgent::new()
    };
    let challenge = app.challenge(&unknown).await;
    assert_eq!(answer(&app, &unknown, &challenge).await.told(), (400, &unproven()));

    let challenge = app.challenge(&agent).await;
    let as_other = TestAgent {
        id: agent.id.clone(),
        key_id: agent.key_id.clone(),
        ..TestAgent::new()
    };
    assert_eq!(answer(&app, &as_other, &challenge).await.told(), (400, &unproven()));
    assert_eq!(answer(&app, &other, &challenge).await.told(), (400, &unproven()));
    let mut another_end = challenge.clone();
    another_end["expires_at"] = json!(START + 61);
    assert_eq!(answer(&app, &agent, &another_end).await.told(), (400, &unproven()));

    // None of these used the challenge up.
    app.wait(59);
    assert_eq!(answer(&app, &agent, &challenge).await.status, 200);
    let late = app.challenge(&agent).await;
    app.wait(60);
    assert_eq!(answer(&app, &agent, &late).await.told(), (400, &unproven()));

    let challenge = app.challenge(&agent).await;
    sqlx::query("UPDATE agent_keys SET revoked_at = now()")
        .execute(&app.owner)
        .await
        .unwrap();
    assert_eq!(answer(&app, &agent, &challenge).await.told(), (400, &unproven()));
}

/// Case 37: a signature over anything else is none for a challenge, and uses it up as little.
#[tokio::test]
async fn an_agent_signs_a_challenge_and_nothing_else() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let challenge = app.challenge(&agent).await;
    let (text, end) = (challenge["challenge"].as_str().unwrap(), START + 60);
    let signed = |tag: &str, issuer: &str| {
        let end = end.to_string();
        let parts = [tag, issuer, agent.id.as_str(), &agent.key_id, text, &end];
        let named = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        possession::signed_bytes(&named)
    };
    let jwt = |header: Value, claims: Value| {
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", encoded(&header), encoded(&claims)).into_bytes()
    };
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": agent.public_key()});
    let proof = json!({"jti": "a", "htm": "POST", "htu": format!("{ISSUER}/oauth/token"), "iat": START});
    for message in [
        signed(REGISTRATION_TAG, ISSUER),
        signed(KEY_TAG, ISSUER),
        signed("", ISSUER),
        signed(challenge::TAG, "https://other.example"),
        signed(challenge::TAG, ""),
        text.as_bytes().to_vec(),
        jwt(json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk}), proof),
        jwt(json!({"alg": "EdDSA"}), TestKey::claims(&agent.id, text)),
    ] {
        let mut form = agent.answer(&challenge);
        form.retain(|(name, _)| *name != "signature");
        form.push(("signature", agent.sign(&message)));
        let answer = app.form("/oauth/token", &borrowed(&form)).await;
        assert_eq!(
            answer.told(),
            (400, &unproven()),
            "{}",
            String::from_utf8_lossy(&message)
        );
    }
    assert_eq!(
        agent.answer(&challenge).last(),
        Some(&("signature", agent.sign(&signed(challenge::TAG, ISSUER))))
    );
    assert_eq!(answer(&app, &agent, &challenge).await.status, 200);
}

#[tokio::test]
async fn what_is_no_request_is_told_so() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let challenge = app.challenge(&agent).await;
    let good = agent.answer(&challenge);
    let with = |name: &'static str, value: &str| {
        let mut form = good.clone();
        form.retain(|(member, _)| *member != name);
        form.push((name, value.to_owned()));
        form
    };
    let cases = [
        (with("grant_type", ""), "invalid_request", "grant_type is missing"),
        (
            with("grant_type", "password"),
            "unsupported_grant_type",
            "grant_type: write one of authorization_code, refresh_token, urn:ietf:params:oauth:grant-type:device_code, \
             urn:ietf:params:oauth:grant-type:token-exchange, client_credentials, urn:ietf:params:oauth:grant-type:jwt-bearer, \
             urn:pinfold:params:oauth:grant-type:agent-challenge",
        ),
        (
            with("scope", "admin"),
            "invalid_scope",
            "scope: leave it out, or name some of those in docs/auth.md with one space between them",
        ),
        (
            with("resource", "https://other.example"),
            "invalid_target",
            "resource: leave it out, or write https://pinfold.example",
        ),
        (
            with("agent_id", "x"),
            "invalid_request",
            "agent_id: not an id: write a UUID as 8-4-4-4-12 lower-case hexadecimal digits",
        ),
        (with("key_id", ""), "invalid_request", "key_id is missing"),
        (
            with("signature", "AA=="),
            "invalid_request",
            "signature: write 64 bytes in base64url without padding",
        ),
        (with("challenge", ""), "invalid_request", "challenge is missing"),
    ];
    for (form, error, description) in cases {
        let answer = app.form("/oauth/token", &borrowed(&form)).await;
        let wanted = json!({"error": error, "error_description": description});
        assert_eq!(answer.told(), (400, &wanted));
    }
    let workload = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let answer = app.form("/oauth/token", &[("grant_type", workload)]).await;
    let wanted = json!({"error": "invalid_request", "error_description": "assertion is missing"});
    assert_eq!(answer.told(), (400, &wanted));
    let pod = [("grant_type", workload), ("assertion", "a.b.c")];
    let answer = app.form("/oauth/token", &pod).await;
    let wanted = json!({
        "error": "temporarily_unavailable",
        "error_description": "this service has no cluster, and so no pods; use another grant",
    });
    assert_eq!(
        (answer.told(), answer.header("retry-after")),
        ((503, &wanted), Some("1"))
    );
    let mut twice = good.clone();
    twice.push(("key_id", agent.key_id.clone()));
    let answer = app.form("/oauth/token", &borrowed(&twice)).await;
    let wanted = json!({"error": "invalid_request", "error_description": "a parameter comes twice; send each once"});
    assert_eq!(answer.told(), (400, &wanted));
    let answer = app.form("/oauth/token?grant_type=x", &borrowed(&good)).await;
    let wanted = "parameters go into the body, not into the URL";
    assert_eq!(answer.body["error_description"], wanted);
    let request = Request::post("/oauth/token").header(header::CONTENT_TYPE, "application/json");
    let answer = app.send(request.body(Body::from("{}")).unwrap()).await;
    let wanted = "send a form with the header Content-Type: application/x-www-form-urlencoded";
    assert_eq!(answer.body["error_description"], wanted);
    let answer = app
        .form("/oauth/token", &[("grant_type", &"x".repeat(65 * 1024))])
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["error"]),
        (413, &json!("invalid_request"))
    );

    assert_eq!(app.form("/oauth/token", &borrowed(&good)).await.status, 200);
}
