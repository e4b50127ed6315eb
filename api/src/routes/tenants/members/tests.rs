//! Who belongs to a tenant, page by page, and a change of what was read.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};

use crate::{
    routes::tenants::tests::{get, joined, made, post},
    testing::{Answer, TestApp, TestPerson},
};

/// The rows of a list, in pages of a length; the pages, and what is left of each row.
async fn pages(app: &TestApp, person: &TestPerson, path: &str, limit: usize, row: (&str, &str)) -> Vec<Vec<String>> {
    let (mut all, mut next) = (Vec::new(), String::new());
    loop {
        let page = get(app, person, &format!("{path}limit={limit}{next}")).await;
        assert_eq!(page.status, 200, "{:?}", page.body);
        let rows = page.body[row.0].as_array().unwrap().iter();
        all.push(rows.map(|r| r[row.1].as_str().unwrap().to_owned()).collect());
        match page.body["next_page_token"].as_str() {
            Some(token) => next = format!("&page_token={token}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn lists_of_people_have_pages_and_filters() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let mut viewers = Vec::new();
    for n in 0..2 {
        viewers.push(
            joined(&app, &ada, "acme", &format!("v{n}@example.com"), "viewer")
                .await
                .id,
        );
    }
    let bob = joined(&app, &ada, "acme", "bob@example.com", "developer").await;
    let members = "/v1/tenants/acme/members?";
    let row = ("members", "overseer_id");
    let mut all = [vec![ada.id.clone()], viewers.clone(), vec![bob.id.clone()]].concat();
    all.sort_unstable();
    assert_eq!(pages(&app, &ada, members, 2, row).await, [&all[..2], &all[2..]]);
    assert_eq!(pages(&app, &ada, members, 4, row).await, [&all[..]]);
    viewers.sort_unstable();
    let only = format!("{members}role=viewer&");
    assert_eq!(pages(&app, &ada, &only, 1, row).await, [&viewers[..1], &viewers[1..]]);
    for (wrong, field) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("page_token=x", "page_token"),
        ("role=king", "role"),
    ] {
        let answer = get(&app, &ada, &format!("{members}{wrong}")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!(field)),
            "{wrong}"
        );
    }

    for n in 0..3 {
        app.wait(1);
        let invited = json!({"email": format!("new{n}@example.com"), "role": "viewer"});
        assert_eq!(
            post(&app, &ada, "/v1/tenants/acme/invitations", &invited).await.status,
            201
        );
    }
    let newest_first = pages(&app, &ada, "/v1/tenants/acme/invitations?", 2, ("invitations", "email")).await;
    assert_eq!(
        newest_first,
        [vec!["new2@example.com", "new1@example.com"], vec!["new0@example.com"]]
    );

    made(&app, &ada, "zebra").await;
    let tenants = pages(&app, &ada, "/v1/tenants?", 1, ("tenants", "name")).await.concat();
    assert_eq!(
        (tenants.len(), &tenants[0], &tenants[2]),
        (3, &"acme".to_owned(), &"zebra".to_owned())
    );

    app.post(
        "/v1/sessions",
        &json!({"email": "ada@example.com", "password": crate::testing::PASSWORD}),
    )
    .await;
    let sessions = pages(&app, &ada, "/v1/me/sessions?", 1, ("sessions", "id"))
        .await
        .concat();
    let mut newest = sessions.clone();
    newest.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!((sessions.len(), &sessions), (2, &newest));
}

#[tokio::test]
async fn agents_are_found_by_their_owner() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let bob = joined(&app, &ada, "acme", "bob@example.com", "developer").await;
    for (owner, name) in [(&ada, "scout"), (&bob, "digger")] {
        let body = crate::testing::TestAgent::new().registration(name, app.now());
        let registered = post(&app, owner, "/v1/tenants/acme/agents", &body).await;
        assert_eq!(registered.status, 201, "{:?}", registered.body);
    }
    let of_bob = format!("/v1/tenants/acme/agents?owner={}&", bob.id);
    assert_eq!(pages(&app, &ada, &of_bob, 10, ("agents", "name")).await, [["digger"]]);
    let wrong = get(&app, &ada, "/v1/tenants/acme/agents?owner=bob").await;
    assert_eq!((wrong.status.as_u16(), &wrong.body["field"]), (400, &json!("owner")));
}

#[tokio::test]
async fn a_member_is_changed_as_it_was_read() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let bob = joined(&app, &ada, "acme", "bob@example.com", "viewer").await;
    let path = format!("/v1/tenants/acme/members/{}", bob.id);
    let change = async |version: &str, role: &str| -> Answer {
        let request = Request::builder()
            .method(Method::PATCH)
            .uri(&path)
            .header(header::COOKIE, &ada.cookie)
            .header("x-csrf-token", &ada.csrf)
            .header(header::CONTENT_TYPE, "application/merge-patch+json")
            .header(header::IF_MATCH, version);
        app.send(request.body(Body::from(json!({"role": role}).to_string())).unwrap())
            .await
    };
    let read = get(&app, &ada, &path).await;
    let version = read.header("etag").unwrap().to_owned();
    let changed = change(&version, "developer").await;
    assert_eq!(
        (changed.status.as_u16(), &changed.body["role"]),
        (200, &json!("developer"))
    );
    assert_ne!(changed.header("etag"), Some(version.as_str()));
    let late = change(&version, "billing").await;
    assert_eq!(
        (late.status.as_u16(), &late.body["code"]),
        (412, &json!("precondition_failed"))
    );
    let now = get(&app, &ada, &path).await;
    assert_eq!(
        (&now.body["role"], now.header("etag")),
        (&json!("developer"), changed.header("etag"))
    );
    assert_eq!(now.body["email"], Value::from("bob@example.com"));
}
