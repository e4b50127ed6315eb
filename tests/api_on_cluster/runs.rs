use crds::{sandbox_run::SandboxRun, tenant::Tenant};
use hyper::header::HeaderValue;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use support::{
    api::{Agent, Answer, Client, secret},
    wait,
};

use crate::stage::Stage;

fn problem(answer: &Answer) -> (u16, &str) {
    (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or_default())
}

fn python(code: &str) -> Value {
    json!({"template": "python", "language": "python", "code": code})
}

/// The lines of a log, and how it ended.
fn lines(events: &Value) -> (Vec<String>, Option<String>) {
    let text = events.as_str().unwrap_or_default();
    let mut lines = Vec::new();
    let mut end = None;
    for event in text.split("\n\n") {
        let data = event.split_once("\ndata: ").map(|(_, data)| data.to_owned());
        match event.lines().next() {
            Some("event: line") => lines.push(data.unwrap_or_default()),
            Some("event: end") => end = data,
            _ => {}
        }
    }
    (lines, end)
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_sign_up_to_a_runs_answer() {
    let stage = Stage::start().await;
    let (one, two) = (&stage.one.client, &stage.two.client);
    let ada = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&ada).await;
    let path = format!("/v1/tenants/{tenant}/runs");

    // An agent of hers proves itself, and starts the run.
    let agent = Agent::of_person(&ada, one, &tenant, "scout").await;
    let token = agent.token(two).await;
    let started = two
        .with_token(
            "POST",
            &format!("{path}?wait=60"),
            &token,
            Some(&python("print('the answer is', 6 * 7)")),
        )
        .await;
    assert_eq!(started.status, 201, "{:?}", started.body);
    let told = |name: &str| started.body[name].clone();
    let wanted = json!({
        "name": told("name"), "uid": told("uid"), "created_at": told("created_at"), "state": "succeeded",
        "reason": "Completed", "message": told("message"), "labels": {}, "template": "python", "image": null,
        "timeout_seconds": 300, "cancel": false, "started_at": told("started_at"), "finished_at": told("finished_at"),
        "exit_code": 0, "signal": null,
        "stdout": {"text": "the answer is 42\n", "truncated": false, "total_bytes": 17},
        "stderr": {"text": "", "truncated": false, "total_bytes": 0},
    });
    assert_eq!(started.body, wanted);

    // Every other door shows the same: the person's, the other replica's, and kubectl's.
    let name = started.body["name"].as_str().unwrap();
    let one_run = format!("{path}/{name}");
    assert_eq!(ada.get(one, &one_run).await.told(), (200, &wanted));
    let listed = ada.get(one, &path).await;
    assert_eq!(
        listed.told(),
        (200, &json!({"runs": [wanted], "next_page_token": null}))
    );
    let runs: Api<SandboxRun> = Api::namespaced(stage.admin.clone(), &format!("tenant-{tenant}"));
    let stored = runs.get(name).await.unwrap();
    let annotation = |key: &str| stored.annotations().get(key).cloned().unwrap_or_default();
    assert_eq!(annotation("pinfold.dev/principal"), format!("agent/{}", agent.id));
    assert_eq!(annotation("pinfold.dev/request-id"), started.headers["x-request-id"]);
    let log = ada.get(two, &format!("{one_run}/log")).await;
    assert_eq!(
        lines(&log.body),
        (vec!["the answer is 42".to_owned()], Some("Completed".to_owned()))
    );

    // The agent starts another, follows its log while it writes, and reads the end of it.
    let mut slow = python("import time\nfor i in range(3):\n    print(i, flush=True)\n    time.sleep(0.2)");
    slow["name"] = json!("slow");
    let begun = one.with_token("POST", &path, &token, Some(&slow)).await;
    assert_eq!(begun.status, 201, "{:?}", begun.body);
    let mut followed = two.follow(&format!("{path}/slow/log?follow=true"), &token).await;
    for wanted in [
        "line\ndata: 0",
        "line\ndata: 1",
        "line\ndata: 2",
        "end\ndata: Completed",
    ] {
        let told = wait::soon("a line of the log", followed.next()).await;
        assert_eq!(told, Some(format!("event: {wanted}")));
    }
    let read = one.get(&format!("{path}/slow"), Some(&token)).await;
    assert_eq!(read.body["stdout"]["text"], "0\n1\n2\n", "{:?}", read.body);
    let by_state = async |state: &str| {
        let list = ada.get(one, &format!("{path}?state={state}")).await;
        list.body["runs"].as_array().map(Vec::len)
    };
    assert_eq!(
        (by_state("succeeded").await, by_state("running").await),
        (Some(2), Some(0))
    );
    assert_eq!(
        problem(&ada.get(one, &format!("{path}?state=done")).await),
        (400, "invalid_request")
    );

    assert_eq!(ada.send(one, "DELETE", &one_run, None).await.status, 204);
    assert_eq!(problem(&ada.get(two, &one_run).await), (404, "not_found"));
    let done = [
        "tenant.create",
        "account.create",
        "session.create",
        "tenant.create",
        "agent.register",
        "token.issue",
        "run.create",
        "run.create",
        "run.delete",
    ];
    assert_eq!(stage.actions().await, done);
}

#[tokio::test(flavor = "multi_thread")]
async fn others_see_what_they_may() {
    let stage = Stage::start().await;
    let (one, two) = (&stage.one.client, &stage.two.client);
    let ada = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&ada).await;
    let path = format!("/v1/tenants/{tenant}/runs");
    let mut program = python("import time\nprint('begun', flush=True)\ntime.sleep(600)");
    program["name"] = json!("long");
    program["labels"] = json!({"team": "search"});
    assert_eq!(ada.post(one, &path, &program).await.status, 201);
    assert_eq!(problem(&ada.post(two, &path, &program).await), (409, "name_taken"));

    let invited = json!({"email": "viewer@example.com", "role": "viewer"});
    let viewer = stage.person("viewer@example.com").await;
    let sent = ada
        .post(one, &format!("/v1/tenants/{tenant}/invitations"), &invited)
        .await;
    assert_eq!(sent.status, 201, "{:?}", sent.body);
    let secret = secret(&stage.mail(), "viewer@example.com").await;
    let joined = viewer
        .post(two, "/v1/invitations/accept", &json!({"token": secret}))
        .await;
    assert_eq!(joined.status, 204, "{:?}", joined.body);
    let eve = stage.person("eve@example.com").await;
    let long = format!("{path}/long");
    let none = eve.get(one, &format!("{path}/none")).await;
    assert_eq!(problem(&none), (404, "not_found"));
    let attempts = [
        ("GET", long.clone(), None, (200, "")),
        ("GET", format!("{long}/log"), None, (200, "")),
        ("GET", format!("{path}?labels=team%3Dsearch"), None, (200, "")),
        ("POST", path.clone(), Some(python("print()")), (403, "forbidden")),
        ("POST", format!("{long}/cancel"), Some(json!({})), (403, "forbidden")),
        (
            "PATCH",
            long.clone(),
            Some(json!({"labels": {"a": "b"}})),
            (403, "forbidden"),
        ),
        ("DELETE", long.clone(), None, (403, "forbidden")),
    ];
    for (method, path, body, told) in attempts {
        let answer = viewer.send(two, method, &path, body.as_ref()).await;
        assert_eq!(problem(&answer), told, "{method} {path}: {:?}", answer.body);
        let answer = eve.send(two, method, &path, body.as_ref()).await;
        assert_eq!(answer.told(), none.told(), "{method} {path}");
    }

    // What is followed ends with the right to follow it, and what is canceled for everybody.
    let key = json!({"name": "ci", "scopes": ["runs:read", "runs:write"]});
    let key = ada.post(one, &format!("/v1/tenants/{tenant}/api-keys"), &key).await;
    let by_key = key.body["secret"].as_str().unwrap().to_owned();
    let follow = format!("{long}/log?follow=true");
    let begun = Some("event: line\ndata: begun".to_owned());
    let mut followed = two.follow(&follow, &by_key).await;
    let mut shown = two.events(viewer.request(two, "GET", &follow, None)).await;
    for events in [&mut followed, &mut shown] {
        assert_eq!(wait::soon("the program has begun", events.next()).await, begun);
    }
    let (waiting, run_path, second) = (two.clone(), format!("{long}?wait=60"), by_key.clone());
    let pending = tokio::spawn(async move { waiting.with_token("GET", &run_path, &second, None).await });
    let id = key.body["id"].as_str().unwrap();
    let revoked = ada
        .send(one, "DELETE", &format!("/v1/tenants/{tenant}/api-keys/{id}"), None)
        .await;
    assert_eq!(revoked.status, 204);
    assert_eq!(wait::soon("the follower is cut off", followed.next()).await, None);
    assert_eq!(wait::soon("the waiter is cut off", pending).await.unwrap().status, 401);
    let canceled = ada.post(one, &format!("{long}/cancel"), &json!({})).await;
    assert_eq!(
        (canceled.status.as_u16(), &canceled.body["cancel"]),
        (200, &json!(true))
    );
    let end = Some("event: end\ndata: Canceled".to_owned());
    assert_eq!(wait::soon("the log ends", shown.next()).await, end);
    assert_eq!(wait::soon("nothing follows", shown.next()).await, None);
    let over = ada.get(two, &format!("{long}?wait=30")).await;
    assert_eq!(
        (&over.body["state"], &over.body["reason"]),
        (&json!("failed"), &json!("Canceled"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cluster_refuses_names_the_field() {
    let stage = Stage::start().await;
    let (one, two) = (&stage.one.client, &stage.two.client);
    let ada = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&ada).await;
    let path = format!("/v1/tenants/{tenant}/runs");
    for (change, field) in [
        (json!({"timeout_seconds": 0}), "timeout_seconds"),
        (json!({"timeout_seconds": "1"}), "timeout_seconds"),
        (json!({"name": "Answer"}), "name"),
        (json!({"language": "cobol"}), "language"),
        (json!({"workdir": "tmp"}), "workdir"),
        (json!({"env": [{"name": "A"}]}), "env[0]"),
        (json!({"labels": {"pinfold.dev/tenant": "x"}}), "labels"),
        (json!({"priority": 1}), "priority"),
    ] {
        let mut body = python("print()");
        body.as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let answer = ada.post(one, &path, &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!(field)),
            "{change}: {:?}",
            answer.body
        );
    }
    for (query, field) in [
        ("wait=61", "wait"),
        ("wait=x", "wait"),
        ("limit=0", "limit"),
        ("page_token=x", "page_token"),
        ("labels=%3D%3D", "labels"),
        ("other=1", "other"),
    ] {
        let method = if query.starts_with("wait") { "POST" } else { "GET" };
        let answer = ada
            .send(one, method, &format!("{path}?{query}"), Some(&python("print()")))
            .await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!(field)),
            "{query}: {:?}",
            answer.body
        );
    }
    // Pages show every run once.
    for number in 0..5 {
        let run = json!({"name": format!("r{number}"), "template": "base", "command": ["true"]});
        assert_eq!(ada.post(one, &path, &run).await.status, 201);
    }
    let (mut seen, mut next) = (Vec::new(), String::new());
    loop {
        let page = ada.get(two, &format!("{path}?limit=2{next}")).await;
        assert_eq!(page.status, 200, "{:?}", page.body);
        let names = page.body["runs"].as_array().unwrap().iter();
        seen.extend(names.map(|run| run["name"].as_str().unwrap().to_owned()));
        match page.body["next_page_token"].as_str() {
            Some(token) => next = format!("&page_token={token}"),
            None => break,
        }
    }
    assert_eq!(seen, ["r0", "r1", "r2", "r3", "r4"]);

    // A tenant that is deleted takes its resource along; one that somebody else made is left alone.
    let tenants: Api<Tenant> = Api::all(stage.admin.clone());
    assert_eq!(
        ada.send(one, "DELETE", &format!("/v1/tenants/{tenant}"), None)
            .await
            .status,
        204
    );
    wait::until(&tenants, &tenant, "the Tenant goes", |found| {
        found.is_none_or(|t| t.metadata.deletion_timestamp.is_some())
    })
    .await;
    let foreign = format!("api-{:08x}", rand::random::<u32>());
    let made: Tenant = serde_json::from_value(json!({
        "apiVersion": "pinfold.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": foreign}, "spec": {},
    }))
    .unwrap();
    let made = tenants.create(&PostParams::default(), &made).await.unwrap();
    assert_eq!(
        ada.post(one, "/v1/tenants", &json!({"name": foreign})).await.status,
        201
    );
    let path = format!("/v1/tenants/{foreign}");
    wait::until_true("the tenant's resource failed", async || {
        ada.get(two, &path).await.body["resource"]["state"] == "failed"
    })
    .await;
    let found = ada.get(two, &path).await;
    let message = "a Tenant of this name is in the cluster already and was not made by this service";
    assert_eq!(found.body["resource"], json!({"state": "failed", "message": message}));
    assert_eq!(
        problem(&ada.post(two, &format!("{path}/runs"), &python("print()")).await),
        (409, "name_taken")
    );
    assert_eq!(ada.send(one, "DELETE", &path, None).await.status, 204);
    wait::until_true("the deletion is done", async || stage.is_idle().await).await;
    let kept = tenants.get(&foreign).await.unwrap();
    assert_eq!((kept.uid(), kept.metadata.deletion_timestamp), (made.uid(), None));
    tenants.delete(&foreign, &DeleteParams::default()).await.unwrap();
}

/// AP-02: a request that is sent again, over another replica, and after whoever was at it went away without a word.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_made_once_however_often_it_is_asked_for() {
    let stage = Stage::start().await;
    let (one, two) = (&stage.one.client, &stage.two.client);
    let ada = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&ada).await;
    let path = format!("/v1/tenants/{tenant}/runs");
    let program = python("print('once')");
    let send = async |client: &Client| {
        let mut request = ada.request(client, "POST", &format!("{path}?wait=60"), Some(&program));
        let key = HeaderValue::from_static("8e03978e-40d5-43e8-bc93-6894a57f9324");
        request.headers_mut().insert("idempotency-key", key);
        client.send(request).await
    };
    let first = send(one).await;
    assert_eq!(first.status, 201, "{:?}", first.body);
    assert_eq!(first.body["stdout"]["text"], "once\n");
    let again = send(two).await;
    assert_eq!(again.told(), (201, &first.body));
    assert_eq!(again.headers["idempotency-replayed"], "true");

    // As if it had ended between the run and its answer.
    stage.forget_answers().await;
    let taken_over = send(two).await;
    assert_eq!(taken_over.told(), (201, &first.body));
    assert!(!taken_over.headers.contains_key("idempotency-replayed"));
    let listed = ada.get(one, &path).await;
    assert_eq!(
        listed.told(),
        (200, &json!({"runs": [first.body], "next_page_token": null}))
    );
}
