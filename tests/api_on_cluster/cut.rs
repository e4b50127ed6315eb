//! The cluster is away, or a replica ends, while people are at work.

use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::{Request, body::Bytes};
use serde_json::{Value, json};
use support::{
    api::{Answer, Client, Person},
    cluster, wait,
};

use crate::{
    stage::{Stage, identity, refused},
    wire::Wire,
};

/// How long a call to the cluster is waited for, and its answer's way.
const LONGEST: Duration = Duration::from_secs(8);

/// Makes a run as a person, with an Idempotency-Key.
fn once(owner: &Person, client: &Client, path: &str, run: &Value) -> Request<Full<Bytes>> {
    let mut request = owner.request(client, "POST", path, Some(run));
    let key = "8e03978e-40d5-43e8-bc93-6894a57f9324".parse().expect("a value");
    request.headers_mut().insert("idempotency-key", key);
    request
}

fn away(answer: &Answer) {
    assert_eq!(refused(answer), (503, "unavailable"), "{:?}", answer.body);
    assert!(answer.headers.contains_key("retry-after"), "{:?}", answer.headers);
}

/// What needs the cluster says that it is away; what does not goes on at once; what is for later is done later, and once.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_cluster_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join("kubeconfig");
    let admin = cluster::client("admin").await;
    let wire = Wire::to(&identity(&admin).await).await;
    std::fs::write(&own, &wire.kubeconfig).expect("write the kubeconfig");
    let stage = Stage::with([("KUBECONFIG", own.display().to_string())]).await;
    let (one, two) = (&stage.one.client, &stage.two.client);
    let ada = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&ada).await;
    let runs = format!("/v1/tenants/{tenant}/runs");
    let run = json!({"name": "answer", "template": "base", "command": ["echo", "42"]});

    wire.hold();
    let begun = Instant::now();
    away(&one.send(once(&ada, one, &runs, &run)).await);
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
    away(&ada.get(one, &format!("{runs}/none-of-this-name")).await);
    away(&ada.get(one, &format!("/v1/tenants/{tenant}/templates")).await);
    let begun = Instant::now();
    for path in ["/v1/me", "/v1/tenants", &format!("/v1/tenants/{tenant}/members")] {
        assert_eq!(ada.get(one, path).await.status, 200, "{path}");
    }
    let later = format!("later-{:08x}", rand::random::<u32>());
    let asked = ada.post(one, "/v1/tenants", &json!({"name": later})).await;
    assert_eq!(
        (asked.status.as_u16(), &asked.body["resource"]["state"]),
        (201, &json!("pending"))
    );
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());

    wire.let_go();
    // The same request again, at the other replica.
    wait::until_true("the run is made", async || {
        let again = two.send(once(&ada, two, &runs, &run)).await;
        assert!([201, 409, 503].contains(&again.status.as_u16()), "{:?}", again.body);
        again.status == 201
    })
    .await;
    let ended = ada.get(two, &format!("{runs}/answer?wait=60")).await;
    assert_eq!(ended.body["stdout"]["text"], "42\n", "{:?}", ended.body);
    let all = ada.get(two, &runs).await;
    assert_eq!(all.body["runs"].as_array().map(Vec::len), Some(1), "{:?}", all.body);
    wait::until_true("the tenant has its namespace", async || {
        let shown = ada.get(one, &format!("/v1/tenants/{later}")).await;
        shown.body["resource"]["state"] == "created"
    })
    .await;
    for name in [&tenant, &later] {
        let gone = ada.send(one, "DELETE", &format!("/v1/tenants/{name}"), None).await;
        assert!(gone.status.is_success(), "{:?}", gone.body);
    }
    wait::until_true("every job is done", async || stage.is_idle().await).await;
}

/// AP-12: whoever follows is told, by an end that is none of the connection's, and finds the rest at another replica.
#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_their_replica_does() {
    let stage = Stage::start().await;
    let mut ending = stage.another().await;
    let ada = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&ada).await;
    let runs = format!("/v1/tenants/{tenant}/runs");
    let long = json!({"name": "long", "template": "base", "command": ["sh", "-c", "echo begun; sleep 60"]});
    let made = ada.post(&ending.client, &runs, &long).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let reading = |path: &str| ada.request(&ending.client, "GET", path, None);
    let mut lines = ending
        .client
        .events(reading(&format!("{runs}/long/log?follow=true")))
        .await;
    let begun = wait::soon("the program has begun", lines.next()).await;
    assert_eq!(begun.as_deref(), Some("event: line\ndata: begun"));
    let mut events = ending
        .client
        .events(reading(&format!("/v1/tenants/{tenant}/events")))
        .await;
    assert!(wait::soon("an event", events.next()).await.is_some());

    let asked = Instant::now();
    ending.terminate();
    assert_eq!(wait::soon("the log ends", lines.next()).await, None);
    loop {
        // What was on its way comes first.
        if wait::soon("the events end", events.next()).await.is_none() {
            break;
        }
    }
    assert_eq!(ending.ended().await, Some(0));
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    let there = ada.request(&stage.one.client, "GET", &format!("{runs}/long/log?follow=true"), None);
    let mut again = stage.one.client.events(there).await;
    assert_eq!(wait::soon("the log from its begin", again.next()).await, begun);
    let gone = ada
        .send(&stage.one.client, "DELETE", &format!("/v1/tenants/{tenant}"), None)
        .await;
    assert!(gone.status.is_success(), "{:?}", gone.body);
}
