use axum::http::Method;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::testing::{Answer, ISSUER, PASSWORD, TestApp, TestIssuer};

const PATH: &str = "/v1/me/identities";

fn problem(answer: &Answer) -> (u16, &Value) {
    (answer.status.as_u16(), &answer.body["code"])
}

/// A token of a person, who acts in an organisation if one is named.
fn token(app: &TestApp, issuer: &TestIssuer, subject: &str, organisation: Option<(&str, &str)>) -> String {
    let now = app.now();
    let mut claims = json!({"iss": issuer.name, "sub": subject, "aud": ISSUER, "iat": now, "exp": now + 60});
    if let Some((id, role)) = organisation {
        claims["o"] = json!({"id": id, "rol": role});
    }
    issuer.token("RS256", &claims)
}

async fn me(app: &TestApp, token: &str) -> Value {
    let answer = app.get("/v1/me", Some(token)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body
}

#[tokio::test]
async fn whoever_is_vouched_for_has_an_account_from_the_first_request_on() {
    let issuer = TestIssuer::start().await;
    let app = TestApp::believing(&issuer).await;
    let now = app.now();
    let claims = json!({"iss": issuer.name, "sub": "user_1", "aud": ISSUER, "iat": now, "exp": now + 60, "name": "Ada Lovelace", "email": "ada@example.com"});
    let ada = issuer.token("ES256", &claims);
    let first = me(&app, &ada).await;
    let wanted = json!({
        "kind": "person", "id": first["id"], "email": null, "name": "Ada Lovelace", "platform_admin": false,
        "session_id": null, "csrf_token": null, "expires_at": "2027-01-15T08:01:00Z",
    });
    assert_eq!(first, wanted);
    assert_eq!(me(&app, &token(&app, &issuer, "user_1", None)).await["id"], first["id"]);
    let other = me(&app, &token(&app, &issuer, "user_2", None)).await;
    assert_eq!(other["name"], "unnamed");
    assert_ne!(other["id"], first["id"]);
    // A tenant of their own, and what people do: no cookie, so nothing is to be shown besides.
    let seats = app.get("/v1/tenants", Some(&ada)).await;
    assert_eq!(seats.body["tenants"].as_array().unwrap().len(), 1);
    let made = app
        .with_token(Method::POST, "/v1/tenants", &ada, Some(&json!({"name": "acme"})))
        .await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let listed = app.get(PATH, Some(&ada)).await;
    let identity = json!({
        "id": listed.body["identities"][0]["id"], "issuer": issuer.name, "subject": "user_1",
        "created_at": "2027-01-15T08:00:00Z",
    });
    assert_eq!(listed.told(), (200, &json!({"identities": [identity]})));
}

#[tokio::test]
async fn a_hundred_first_requests_open_one_account() {
    let issuer = TestIssuer::start().await;
    let app = TestApp::believing(&issuer).await;
    let ada = token(&app, &issuer, "user_1", None);
    let answers = join_all((0..8).map(|_| me(&app, &ada))).await;
    assert!(
        answers.iter().all(|answer| answer["id"] == answers[0]["id"]),
        "{answers:?}"
    );
    let people: i64 = sqlx::query_scalar("SELECT count(*) FROM profiles")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(people, 1);
}

#[tokio::test]
async fn tokens_that_prove_nothing_are_refused() {
    let issuer = TestIssuer::start().await;
    let app = TestApp::believing(&issuer).await;
    let now = app.now();
    let good = json!({"iss": issuer.name, "sub": "user_1", "aud": ISSUER, "iat": now, "exp": now + 60});
    for (name, value) in [
        ("iss", json!(ISSUER)),
        ("iss", json!("https://other.example")),
        ("aud", json!("other")),
        ("exp", json!(now - 60)),
        ("sts", json!("pending")),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        let answer = app.get("/v1/me", Some(&issuer.token("RS256", &claims))).await;
        assert_eq!(problem(&answer), (401, &json!("unauthenticated")), "{claims}");
    }
    let ada = token(&app, &issuer, "user_1", None);
    let id = me(&app, &ada).await["id"].as_str().unwrap().to_owned();
    sqlx::query("UPDATE overseers SET blocked_at = now() WHERE id = $1::uuid")
        .bind(&id)
        .execute(&app.owner)
        .await
        .unwrap();
    assert_eq!(
        problem(&app.get("/v1/me", Some(&ada)).await),
        (401, &json!("unauthenticated"))
    );
}

#[tokio::test]
async fn whoever_is_logged_in_links_an_identity_and_takes_it_away() {
    let issuer = TestIssuer::start().await;
    let app = TestApp::believing(&issuer).await;
    let ada = app.person("ada@example.com").await;
    let shown = token(&app, &issuer, "user_1", None);
    let bare = json!({"token": shown});
    let refused = app.as_person(Method::POST, PATH, &ada, Some(&bare)).await;
    assert_eq!(
        (refused.told().0, &refused.body["field"]),
        (400, &json!("current_password"))
    );
    let body = json!({"token": shown, "current_password": PASSWORD});
    let linked = app.as_person(Method::POST, PATH, &ada, Some(&body)).await;
    let identity = json!({
        "id": linked.body["id"], "issuer": issuer.name, "subject": "user_1", "created_at": "2027-01-15T08:00:00Z",
    });
    assert_eq!(linked.told(), (201, &identity));
    let again = app.as_person(Method::POST, PATH, &ada, Some(&body)).await;
    assert_eq!(again.told(), (201, &identity));
    assert_eq!(me(&app, &shown).await["id"], json!(ada.id));
    // What needs a session is not done by a token.
    let password = json!({"current_password": "x", "password": "y"});
    let refused = app
        .with_token(Method::PUT, "/v1/me/password", &shown, Some(&password))
        .await;
    assert_eq!(problem(&refused), (403, &json!("forbidden")));
    let other = app.person("eve@example.com").await;
    let taken = app.as_person(Method::POST, PATH, &other, Some(&body)).await;
    assert_eq!(problem(&taken), (409, &json!("identity_taken")));
    let worthless = app
        .as_person(
            Method::POST,
            PATH,
            &ada,
            Some(&json!({"token": "nonsense", "current_password": PASSWORD})),
        )
        .await;
    assert_eq!(worthless.told().0, 400);
    assert_eq!(worthless.body["field"], "token");

    let path = format!("{PATH}/{}", linked.body["id"].as_str().unwrap());
    let strange = app.as_person(Method::DELETE, &path, &other, None).await;
    assert_eq!(problem(&strange), (404, &json!("not_found")));
    let gone = app.as_person(Method::DELETE, &path, &ada, None).await;
    assert_eq!(gone.told(), (204, &Value::Null));
    assert_ne!(me(&app, &shown).await["id"], json!(ada.id));
}

#[tokio::test]
async fn the_last_proof_of_an_account_stays_until_the_account_goes() {
    let issuer = TestIssuer::start().await;
    let app = TestApp::believing(&issuer).await;
    let ada = token(&app, &issuer, "user_1", None);
    let first = me(&app, &ada).await;
    let listed = app.get(PATH, Some(&ada)).await;
    let path = format!("{PATH}/{}", listed.body["identities"][0]["id"].as_str().unwrap());
    let kept = app.with_token(Method::DELETE, &path, &ada, None).await;
    assert_eq!(problem(&kept), (409, &json!("last_proof")));
    let deleted = app.with_token(Method::DELETE, "/v1/me", &ada, Some(&json!({}))).await;
    assert_eq!(deleted.told(), (204, &Value::Null));
    assert_ne!(me(&app, &ada).await["id"], first["id"]);
}

#[tokio::test]
async fn an_organisation_is_a_tenant_as_long_as_the_issuer_says_so() {
    let issuer = TestIssuer::start().await;
    let app = TestApp::believing(&issuer).await;
    let (ada, path) = (
        token(&app, &issuer, "user_1", Some(("org_1", "admin"))),
        "/v1/tenants/acme",
    );
    let made = app
        .with_token(Method::POST, "/v1/tenants", &ada, Some(&json!({"name": "acme"})))
        .await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let link = format!("{path}/organisation");
    // Only as an admin of the organisation.
    for less in [None, Some(("org_1", "member"))] {
        let answer = app
            .with_token(Method::PUT, &link, &token(&app, &issuer, "user_1", less), None)
            .await;
        assert_eq!(problem(&answer), (403, &json!("forbidden")), "{less:?}");
    }
    let linked = app.with_token(Method::PUT, &link, &ada, None).await;
    let organisation = json!({"issuer": issuer.name, "id": "org_1"});
    assert_eq!(linked.told(), (200, &organisation));
    assert_eq!(app.get(path, Some(&ada)).await.body["organisation"], organisation);

    let roles = [
        ("admin", Some("admin")),
        ("member", Some("developer")),
        ("viewer", Some("viewer")),
        ("x", Some("viewer")),
    ];
    for (role, wanted) in roles {
        let bob = token(&app, &issuer, "user_2", Some(("org_1", role)));
        let seats = app.get("/v1/tenants", Some(&bob)).await;
        assert_eq!(seats.body["tenants"][0]["name"], "acme");
        assert_eq!(seats.body["tenants"][0]["role"].as_str(), wanted);
        assert_eq!(app.get(path, Some(&bob)).await.status, 200);
    }
    let member = token(&app, &issuer, "user_2", Some(("org_1", "member")));
    let refused = app.with_token(Method::DELETE, path, &member, None).await;
    assert_eq!(problem(&refused), (403, &json!("forbidden")));
    for outside in [None, Some(("org_2", "admin"))] {
        let answer = app.get(path, Some(&token(&app, &issuer, "user_2", outside))).await;
        assert_eq!(problem(&answer), (404, &json!("not_found")), "{outside:?}");
    }
    // The membership goes before.
    let owner = app
        .get(
            "/v1/tenants",
            Some(&token(&app, &issuer, "user_1", Some(("org_1", "viewer")))),
        )
        .await;
    assert_eq!(owner.body["tenants"][0]["role"], "owner");

    // One organisation is one tenant.
    let second = app
        .with_token(Method::POST, "/v1/tenants", &ada, Some(&json!({"name": "other"})))
        .await;
    assert_eq!(second.status, 201, "{:?}", second.body);
    let taken = app
        .with_token(Method::PUT, "/v1/tenants/other/organisation", &ada, None)
        .await;
    assert_eq!(problem(&taken), (409, &json!("organisation_taken")));
    let unlinked = app.with_token(Method::DELETE, &link, &ada, None).await;
    assert_eq!(unlinked.told(), (204, &Value::Null));
    assert_eq!(problem(&app.get(path, Some(&member)).await), (404, &json!("not_found")));
}
