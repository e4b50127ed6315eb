use axum::http::Method;
use serde_json::{Value, json};

use crate::testing::{Answer, PASSWORD, TestAgent, TestApp, TestPerson, borrowed, logged_in, token_of};

pub(crate) async fn post(app: &TestApp, person: &TestPerson, path: &str, body: &Value) -> Answer {
    app.as_person(Method::POST, path, person, Some(body)).await
}

pub(super) async fn get(app: &TestApp, person: &TestPerson, path: &str) -> Answer {
    app.as_person(Method::GET, path, person, None).await
}

pub(crate) async fn made(app: &TestApp, owner: &TestPerson, name: &str) {
    let answer = post(app, owner, "/v1/tenants", &json!({"name": name})).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
}

/// Somebody who was invited, with an account, and has accepted.
pub(crate) async fn joined(app: &TestApp, inviter: &TestPerson, tenant: &str, email: &str, role: &str) -> TestPerson {
    let person = app.person(email).await;
    let path = format!("/v1/tenants/{tenant}/invitations");
    let sent = post(app, inviter, &path, &json!({"email": email, "role": role})).await;
    assert_eq!(sent.status, 201, "{:?}", sent.body);
    let mail = app.mail().await;
    let answer = post(
        app,
        &person,
        "/v1/invitations/accept",
        &json!({"token": token_of(&mail[0])}),
    )
    .await;
    assert_eq!(answer.told(), (204, &Value::Null));
    person
}

pub(super) fn problem(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_tenant_is_its_members_and_nobody_elses() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.person("ada@example.com").await, app.person("eve@example.com").await);
    let answer = post(&app, &ada, "/v1/tenants", &json!({"name": "acme"})).await;
    let acme = json!({
        "id": answer.body["id"], "name": "acme", "kind": "team", "plan": "standard",
        "created_at": "2027-01-15T08:00:00Z", "resource": {"state": "pending"},
    });
    assert_eq!(answer.told(), (201, &acme));
    assert_eq!(get(&app, &ada, "/v1/tenants/acme").await.told(), (200, &acme));

    let listed = get(&app, &ada, "/v1/tenants").await;
    let own = &listed.body["tenants"][1];
    let wanted = json!({"tenants": [
        {"id": acme["id"], "name": "acme", "kind": "team", "plan": "standard", "role": "owner", "created_at": "2027-01-15T08:00:00Z"},
        {"id": own["id"], "name": own["name"], "kind": "personal", "plan": "standard", "role": "owner", "created_at": "2027-01-15T08:00:00Z"},
    ], "next_page_token": null});
    assert_eq!(listed.told(), (200, &wanted));
    assert_eq!(
        get(&app, &eve, "/v1/tenants").await.body["tenants"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    // To others it is as if there were none: the same answer for hers, for none, and for what cannot be a name.
    let none = get(&app, &eve, "/v1/tenants/nothing").await;
    assert_eq!(problem(&none), (404, "not_found"));
    for path in [
        "/v1/tenants/acme",
        "/v1/tenants/ACME",
        "/v1/tenants/shadow",
        "/v1/tenants/..%2facme",
    ] {
        assert_eq!(get(&app, &eve, path).await.told(), none.told(), "{path}");
    }
    for path in ["members", "invitations", "api-keys", "runs"] {
        let path = format!("/v1/tenants/acme/{path}");
        assert_eq!(get(&app, &eve, &path).await.told(), none.told(), "{path}");
        let refused = post(&app, &eve, &path, &json!({})).await.status;
        assert!(!refused.is_success(), "{path}");
    }
    let ended = app.as_person(Method::DELETE, "/v1/tenants/acme", &eve, None).await;
    assert_eq!(ended.told(), none.told());
}

#[tokio::test]
async fn names_are_labels_and_belong_to_one() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.person("ada@example.com").await, app.person("eve@example.com").await);
    for bad in [
        "",
        "Acme",
        "-a",
        "a-",
        "a.b",
        "a b",
        "u-0123",
        "shadow",
        &"a".repeat(57),
    ] {
        let answer = post(&app, &ada, "/v1/tenants", &json!({"name": bad})).await;
        assert_eq!(
            (problem(&answer), &answer.body["field"]),
            ((400, "invalid_request"), &json!("name")),
            "{bad}"
        );
    }
    made(&app, &ada, "acme").await;
    assert_eq!(
        problem(&post(&app, &eve, "/v1/tenants", &json!({"name": "acme"})).await),
        (409, "name_taken")
    );
    // Each owns a personal one already.
    for number in 2..20 {
        made(&app, &ada, &format!("t{number}")).await;
    }
    assert_eq!(
        problem(&post(&app, &ada, "/v1/tenants", &json!({"name": "more"})).await),
        (409, "too_many_tenants")
    );
    let own = get(&app, &ada, "/v1/tenants").await.body["tenants"][19]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/tenants/{own}");
    let kept = app.as_person(Method::DELETE, &path, &ada, None).await;
    assert_eq!(problem(&kept), (409, "personal_tenant"));
    let ended = app.as_person(Method::DELETE, "/v1/tenants/acme", &ada, None).await;
    assert_eq!(ended.told(), (204, &Value::Null));
    assert_eq!(problem(&get(&app, &ada, "/v1/tenants/acme").await), (404, "not_found"));
    assert_eq!(
        problem(&post(&app, &eve, "/v1/tenants", &json!({"name": "acme"})).await),
        (409, "name_taken")
    );
}

/// AU-01 for what a role may do: each of a tenant's operations, as each role.
#[tokio::test]
async fn each_role_does_what_it_may() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let mut people = vec![("owner", ada.clone())];
    for role in ["admin", "developer", "billing", "viewer"] {
        let person = joined(&app, &ada, "acme", &format!("{role}@example.com"), role).await;
        people.push((role, person));
    }
    let missing = "00000000-0000-0000-0000-0000000000ff";
    // Operations that pass the gate end in 200, 400, 404 or 503 here, for there is no cluster and no such thing.
    let operations = [
        (
            Method::GET,
            "/v1/tenants/acme".to_owned(),
            json!({}),
            "owner admin developer billing viewer",
        ),
        (
            Method::GET,
            "/v1/tenants/acme/members".to_owned(),
            json!({}),
            "owner admin developer billing viewer",
        ),
        (
            Method::GET,
            "/v1/tenants/acme/invitations".to_owned(),
            json!({}),
            "owner admin developer billing viewer",
        ),
        (
            Method::POST,
            "/v1/tenants/acme/invitations".to_owned(),
            json!({"email": "x", "role": "viewer"}),
            "owner admin",
        ),
        (
            Method::DELETE,
            format!("/v1/tenants/acme/invitations/{missing}"),
            json!({}),
            "owner admin",
        ),
        (
            Method::PATCH,
            format!("/v1/tenants/acme/members/{missing}"),
            json!({"role": "viewer"}),
            "owner admin",
        ),
        (
            Method::DELETE,
            format!("/v1/tenants/acme/members/{missing}"),
            json!({}),
            "owner admin",
        ),
        (
            Method::GET,
            "/v1/tenants/acme/api-keys".to_owned(),
            json!({}),
            "owner admin developer",
        ),
        (
            Method::POST,
            "/v1/tenants/acme/api-keys".to_owned(),
            json!({"name": "", "scopes": []}),
            "owner admin",
        ),
        (
            Method::DELETE,
            format!("/v1/tenants/acme/api-keys/{missing}"),
            json!({}),
            "owner admin",
        ),
        (
            Method::GET,
            "/v1/tenants/acme/runs".to_owned(),
            json!({}),
            "owner admin developer viewer",
        ),
        (
            Method::POST,
            "/v1/tenants/acme/runs".to_owned(),
            json!({"template": "python"}),
            "owner admin developer",
        ),
        (
            Method::GET,
            "/v1/tenants/acme/runs/x".to_owned(),
            json!({}),
            "owner admin developer viewer",
        ),
        (
            Method::GET,
            "/v1/tenants/acme/runs/x/log".to_owned(),
            json!({}),
            "owner admin developer viewer",
        ),
        (
            Method::POST,
            "/v1/tenants/acme/runs/x/cancel".to_owned(),
            json!({}),
            "owner admin developer",
        ),
        (
            Method::DELETE,
            "/v1/tenants/acme/runs/x".to_owned(),
            json!({}),
            "owner admin developer",
        ),
        (Method::DELETE, "/v1/tenants/acme".to_owned(), json!({}), "owner"),
    ];
    // The last ends the tenant, so the owner comes last.
    people.reverse();
    for (method, path, body, may) in operations {
        for (role, person) in &people {
            let answer = app.as_person(method.clone(), &path, person, Some(&body)).await;
            let passed = problem(&answer) != (403, "forbidden");
            let wanted = may.split(' ').any(|name| name == *role);
            assert_eq!(passed, wanted, "{method} {path} as {role}: {:?}", answer.told());
        }
    }
}

#[tokio::test]
async fn nobody_gives_or_takes_more_than_they_have() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let admin = joined(&app, &ada, "acme", "admin@example.com", "admin").await;
    let viewer = joined(&app, &ada, "acme", "viewer@example.com", "viewer").await;
    let member = |person: &TestPerson| format!("/v1/tenants/acme/members/{}", person.id);
    let role = |role: &str| json!({"role": role});
    let change = async |by: &TestPerson, of: &TestPerson, to: &str| {
        app.as_person(Method::PATCH, &member(of), by, Some(&role(to))).await
    };
    assert_eq!(problem(&change(&admin, &viewer, "owner").await), (403, "forbidden"));
    assert_eq!(problem(&change(&admin, &ada, "viewer").await), (403, "forbidden"));
    assert_eq!(problem(&change(&admin, &admin, "owner").await), (403, "forbidden"));
    let owner_invited = json!({"email": "x@example.com", "role": "owner"});
    let invite = post(&app, &admin, "/v1/tenants/acme/invitations", &owner_invited).await;
    assert_eq!(problem(&invite), (403, "forbidden"));
    let raised = change(&admin, &viewer, "developer").await;
    assert_eq!(
        (raised.status.as_u16(), &raised.body["role"]),
        (200, &json!("developer"))
    );
    assert_eq!(problem(&change(&ada, &ada, "viewer").await), (409, "last_owner"));
    let leave = app.as_person(Method::DELETE, &member(&ada), &ada, None).await;
    assert_eq!(problem(&leave), (409, "last_owner"));
    let removed = app.as_person(Method::DELETE, &member(&ada), &admin, None).await;
    assert_eq!(problem(&removed), (403, "forbidden"));
    // Whoever is no owner any more has not made one either.
    assert_eq!(change(&ada, &admin, "owner").await.status, 200);
    let invited = post(&app, &admin, "/v1/tenants/acme/invitations", &owner_invited).await;
    assert_eq!(invited.status, 201);
    assert_eq!(change(&ada, &admin, "viewer").await.status, 200);
    let open = get(&app, &ada, "/v1/tenants/acme/invitations").await;
    assert_eq!(open.told(), (200, &json!({"invitations": [], "next_page_token": null})));
    // A role that was taken is gone with the next request, in every replica.
    let replica = app.replica();
    let path = "/v1/tenants/acme/invitations";
    let body = json!({"email": "y@example.com", "role": "viewer"});
    let after = replica.as_person(Method::POST, path, &admin, Some(&body)).await;
    assert_eq!(problem(&after), (403, "forbidden"));
    let left = app.as_person(Method::DELETE, &member(&viewer), &viewer, None).await;
    assert_eq!(left.told(), (204, &Value::Null));
    assert_eq!(
        problem(&replica.as_person(Method::GET, "/v1/tenants/acme", &viewer, None).await),
        (404, "not_found")
    );
}

#[tokio::test]
async fn an_invitation_opens_an_account_and_is_used_once() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    app.wait(1);
    let path = "/v1/tenants/acme/invitations";
    let invited = post(
        &app,
        &ada,
        path,
        &json!({"email": "Bob@example.com", "role": "developer"}),
    )
    .await;
    let wanted = json!({
        "id": invited.body["id"], "email": "Bob@example.com", "role": "developer", "invited_by": ada.id,
        "created_at": "2027-01-15T08:00:01Z", "expires_at": "2027-01-22T08:00:01Z",
    });
    assert_eq!(invited.told(), (201, &wanted));
    let first = app.mail().await;
    // Invited anew, the first link ends.
    assert_eq!(
        post(&app, &ada, path, &json!({"email": "bob@example.com", "role": "viewer"}))
            .await
            .status,
        201
    );
    let second = app.mail().await;
    let chosen = |mail: &[String]| json!({"token": token_of(&mail[0]), "name": "Bob", "password": PASSWORD});
    assert_eq!(
        problem(&app.post("/v1/sign-ups/complete", &chosen(&first)).await),
        (409, "link_ended")
    );
    let bob = logged_in(&app.post("/v1/sign-ups/complete", &chosen(&second)).await);
    let seat = get(&app, &bob, "/v1/tenants").await;
    assert_eq!(
        (&seat.body["tenants"][0]["name"], &seat.body["tenants"][0]["role"]),
        (&json!("acme"), &json!("viewer"))
    );
    let again = post(
        &app,
        &ada,
        "/v1/invitations/accept",
        &json!({"token": token_of(&second[0])}),
    )
    .await;
    assert_eq!(problem(&again), (409, "link_ended"));
    let members = get(&app, &bob, "/v1/tenants/acme/members").await;
    let wanted = json!({"members": [
        {"overseer_id": ada.id, "role": "owner", "email": "ada@example.com", "name": "Ada Lovelace", "created_at": "2027-01-15T08:00:00Z"},
        {"overseer_id": bob.id, "role": "viewer", "email": "bob@example.com", "name": "Bob", "created_at": "2027-01-15T08:00:01Z"},
    ], "next_page_token": null});
    assert_eq!(members.told(), (200, &wanted));
    assert_eq!(
        problem(&post(&app, &ada, path, &json!({"email": "bob@example.com", "role": "admin"})).await),
        (409, "already_member")
    );
    // Withdrawn, or too late, a link is none.
    let withdrawn = post(&app, &ada, path, &json!({"email": "c@example.com", "role": "viewer"})).await;
    let mail = app.mail().await;
    let id = withdrawn.body["id"].as_str().unwrap();
    assert_eq!(
        app.as_person(Method::DELETE, &format!("{path}/{id}"), &ada, None)
            .await
            .status,
        204
    );
    assert_eq!(
        problem(&app.post("/v1/sign-ups/complete", &chosen(&mail)).await),
        (409, "link_ended")
    );
}

#[tokio::test]
async fn a_key_does_what_it_was_made_for() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    made(&app, &ada, "other").await;
    let wanted = json!({"name": "ci", "scopes": ["members:read", "tenant:read", "tenant:read"], "expires_at": "2027-01-16T08:00:00Z"});
    let new = post(&app, &ada, "/v1/tenants/acme/api-keys", &wanted).await;
    let secret = new.body["secret"].as_str().unwrap().to_owned();
    let mut key = json!({
        "id": new.body["id"], "kind": "tenant", "name": "ci", "hint": &secret[..8], "overseer_id": ada.id,
        "scopes": ["tenant:read", "members:read"], "created_at": "2027-01-15T08:00:00Z",
        "expires_at": "2027-01-16T08:00:00Z", "used_at": null, "revoked_at": null,
    });
    let listed = get(&app, &ada, "/v1/tenants/acme/api-keys").await;
    assert_eq!(listed.told(), (200, &json!({"keys": [key], "next_page_token": null})));
    key["secret"] = json!(secret);
    assert_eq!(new.told(), (201, &key));

    let by_key = async |path: &str| app.get(path, Some(&secret)).await;
    assert_eq!(by_key("/v1/tenants/acme").await.status, 200);
    assert_eq!(by_key("/v1/tenants/acme/members").await.status, 200);
    assert_eq!(problem(&by_key("/v1/tenants/acme/api-keys").await), (403, "forbidden"));
    assert_eq!(problem(&by_key("/v1/tenants/other").await), (404, "not_found"));
    assert_eq!(problem(&by_key("/v1/me/sessions").await), (403, "forbidden"));
    let me = by_key("/v1/me").await;
    let acme = get(&app, &ada, "/v1/tenants/acme").await.body["id"].clone();
    let wanted = json!({"kind": "api_key", "id": new.body["id"], "tenant_id": acme, "overseer_id": ada.id, "scopes": ["tenant:read", "members:read"]});
    assert_eq!(me.told(), (200, &wanted));
    let used = get(&app, &ada, "/v1/tenants/acme/api-keys").await;
    assert_eq!(used.body["keys"][0]["used_at"], json!("2027-01-15T08:00:00Z"));

    let path = format!("/v1/tenants/acme/api-keys/{}", new.body["id"].as_str().unwrap());
    let replica = app.replica();
    assert_eq!(replica.get("/v1/tenants/acme", Some(&secret)).await.status, 200);
    assert_eq!(app.as_person(Method::DELETE, &path, &ada, None).await.status, 204);
    assert_eq!(replica.get("/v1/tenants/acme", Some(&secret)).await.status, 401);
    assert_eq!(app.as_person(Method::DELETE, &path, &ada, None).await.status, 404);
    let forged = format!("{}0", &secret[..secret.len() - 1]);
    assert_eq!(app.get("/v1/tenants/acme", Some(&forged)).await.status, 401);
}

#[tokio::test]
async fn a_personal_key_is_its_owner_within_its_scopes() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let viewer = joined(&app, &ada, "acme", "viewer@example.com", "viewer").await;
    let new = post(
        &app,
        &viewer,
        "/v1/me/api-keys",
        &json!({"name": "mine", "scopes": ["tenant:read", "members:write"]}),
    )
    .await;
    let secret = new.body["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("pfp_"), "{secret}");
    assert_eq!(app.get("/v1/tenants/acme", Some(&secret)).await.status, 200);
    // The role does not give what the key was made for, and the key was not made for what the role gives.
    let body = json!({"email": "x@example.com", "role": "viewer"});
    let invited = app
        .with_token(Method::POST, "/v1/tenants/acme/invitations", &secret, Some(&body))
        .await;
    assert_eq!(problem(&invited), (403, "forbidden"));
    assert_eq!(
        problem(&app.get("/v1/tenants/acme/members", Some(&secret)).await),
        (403, "forbidden")
    );
    assert_eq!(
        app.get("/v1/tenants", Some(&secret)).await.body["tenants"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // Removed from the tenant, the key is, too.
    let path = format!("/v1/tenants/acme/members/{}", viewer.id);
    assert_eq!(app.as_person(Method::DELETE, &path, &ada, None).await.status, 204);
    assert_eq!(
        problem(&app.get("/v1/tenants/acme", Some(&secret)).await),
        (404, "not_found")
    );
    for (body, field) in [
        (json!({"name": "", "scopes": ["runs:read"]}), "name"),
        (json!({"name": "x", "scopes": []}), "scopes"),
        (json!({"name": "x", "scopes": ["runs:read", "everything"]}), "scopes[1]"),
        (json!({"name": "x", "scopes": ["runs:read"], "kind": "tenant"}), "kind"),
        (
            json!({"name": "x", "scopes": ["runs:read"], "expires_at": "tomorrow"}),
            "expires_at",
        ),
        (
            json!({"name": "x", "scopes": ["runs:read"], "expires_at": "2027-01-15T08:00:00Z"}),
            "expires_at",
        ),
        (json!({"name": "x", "scopes": ["runs:read"], "tier": "gold"}), "tier"),
    ] {
        let answer = post(&app, &ada, "/v1/me/api-keys", &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!(field)),
            "{body}"
        );
    }
    // Nobody makes a key with rights that they lack.
    let admin = joined(&app, &ada, "acme", "admin@example.com", "admin").await;
    let more = post(
        &app,
        &admin,
        "/v1/tenants/acme/api-keys",
        &json!({"name": "x", "scopes": ["tenant:delete"]}),
    )
    .await;
    assert_eq!(problem(&more), (403, "forbidden"));
}

#[tokio::test]
async fn a_person_registers_agents_that_work_in_the_tenant() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    made(&app, &ada, "acme").await;
    let path = "/v1/tenants/acme/agents";
    let mut listed = Vec::new();
    let mut last = None;
    for number in 0..5 {
        let mut agent = TestAgent::new();
        let name = format!("scout {number}");
        let body = agent.registration(&name, app.now());
        let answer = post(&app, &ada, path, &body).await;
        let (id, key) = (answer.body["agent_id"].clone(), answer.body["key_id"].clone());
        let wanted = json!({"agent_id": id, "key_id": key, "name": name, "expires_at": null});
        assert_eq!(answer.told(), (201, &wanted));
        assert_eq!(problem(&post(&app, &ada, path, &body).await), (409, "key_used"));
        agent.id = id.as_str().unwrap().to_owned();
        agent.key_id = key.as_str().unwrap().to_owned();
        let at = app.state.clock.now().to_string();
        listed.push(json!({"id": agent.id, "name": name, "owner_id": ada.id, "created_at": at}));
        last = Some(agent);
        app.wait(1);
    }
    // Pages show each agent once, and those that come in the meantime at the end.
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = get(&app, &ada, &format!("{path}?limit=2{next}")).await;
        seen.extend(page.body["agents"].as_array().unwrap().clone());
        match page.body["next_page_token"].as_str() {
            Some(token) => next = format!("&page_token={token}"),
            None => break,
        }
    }
    assert_eq!(seen, listed);
    let agent = last.unwrap();
    let token = app.token(&agent).await;
    let me = app.get("/v1/me", Some(&token)).await;
    let scopes = json!([
        "self",
        "tenant:read",
        "agents:read",
        "templates:read",
        "runs:read",
        "runs:write"
    ]);
    assert_eq!((&me.body["owner_id"], &me.body["scopes"]), (&json!(ada.id), &scopes));
    assert_eq!(app.get("/v1/tenants/acme", Some(&token)).await.status, 200);
    assert_eq!(
        problem(&app.get("/v1/tenants/acme/members", Some(&token)).await),
        (403, "forbidden")
    );
    assert_eq!(
        problem(&app.get("/v1/tenants/shadow", Some(&token)).await),
        (404, "not_found")
    );
    // It may ask for less, and gets no more than there is.
    let narrow = async |scope: &str| {
        let mut form = agent.answer(&app.challenge(&agent).await);
        form.push(("scope", scope.to_owned()));
        app.form("/oauth/token", &borrowed(&form)).await
    };
    let less = narrow("runs:read members:write").await.body;
    assert_eq!(less["scope"], json!("runs:read"));
    let less = less["access_token"].as_str();
    let refused = app.get("/v1/me/keys", less).await;
    assert_eq!(problem(&refused), (403, "forbidden"));
    assert_eq!(
        refused.body["detail"],
        json!("this needs the scope self, which your token does not have: ask for one with it")
    );
    assert_eq!(app.get("/v1/tenants/acme/agents", less).await.status, 403);
    assert_eq!(narrow("members:write").await.body["error"], json!("invalid_scope"));
    assert_eq!(narrow("everything").await.body["error"], json!("invalid_scope"));
    // An agent that registered itself shares a tenant, and sees nothing of it.
    let alone = app.agent().await;
    let token = app.token(&alone).await;
    assert_eq!(app.get("/v1/me", Some(&token)).await.body["scopes"], json!(["self"]));
    assert_eq!(
        problem(&app.get("/v1/tenants/shadow", Some(&token)).await),
        (403, "forbidden")
    );
}
