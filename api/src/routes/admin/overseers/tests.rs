use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    routes::tenants::tests::{made, post},
    testing::{Answer, PASSWORD, TestAgent, TestApp, TestPerson, borrowed},
};

const PATH: &str = "/v1/admin/overseers";

async fn admin(app: &TestApp) -> TestPerson {
    let root = app.person("root@example.com").await;
    sqlx::query("UPDATE overseers SET platform_admin = true WHERE id = $1::uuid")
        .bind(&root.id)
        .execute(&app.owner)
        .await
        .unwrap();
    root
}

fn problem(answer: &Answer) -> (u16, &Value) {
    (answer.status.as_u16(), &answer.body["code"])
}

#[tokio::test]
async fn those_who_run_the_platform_see_people_page_by_page() {
    let app = TestApp::start().await;
    let root = admin(&app).await;
    let mut all = vec![(root.id.clone(), "root@example.com".to_owned())];
    for number in 0..4 {
        app.wait(1);
        let email = format!("p{number}@example.com");
        all.push((app.person(&email).await.id, email));
    }
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = app
            .as_person(Method::GET, &format!("{PATH}?limit=2{next}"), &root, None)
            .await;
        assert_eq!(page.status, 200, "{:?}", page.body);
        for person in page.body["overseers"].as_array().unwrap() {
            let text = |name: &str| person[name].as_str().unwrap().to_owned();
            seen.push((text("id"), text("email")));
        }
        match page.body["next_page_token"].as_str() {
            Some(token) => next = format!("&page_token={token}"),
            None => break,
        }
    }
    assert_eq!(seen, all);
    let one = app
        .as_person(Method::GET, &format!("{PATH}?email=P3@example.com"), &root, None)
        .await;
    let id = &all[4].0;
    let wanted = json!({
        "id": id, "email": "p3@example.com", "name": "Ada Lovelace", "created_at": one.body["overseers"][0]["created_at"],
        "platform_admin": false, "blocked": false,
    });
    assert_eq!(
        one.told(),
        (200, &json!({"overseers": [wanted], "next_page_token": null}))
    );
    let found = app.as_person(Method::GET, &format!("{PATH}/{id}"), &root, None).await;
    assert_eq!(found.told(), (200, &wanted));
    let nobody = format!("{PATH}/0198c5b4-5a0e-7000-8000-00000000000d");
    assert_eq!(
        problem(&app.as_person(Method::GET, &nobody, &root, None).await),
        (404, &json!("not_found"))
    );
}

#[tokio::test]
async fn nobody_else_does() {
    let app = TestApp::start().await;
    let root = admin(&app).await;
    let eve = app.person("eve@example.com").await;
    let own = format!("{PATH}/{}", root.id);
    for (method, path) in [
        (Method::GET, PATH.to_owned()),
        (Method::GET, own.clone()),
        (Method::POST, format!("{own}/block")),
        (Method::POST, format!("{own}/unblock")),
    ] {
        let answer = app.as_person(method, &path, &eve, None).await;
        assert_eq!(problem(&answer), (403, &json!("forbidden")), "{path}");
    }
    assert_eq!(app.as_person(Method::GET, PATH, &root, None).await.status, 200);
}

/// What they own acts no more either; what the tenant runs in the cluster is the tenant's.
#[tokio::test]
async fn agents_of_the_blocked_prove_nothing() {
    let app = TestApp::start().await;
    let root = admin(&app).await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let mut agents = Vec::new();
    for name in ["scout", "of-a-resource"] {
        let mut agent = TestAgent::new();
        let body = agent.registration(name, app.now());
        let answer = post(&app, &ada, "/v1/tenants/acme/agents", &body).await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
        let text = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
        (agent.id, agent.key_id) = (text("agent_id"), text("key_id"));
        agents.push((app.token(&agent).await, agent));
    }
    sqlx::query("UPDATE agents SET resource_name = name WHERE name = 'of-a-resource'")
        .execute(&app.owner)
        .await
        .unwrap();
    let seen = async || {
        let mut all = Vec::new();
        for (token, agent) in &agents {
            let form = agent.answer(&app.challenge(agent).await);
            let proved = app.form("/oauth/token", &borrowed(&form)).await;
            let me = app.get("/v1/me", Some(token)).await;
            all.push((proved.status.as_u16(), me.status.as_u16()));
        }
        all
    };
    assert_eq!(seen().await, [(200, 200), (200, 200)]);
    for (verb, wanted) in [("block", (400, 401)), ("unblock", (200, 200))] {
        let path = format!("{PATH}/{}/{verb}", ada.id);
        let done = app.as_person(Method::POST, &path, &root, None).await;
        assert_eq!(done.status, 200, "{:?}", done.body);
        assert_eq!(seen().await, [wanted, (200, 200)], "{verb}");
    }
}

#[tokio::test]
async fn who_is_blocked_is_out_until_unblocked() {
    let app = TestApp::start().await;
    let root = admin(&app).await;
    let ada = app.person("ada@example.com").await;
    let key = json!({"name": "ci", "scopes": ["runs:read"]});
    let key = app.as_person(Method::POST, "/v1/me/api-keys", &ada, Some(&key)).await;
    let secret = key.body["secret"].as_str().unwrap().to_owned();
    let set = async |whom: &str, verb: &str| {
        app.as_person(Method::POST, &format!("{PATH}/{whom}/{verb}"), &root, None)
            .await
    };
    let login = async || {
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        app.post("/v1/sessions", &body).await.status.as_u16()
    };
    let by_key = async || {
        app.with_token(Method::GET, "/v1/tenants", &secret, None)
            .await
            .status
            .as_u16()
    };
    assert_eq!(by_key().await, 200);
    let itself = set(&root.id, "block").await;
    assert_eq!(
        (itself.status.as_u16(), &itself.body["field"]),
        (400, &json!("overseer"))
    );
    for _ in 0..2 {
        let blocked = set(&ada.id, "block").await;
        assert_eq!((blocked.status.as_u16(), &blocked.body["blocked"]), (200, &json!(true)));
    }
    assert_eq!(app.as_person(Method::GET, "/v1/me", &ada, None).await.status, 401);
    assert_eq!((by_key().await, login().await), (401, 401));
    let free = set(&ada.id, "unblock").await;
    assert_eq!((free.status.as_u16(), &free.body["blocked"]), (200, &json!(false)));
    // Her key works again; her old login has ended for good.
    assert_eq!(app.as_person(Method::GET, "/v1/me", &ada, None).await.status, 401);
    assert_eq!((by_key().await, login().await), (200, 201));
    let done: Vec<(String, String)> = sqlx::query_as(
        "SELECT action, actor_id::text FROM audit_events WHERE action IN ('account.block', 'account.unblock') ORDER BY id",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert_eq!(
        done,
        ["account.block", "account.unblock"].map(|action| (action.to_owned(), root.id.clone()))
    );
}
