use axum::http::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::testing::{PASSWORD, TestApp, TestPerson, token_of};

async fn delete(app: &TestApp, person: &TestPerson, password: &str) -> (u16, Value) {
    let body = json!({"current_password": password});
    let answer = app.as_person(Method::DELETE, "/v1/me", person, Some(&body)).await;
    let told = if answer.status == 204 {
        Value::Null
    } else {
        answer.body.clone()
    };
    (answer.status.as_u16(), told)
}

/// Tables that hold this text anywhere.
async fn tables_with(owner: &PgPool, text: &str) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1",
    )
    .fetch_all(owner)
    .await
    .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let query = format!("SELECT EXISTS (SELECT FROM {table} AS t WHERE t::text ILIKE '%{text}%')");
        let holds: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .fetch_one(owner)
            .await
            .unwrap();
        if holds {
            found.push(table);
        }
    }
    found
}

#[tokio::test]
async fn an_account_goes_with_all_that_says_whose_it_was() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let bob = app.person("bob@example.com").await;
    let me = app.as_person(Method::GET, "/v1/me", &ada, None).await;
    let own = app.as_person(Method::GET, "/v1/tenants", &ada, None).await;
    let own = own.body["tenants"][0]["name"].as_str().unwrap().to_owned();
    let key = json!({"name": "ada's laptop", "scopes": ["runs:read"]});
    let key = app.as_person(Method::POST, "/v1/me/api-keys", &ada, Some(&key)).await;
    let secret = key.body["secret"].as_str().unwrap().to_owned();
    app.post("/v1/password-resets", &json!({"email": "ada@example.com"}))
        .await;

    let team = app
        .as_person(Method::POST, "/v1/tenants", &ada, Some(&json!({"name": "acme"})))
        .await;
    assert_eq!(team.status, 201);
    let invited = json!({"email": "bob@example.com", "role": "owner"});
    let invited = app
        .as_person(Method::POST, "/v1/tenants/acme/invitations", &ada, Some(&invited))
        .await;
    assert_eq!(invited.status, 201);

    // Neither a wrong password nor a tenant that would have no owner changes anything.
    let (status, told) = delete(&app, &ada, "not this password").await;
    assert_eq!((status, &told["field"]), (400, &json!("current_password")));
    let (status, told) = delete(&app, &ada, PASSWORD).await;
    let message = "make somebody else an owner of acme, or end it, and ask again";
    assert_eq!(
        (status, &told["code"], &told["detail"]),
        (409, &json!("last_owner"), &json!(message))
    );
    assert_eq!(app.as_person(Method::GET, "/v1/me", &ada, None).await.told(), me.told());

    let mail = app.mail().await;
    let mail = mail.iter().find(|mail| mail.contains("To: bob@example.com")).unwrap();
    let accepted = json!({"token": token_of(mail)});
    let accepted = app
        .as_person(Method::POST, "/v1/invitations/accept", &bob, Some(&accepted))
        .await;
    assert_eq!(accepted.status, 204, "{:?}", accepted.body);
    assert_eq!(delete(&app, &ada, PASSWORD).await, (204, Value::Null));

    // Nothing proves her any more, and nobody finds her.
    assert_eq!(app.as_person(Method::GET, "/v1/me", &ada, None).await.status, 401);
    assert_eq!(
        app.with_token(Method::GET, "/v1/tenants", &secret, None).await.status,
        401
    );
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    let unknown = json!({"email": "eve@example.com", "password": PASSWORD});
    let (login, unknown) = (
        app.post("/v1/sessions", &login).await,
        app.post("/v1/sessions", &unknown).await,
    );
    assert_eq!(login.told(), unknown.told());
    assert_eq!(login.status, 401);
    let members = app.as_person(Method::GET, "/v1/tenants/acme/members", &bob, None).await;
    let members = members.body["members"].as_array().unwrap().iter();
    let ids: Vec<&str> = members.map(|member| member["overseer_id"].as_str().unwrap()).collect();
    assert_eq!(ids, [bob.id.as_str()]);
    for text in ["ada@example", "ada\'\'s laptop"] {
        assert_eq!(tables_with(&app.owner, text).await, Vec::<String>::new(), "{text}");
    }
    let ended: bool = sqlx::query_scalar("SELECT deleted_at IS NOT NULL FROM tenants WHERE name = $1")
        .bind(&own)
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert!(ended, "the tenant of her own");
    let done: Vec<String> = sqlx::query_scalar("SELECT action FROM audit_events WHERE action ~ 'delete' ORDER BY id")
        .fetch_all(&app.owner)
        .await
        .unwrap();
    assert_eq!(done, ["member.delete", "tenant.delete", "account.delete"]);

    // The address is free.
    assert_ne!(app.person("ada@example.com").await.id, ada.id);
}
