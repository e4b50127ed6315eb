//! What goes on for long ends with what allowed it, whichever that was, at the other replica: within a second with Redis, within five without.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use support::api::{Agent, Client, Events, Person, Redis, WebClient, secret};
use tokio::time::timeout;

use crate::stage::Stage;

/// Something that ends, and a follow that ends with it.
struct Case {
    what: &'static str,
    follow: Events,
    end: (Person, &'static str, String, Option<Value>),
}

async fn cases(stage: &Stage, owner: &Person, tenant: &str) -> Vec<Case> {
    let (one, two) = (&stage.one.client, &stage.two.client);
    let log = format!("/v1/tenants/{tenant}/runs/long/log?follow=true");
    let members = format!("/v1/tenants/{tenant}/members");
    let mut cases = Vec::new();
    let mut add = async |what, request, method, path: String, body| {
        let mut follow = two.events(request).await;
        let begun = timeout(Duration::from_secs(30), follow.next())
            .await
            .expect("a line in time");
        assert_eq!(begun.as_deref(), Some("event: line\ndata: begun"), "{what}");
        let by = owner.clone();
        let end = (by, method, path, body);
        cases.push(Case { what, follow, end });
    };
    let guest = async |name: &str| {
        let email = format!("{name}@example.com");
        let person = stage.person(&email).await;
        let invited = json!({"email": email, "role": "viewer"});
        let sent = owner
            .post(one, &format!("/v1/tenants/{tenant}/invitations"), &invited)
            .await;
        assert_eq!(sent.status, 201, "{:?}", sent.body);
        let token = json!({"token": secret(&stage.mail(), &email).await});
        assert_eq!(person.post(one, "/v1/invitations/accept", &token).await.status, 204);
        person
    };
    let leaver = guest("leaver").await;
    let request = leaver.request(two, "GET", &log, None);
    add(
        "a membership",
        request,
        "DELETE",
        format!("{members}/{}", leaver.id),
        None,
    )
    .await;
    let blocked = guest("blocked").await;
    let request = blocked.request(two, "GET", &log, None);
    add(
        "an account",
        request,
        "POST",
        format!("/v1/admin/overseers/{}/block", blocked.id),
        None,
    )
    .await;
    let restricted = guest("restricted").await;
    let request = restricted.request(two, "GET", &log, None);
    let billing = Some(json!({"role": "billing"}));
    add(
        "a role",
        request,
        "PATCH",
        format!("{members}/{}", restricted.id),
        billing,
    )
    .await;
    // The owner's own second login.
    let second = Person::log_in(one, "ada@example.com").await;
    let sessions = second.get(one, "/v1/me/sessions").await;
    let own = sessions.body["sessions"].as_array().expect("sessions").iter();
    let id = own.clone().find(|s| s["current"] == json!(true)).expect("a session")["id"].clone();
    let request = second.request(two, "GET", &log, None);
    add(
        "a login",
        request,
        "DELETE",
        format!("/v1/me/sessions/{}", id.as_str().expect("an id")),
        None,
    )
    .await;
    let key = json!({"name": "ci", "scopes": ["runs:read"]});
    let key = owner
        .post(one, &format!("/v1/tenants/{tenant}/api-keys"), &key)
        .await
        .body;
    let request = two.reading(&log, key["secret"].as_str());
    let path = format!("/v1/tenants/{tenant}/api-keys/{}", key["id"].as_str().expect("an id"));
    add("an API key", request, "DELETE", path, None).await;
    let agent = Agent::of_person(owner, one, tenant, "scout").await;
    let token = agent.token(one).await;
    agent.add_key(one, &token).await;
    let request = two.reading(&log, Some(&token));
    let path = format!("/v1/tenants/{tenant}/agents/{}/keys/{}", agent.id, agent.key_id);
    add("an agent's key", request, "DELETE", path, None).await;
    let agent = Agent::of_person(owner, one, tenant, "digger").await;
    let request = two.reading(&log, Some(&agent.token(one).await));
    add(
        "an agent",
        request,
        "DELETE",
        format!("/v1/tenants/{tenant}/agents/{}", agent.id),
        None,
    )
    .await;
    for what in ["a grant", "a consent", "a client", "a block of a client"] {
        let web = WebClient::register(one, owner, tenant).await;
        let request = two.reading(&log, Some(&web.token(one, owner, tenant).await));
        let (method, path, body) = match what {
            "a grant" => (
                "DELETE",
                format!("/v1/me/grants/{}", its(one, owner, "grants", &web).await),
                None,
            ),
            "a consent" => (
                "DELETE",
                format!("/v1/me/consents/{}", its(one, owner, "consents", &web).await),
                None,
            ),
            "a client" => ("DELETE", format!("/v1/tenants/{tenant}/clients/{}", web.id), None),
            _ => (
                "POST",
                "/v1/me/client-blocks".to_owned(),
                Some(json!({"client_id": web.id})),
            ),
        };
        add(what, request, method, path, body).await;
    }
    cases
}

/// The id of what a person allowed this client, one of the kind.
async fn its(client: &Client, person: &Person, kind: &str, web: &WebClient) -> String {
    let all = person.get(client, &format!("/v1/me/{kind}")).await.body;
    let mut all = all[kind].as_array().expect("a list").iter();
    let one = all
        .find(|one| one["client_id"] == json!(web.id))
        .expect("one of the client");
    one["id"].as_str().expect("an id").to_owned()
}

async fn everything_ends_within(stage: &Stage, limit: Duration) {
    let one = &stage.one.client;
    let ada = stage.person("ada@example.com").await;
    stage.make_admin(&ada).await;
    let tenant = stage.tenant(&ada).await;
    let long = json!({"name": "long", "template": "base", "command": ["sh", "-c", "echo begun; sleep 600"]});
    let made = ada.post(one, &format!("/v1/tenants/{tenant}/runs"), &long).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let cases = cases(stage, &ada, &tenant).await;
    assert_eq!(cases.len(), 11);
    join_all(cases.into_iter().map(async |case| {
        let Case { what, mut follow, end } = case;
        let (by, method, path, body) = end;
        let ended = by.send(one, method, &path, body.as_ref()).await;
        assert!(ended.status.is_success(), "{what}: {:?}", ended.body);
        let since = Instant::now();
        let told = timeout(limit, follow.next()).await;
        assert_eq!(told.ok(), Some(None), "{what}: {:?} of {limit:?}", since.elapsed());
    }))
    .await;
    let gone = ada.send(one, "DELETE", &format!("/v1/tenants/{tenant}"), None).await;
    assert!(gone.status.is_success(), "{:?}", gone.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_it_takes_a_second() {
    let redis = Redis::start("noeviction").await;
    let stage = Stage::with([("REDIS_URL", redis.url())]).await;
    everything_ends_within(&stage, Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_it_takes_five() {
    let stage = Stage::start().await;
    everything_ends_within(&stage, Duration::from_secs(5)).await;
}
