use std::time::{Duration, Instant};

use axum::http::{Method, header};
use serde_json::{Value, json};

use crate::testing::{Answer, ISSUER, PASSWORD, TestApp, logged_in, token_of};

async fn login(app: &TestApp, email: &str, password: &str, cookie: Option<&str>) -> Answer {
    let mut request = axum::http::Request::post("/v1/sessions").header(header::CONTENT_TYPE, "application/json");
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    let body = json!({"email": email, "password": password}).to_string();
    app.send(request.body(body.into()).unwrap()).await
}

fn refused() -> Value {
    json!({
        "type": "/docs/errors#invalid_credentials", "code": "invalid_credentials", "status": 401,
        "title": "The address or the password is wrong.",
    })
}

#[tokio::test]
async fn a_person_signs_up_and_logs_in_and_out() {
    let app = TestApp::start().await;
    let asked = app.post("/v1/sign-ups", &json!({"email": "Ada@Example.com"})).await;
    assert_eq!(asked.told(), (202, &Value::Null));
    let mail = app.mail().await;
    assert_eq!(mail.len(), 1);
    assert!(mail[0].contains("\nTo: Ada@example.com\n"), "{}", mail[0]);
    let token = token_of(&mail[0]);
    assert!(
        mail[0].contains(&format!("\n{ISSUER}/sign-up#{token}\n")),
        "{}",
        mail[0]
    );

    let chosen = json!({"token": token, "name": "Ada", "password": PASSWORD});
    let opened = app.post("/v1/sign-ups/complete", &chosen).await;
    let body = json!({
        "id": opened.body["id"], "overseer_id": opened.body["overseer_id"], "csrf_token": opened.body["csrf_token"],
        "expires_at": "2027-01-22T08:00:00Z",
    });
    assert_eq!(opened.told(), (201, &body));
    let ada = logged_in(&opened);
    let me = app.as_person(Method::GET, "/v1/me", &ada, None).await;
    let wanted = json!({
        "kind": "person", "id": ada.id, "email": "Ada@example.com", "name": "Ada", "platform_admin": false,
        "session_id": opened.body["id"], "csrf_token": ada.csrf, "expires_at": "2027-01-22T08:00:00Z",
    });
    assert_eq!(me.told(), (200, &wanted));

    // The link is used up, whoever tries it again.
    let again = app.post("/v1/sign-ups/complete", &chosen).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["code"]),
        (409, &json!("link_ended"))
    );

    let second = logged_in(&login(&app, "ADA@example.COM", PASSWORD, None).await);
    assert_eq!(second.id, ada.id);
    assert_ne!(second.cookie, ada.cookie);
    let out = app.as_person(Method::DELETE, "/v1/sessions", &ada, None).await;
    assert_eq!(out.told(), (204, &Value::Null));
    let cleared: Vec<&str> = out
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|v| v.to_str().unwrap())
        .collect();
    assert_eq!(
        cleared,
        ["__Host-pinfold-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"]
    );
    let replica = app.replica();
    assert_eq!(replica.as_person(Method::GET, "/v1/me", &ada, None).await.status, 401);
    assert_eq!(
        replica.as_person(Method::GET, "/v1/me", &second, None).await.status,
        200
    );

    let actions: Vec<String> =
        sqlx::query_scalar("SELECT action FROM audit_events WHERE tenant_id IS NULL OR tenant_id <> $1 ORDER BY id")
            .bind(crate::store::tenants::SHADOW.uuid())
            .fetch_all(&app.owner)
            .await
            .unwrap();
    let wanted = [
        "tenant.create",
        "account.create",
        "session.create",
        "session.create",
        "session.revoke",
    ];
    assert_eq!(actions, wanted);
}

#[tokio::test]
async fn nobody_learns_whether_there_is_an_account() {
    let app = TestApp::start().await;
    app.person("ada@example.com").await;
    let blocked = app.person("bob@example.com").await;
    sqlx::query("UPDATE overseers SET blocked_at = now() WHERE id = $1::uuid")
        .bind(&blocked.id)
        .execute(&app.owner)
        .await
        .unwrap();
    let cases = [
        ("ada@example.com", "wrong horse battery staple"),
        ("eve@example.com", PASSWORD),
        ("bob@example.com", PASSWORD),
        ("ada@example.com", &"x".repeat(2000)),
    ];
    for (email, password) in cases {
        let answer = login(&app, email, password, None).await;
        assert_eq!(answer.told(), (401, &refused()), "{email}");
        assert_eq!(answer.headers.get(header::SET_COOKIE), None);
    }
    // What is under way ends as well.
    assert_eq!(app.as_person(Method::GET, "/v1/me", &blocked, None).await.status, 401);

    // At sign-up the answer is the same, and only the mailbox knows.
    let known = app.post("/v1/sign-ups", &json!({"email": "ada@example.com"})).await;
    let new = app.post("/v1/sign-ups", &json!({"email": "eve@example.com"})).await;
    assert_eq!(known.told(), new.told());
    let mail = app.mail().await;
    let subjects: Vec<&str> = mail
        .iter()
        .flat_map(|m| m.lines())
        .filter(|l| l.starts_with("Subject:"))
        .collect();
    let mut sorted = subjects.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "Subject: Open your Pinfold account",
            "Subject: You have a Pinfold account already"
        ]
    );
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let mut forged = ada.clone();
    let eve = app.person("eve@example.com").await;
    for token in ["", "x", eve.csrf.as_str()] {
        forged.csrf = token.to_owned();
        let answer = app.as_person(Method::DELETE, "/v1/sessions", &forged, None).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (403, &json!("csrf")),
            "{token}"
        );
        assert_eq!(app.as_person(Method::GET, "/v1/me", &forged, None).await.status, 200);
    }
    assert_eq!(app.as_person(Method::GET, "/v1/me", &ada, None).await.status, 200);
}

#[tokio::test]
async fn strangers_who_guess_do_not_keep_the_owner_out() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let device = ada
        .cookie
        .split("; ")
        .find(|c| c.starts_with("__Host-pinfold-device="))
        .unwrap()
        .to_owned();
    for _ in 0..10 {
        assert_eq!(
            login(&app, "ada@example.com", "guessed guess guess", None).await.status,
            401
        );
        assert_eq!(
            login(&app, "eve@example.com", "guessed guess guess", None).await.status,
            401
        );
    }
    // Whether or not there is such an account, the eleventh is too many.
    for email in ["ada@example.com", "eve@example.com"] {
        let answer = login(&app, email, PASSWORD, None).await;
        assert_eq!(answer.status, 429, "{email}");
        assert_eq!(answer.header("retry-after"), Some("7"));
    }
    assert_eq!(
        login(&app, "ada@example.com", PASSWORD, Some(&device)).await.status,
        201
    );
    // A cookie of somebody else's browser is none for this account.
    let bob = app.person("bob@example.com").await;
    let other = bob
        .cookie
        .split("; ")
        .find(|c| c.starts_with("__Host-pinfold-device="))
        .unwrap()
        .to_owned();
    assert_eq!(login(&app, "ada@example.com", PASSWORD, Some(&other)).await.status, 429);
    app.wait(7);
    assert_eq!(login(&app, "ada@example.com", PASSWORD, None).await.status, 201);
}

#[tokio::test]
async fn hashes_of_another_system_are_renewed_at_the_first_login() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let old = bcrypt::hash(PASSWORD, 4).unwrap();
    sqlx::query("UPDATE passwords SET hash = $2 WHERE overseer_id = $1::uuid")
        .bind(&ada.id)
        .bind(&old)
        .execute(&app.owner)
        .await
        .unwrap();
    assert_eq!(
        login(&app, "ada@example.com", "wrong horse battery", None).await.status,
        401
    );
    for _ in 0..2 {
        assert_eq!(login(&app, "ada@example.com", PASSWORD, None).await.status, 201);
        let hash: String = sqlx::query_scalar("SELECT hash FROM passwords WHERE overseer_id = $1::uuid")
            .bind(&ada.id)
            .fetch_one(&app.owner)
            .await
            .unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }
}

#[tokio::test]
async fn logins_are_listed_and_ended_one_by_one() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let eve = app.person("eve@example.com").await;
    app.wait(60);
    let second = logged_in(&login(&app, "ada@example.com", PASSWORD, None).await);
    let listed = app.as_person(Method::GET, "/v1/me/sessions", &second, None).await;
    let entry = |place: usize, created: &str, expires: &str, current: bool| {
        json!({
            "id": listed.body["sessions"][place]["id"], "user_agent": "", "created_at": created, "seen_at": created,
            "expires_at": expires, "current": current,
        })
    };
    let wanted = json!({"sessions": [
        entry(0, "2027-01-15T08:01:00Z", "2027-01-22T08:01:00Z", true),
        entry(1, "2027-01-15T08:00:00Z", "2027-01-22T08:00:00Z", false),
    ], "next_page_token": null});
    assert_eq!(listed.told(), (200, &wanted));
    let first = format!("/v1/me/sessions/{}", listed.body["sessions"][1]["id"].as_str().unwrap());
    assert_eq!(app.as_person(Method::DELETE, &first, &eve, None).await.status, 404);
    assert_eq!(app.as_person(Method::DELETE, &first, &second, None).await.status, 204);
    assert_eq!(app.as_person(Method::DELETE, &first, &second, None).await.status, 404);
    assert_eq!(app.as_person(Method::GET, "/v1/me", &ada, None).await.status, 401);
    assert_eq!(app.as_person(Method::GET, "/v1/me", &second, None).await.status, 200);
    app.wait(7 * 24 * 3600);
    assert_eq!(app.as_person(Method::GET, "/v1/me", &second, None).await.status, 401);
}

#[tokio::test]
async fn what_is_wrong_with_a_sign_up_is_told_and_the_link_stays_good() {
    let app = TestApp::start().await;
    for bad in ["", "ada", "ada@localhost", "a da@example.com"] {
        let answer = app.post("/v1/sign-ups", &json!({"email": bad})).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!("email")),
            "{bad}"
        );
    }
    for _ in 0..5 {
        assert_eq!(
            app.post("/v1/sign-ups", &json!({"email": "ada@example.com"}))
                .await
                .status,
            202
        );
    }
    assert_eq!(
        app.post("/v1/sign-ups", &json!({"email": "ada@example.com"}))
            .await
            .status,
        429
    );
    let mail = app.mail().await;
    let (first, last) = (token_of(&mail[0]), token_of(&mail[4]));
    let cases = [
        (json!({"token": first, "name": "", "password": PASSWORD}), "name"),
        (
            json!({"token": first, "name": "A\u{202e}da", "password": PASSWORD}),
            "name",
        ),
        (json!({"token": first, "name": "Ada", "password": "short"}), "password"),
        (
            json!({"token": first, "name": "Ada", "password": "ada@example.com"}),
            "password",
        ),
    ];
    for (body, field) in cases {
        let answer = app.post("/v1/sign-ups/complete", &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!(field)),
            "{body}"
        );
    }
    let chosen = |token: &str| json!({"token": token, "name": "Ada", "password": PASSWORD});
    assert_eq!(app.post("/v1/sign-ups/complete", &chosen(first)).await.status, 201);
    // The other links were for the same account.
    assert_eq!(
        app.post("/v1/sign-ups/complete", &chosen(last)).await.body["code"],
        json!("link_ended")
    );
    app.post("/v1/sign-ups", &json!({"email": "eve@example.com"})).await;
    let late = app.mail().await;
    app.wait(24 * 3600);
    assert_eq!(
        app.post("/v1/sign-ups/complete", &chosen(token_of(&late[0])))
            .await
            .status,
        409
    );
}

#[tokio::test]
async fn one_caller_leaves_the_requests_of_another() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.person("ada@example.com").await, app.person("eve@example.com").await);
    for _ in 0..300 {
        assert_eq!(app.as_person(Method::GET, "/v1/me", &ada, None).await.status, 200);
    }
    let answer = app.as_person(Method::GET, "/v1/me", &ada, None).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("1")));
    assert_eq!(app.as_person(Method::GET, "/v1/me", &eve, None).await.status, 200);
    app.wait(1);
    assert_eq!(app.as_person(Method::GET, "/v1/me", &ada, None).await.status, 200);
}

/// The promise: what is answered to whom takes no less than the slowest of all comparisons, so that the time tells nothing.
#[tokio::test]
async fn every_answer_takes_its_time() {
    let app = TestApp::start().await;
    for email in ["ada@example.com", "blocked@example.com", "old@example.com"] {
        app.person(email).await;
    }
    for sql in [
        "UPDATE overseers SET blocked_at = now() WHERE id = (SELECT overseer_id FROM profiles WHERE email = 'blocked@example.com')",
        "UPDATE passwords SET hash = '$2b$04$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu' WHERE overseer_id = (SELECT overseer_id FROM profiles WHERE email = 'old@example.com')",
    ] {
        sqlx::query(sql).execute(&app.owner).await.unwrap();
    }
    let floor = Duration::from_millis(300);
    let app = app.with_settings(&[("PINFOLD_LOGIN_MILLISECONDS", "300".to_owned())]);
    app.refresh_keys().await;
    let login = |email: &str, password: &str| ("/v1/sessions", json!({"email": email, "password": password}));
    let cases = [
        (login("nobody@example.com", "not the password"), 401),
        (login("ada@example.com", "not the password"), 401),
        (login("blocked@example.com", PASSWORD), 401),
        (login("old@example.com", "not the password"), 401),
        (login("ada@example.com", PASSWORD), 201),
        (("/v1/password-resets", json!({"email": "nobody@example.com"})), 202),
        (("/v1/password-resets", json!({"email": "ada@example.com"})), 202),
        (("/v1/sign-ups", json!({"email": "nobody@example.com"})), 202),
        (("/v1/sign-ups", json!({"email": "ada@example.com"})), 202),
    ];
    for ((path, body), status) in cases {
        let asked = Instant::now();
        let answer = app.post(path, &body).await;
        assert_eq!(answer.status, status, "{path} {body}: {:?}", answer.body);
        assert!(asked.elapsed() >= floor, "{path} {body}: {:?}", asked.elapsed());
    }
    // Who asks too often hears so as late.
    let last = async {
        loop {
            let asked = Instant::now();
            let (path, body) = login("ada@example.com", "not the password");
            let answer = app.post(path, &body).await;
            if answer.status == 429 {
                return asked.elapsed();
            }
        }
    };
    let last = last.await;
    assert!(last >= floor, "{last:?}");
}
