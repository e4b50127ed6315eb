use serde_json::{Value, json};
use support::wait;

use crate::stage::{Stage, refused};

/// A run that waits for a template that is not there: it costs the cluster nothing.
fn waiting(name: &str) -> Value {
    json!({"name": name, "template": "none-of-this-name", "command": ["true"], "start_timeout_seconds": 3600})
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_the_tenants_own_or_the_platforms() {
    let stage = Stage::start().await;
    let (one, two) = (&stage.one.client, &stage.two.client);
    let ada = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&ada).await;
    let path = format!("/v1/tenants/{tenant}/templates");
    let names = async || {
        let listed = ada.get(two, &path).await;
        assert_eq!(listed.status, 200, "{:?}", listed.body);
        let templates = listed.body["templates"].as_array().unwrap().iter();
        templates
            .map(|t| (t["name"].as_str().unwrap().to_owned(), t["built_in"] == true))
            .collect::<Vec<_>>()
    };
    let expected = |all: [(&str, bool); 3]| all.map(|(name, built_in)| (name.to_owned(), built_in)).to_vec();
    assert_eq!(
        names().await,
        expected([("base", true), ("node", true), ("python", true)])
    );

    // One of its own stands in for the platform's.
    let platforms = ada.get(one, &format!("{path}/python")).await;
    let own = json!({
        "name": "python", "image": platforms.body["image"], "run_as_user": 1000, "workdir": "/home/user",
        "env": [{"name": "GREETING", "value": "hello"}],
    });
    let made = ada.post(one, &path, &own).await;
    let wanted = json!({
        "name": "python", "image": platforms.body["image"], "run_as_user": 1000, "workdir": "/home/user",
        "env": [{"name": "GREETING", "value": "hello"}], "host_users": true, "workload_identity": false, "start_command": [],
        "built_in": false, "created_at": made.body["created_at"],
    });
    assert_eq!(made.told(), (201, &wanted));
    assert_eq!(refused(&ada.post(two, &path, &own).await), (409, "name_taken"));
    assert_eq!(
        names().await,
        expected([("base", true), ("node", true), ("python", false)])
    );
    let run = json!({"template": "python", "language": "python", "code": "import os\nprint(os.environ['GREETING'])"});
    let ran = ada.post(two, &format!("/v1/tenants/{tenant}/runs?wait=60"), &run).await;
    assert_eq!(ran.body["stdout"]["text"], "hello\n", "{:?}", ran.body);

    // A change is made to the version that it is meant for.
    let python = format!("{path}/python");
    let seen = ada.get(two, &python).await;
    assert_eq!(seen.told(), (200, &wanted));
    let change_by = async |body: &Value, etag: Option<&str>| {
        let mut request = ada.request(one, "PATCH", &python, Some(body));
        if let Some(etag) = etag {
            request.headers_mut().insert("if-match", etag.parse().unwrap());
        }
        one.send(request).await
    };
    let etag = seen.headers["etag"].to_str().unwrap();
    let change = json!({"workdir": null, "env": [], "start_command": ["sleep", "1"]});
    let changed = change_by(&change, Some(etag)).await;
    let mut wanted = wanted;
    wanted.as_object_mut().unwrap().remove("workdir");
    wanted["env"] = json!([]);
    wanted["start_command"] = json!(["sleep", "1"]);
    assert_eq!(changed.told(), (200, &wanted));
    assert_eq!(ada.get(two, &python).await.told(), (200, &wanted));
    assert_eq!(
        refused(&change_by(&change, Some(etag)).await),
        (412, "precondition_failed")
    );
    for (change, field) in [
        (json!({"name": "other"}), "name"),
        (json!({"image": null}), "image"),
        (json!({"image": ""}), "image"),
        (json!({"workdir": "tmp"}), "workdir"),
        (json!({"env": [{"name": "A"}]}), "env[0]"),
        (json!({"colour": "red"}), "colour"),
    ] {
        let answer = change_by(&change, None).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!(field)),
            "{change}: {:?}",
            answer.body
        );
    }
    assert_eq!(ada.get(two, &python).await.told(), (200, &wanted));

    // What is the platform's is nobody else's.
    let base = format!("{path}/base");
    assert_eq!(
        refused(&ada.send(one, "PATCH", &base, Some(&change)).await),
        (404, "not_found")
    );
    assert_eq!(refused(&ada.send(one, "DELETE", &base, None).await), (404, "not_found"));
    assert_eq!(ada.send(one, "DELETE", &python, None).await.status, 204);
    assert_eq!(ada.get(two, &python).await.told(), (200, &platforms.body));
}

/// AP-14: whoever wrote finds what they wrote, whichever replica they ask.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_read_on_every_replica() {
    let stage = Stage::start().await;
    let ada = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&ada).await;
    let path = format!("/v1/tenants/{tenant}/runs");
    for round in 0..20 {
        let (here, there) = if round % 2 == 0 {
            (&stage.one.client, &stage.two.client)
        } else {
            (&stage.two.client, &stage.one.client)
        };
        let name = format!("run-{round}");
        let run = format!("{path}/{name}");
        let made = ada.post(here, &path, &waiting(&name)).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let seen = ada.get(there, &run).await;
        assert_eq!(
            (seen.status.as_u16(), &seen.body["uid"]),
            (200, &made.body["uid"]),
            "{round}"
        );
        let etag = seen.headers["etag"].clone();

        // The operator writes the status meanwhile, which fails no change.
        let mut request = ada.request(here, "PATCH", &run, Some(&json!({"labels": {"team": "search"}})));
        request.headers_mut().insert("if-match", etag.clone());
        let changed = here.send(request).await;
        assert_eq!(changed.status, 200, "{:?}", changed.body);
        let seen = ada.get(there, &run).await;
        assert_eq!(seen.body["labels"], json!({"team": "search"}), "{round}");
        let mut request = ada.request(there, "PATCH", &run, Some(&json!({"labels": {"team": "other"}})));
        request.headers_mut().insert("if-match", etag);
        assert_eq!(refused(&there.send(request).await), (412, "precondition_failed"));

        let canceled = ada.post(here, &format!("{run}/cancel"), &json!({})).await;
        assert_eq!(canceled.status, 200, "{:?}", canceled.body);
        assert_eq!(ada.get(there, &run).await.body["cancel"], true, "{round}");
        assert_eq!(ada.send(here, "DELETE", &run, None).await.status, 204);
        assert_eq!(refused(&ada.get(there, &run).await), (404, "not_found"), "{round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_changed_only_where_it_is_not_settled() {
    let stage = Stage::start().await;
    let client = &stage.one.client;
    let ada = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&ada).await;
    let path = format!("/v1/tenants/{tenant}/runs");
    assert_eq!(ada.post(client, &path, &waiting("answer")).await.status, 201);
    let run = format!("{path}/answer");
    let change_by = async |body: Value| ada.send(client, "PATCH", &run, Some(&body)).await;
    for (change, field) in [
        (json!({"image": "other"}), "image"),
        (json!({"labels": {"pinfold.dev/tenant": "x"}}), "labels"),
        (json!({"labels": {"a b": "x"}}), "metadata.labels"),
        (json!({"ttl_seconds_after_finished": -1}), "ttl_seconds_after_finished"),
        (json!({"cancel": "yes"}), "cancel"),
    ] {
        let answer = change_by(change.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["field"]),
            (400, &json!(field)),
            "{change}: {:?}",
            answer.body
        );
    }
    let canceled = change_by(json!({"cancel": true, "labels": {"a": "b"}})).await;
    assert_eq!(
        (canceled.status.as_u16(), &canceled.body["cancel"]),
        (200, &json!(true))
    );
    assert_eq!(refused(&change_by(json!({"cancel": false})).await).0, 400);
    let over = ada.get(client, &format!("{run}?wait=30")).await;
    assert_eq!(
        (&over.body["reason"], &over.body["labels"]),
        (&json!("Canceled"), &json!({"a": "b"}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_is_told_of_every_run() {
    let stage = Stage::start().await;
    let (one, two) = (&stage.one.client, &stage.two.client);
    let ada = stage.person("ada@example.com").await;
    let (tenant, other) = (stage.tenant(&ada).await, stage.tenant(&ada).await);
    let key = json!({"name": "console", "scopes": ["runs:read"]});
    let key = ada.post(one, &format!("/v1/tenants/{tenant}/api-keys"), &key).await;
    let secret = key.body["secret"].as_str().unwrap().to_owned();
    let (client, events) = (two.clone(), format!("/v1/tenants/{tenant}/events"));
    let runs = format!("/v1/tenants/{tenant}/runs");

    // Once it says that something may have been missed, it misses nothing more.
    let mut telling = client.follow(&events, &secret).await;
    assert_eq!(
        telling.next().await.as_deref(),
        Some("event: missed\ndata: list the runs")
    );
    let elsewhere = format!("/v1/tenants/{other}/runs");
    assert_eq!(ada.post(one, &elsewhere, &waiting("elsewhere")).await.status, 201);
    assert_eq!(ada.post(one, &runs, &waiting("answer")).await.status, 201);
    let run = format!("{runs}/answer");
    let labels = json!({"labels": {"team": "search"}});
    assert_eq!(ada.send(one, "PATCH", &run, Some(&labels)).await.status, 200);
    assert_eq!(ada.send(one, "DELETE", &run, None).await.status, 204);
    let mut states = Vec::new();
    while states.last().is_none_or(|(kind, _)| kind != "deleted") {
        let event = wait::soon("the next event", telling.next()).await.unwrap();
        let (kind, data) = event.split_once("\ndata: ").unwrap();
        let run: Value = serde_json::from_str(data).unwrap();
        assert_eq!(run["name"], "answer");
        states.push((kind.trim_start_matches("event: ").to_owned(), run["labels"].clone()));
    }
    // However often the operator wrote in between.
    states.dedup();
    let labels = json!({"team": "search"});
    let wanted = [("run", json!({})), ("run", labels.clone()), ("deleted", labels)];
    assert_eq!(states, wanted.map(|(kind, labels)| (kind.to_owned(), labels)));

    let id = key.body["id"].as_str().unwrap();
    let revoked = ada
        .send(one, "DELETE", &format!("/v1/tenants/{tenant}/api-keys/{id}"), None)
        .await;
    assert_eq!(revoked.status, 204);
    assert_eq!(wait::soon("the follower is cut off", telling.next()).await, None);
}
