//! The proxy between a small client and a small API server, both in this process.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use self::fake::{Bench, pod};
use crate::{Moment, RequestInfo, Rule, Verb};

mod fake;

const PODS: &str = "/api/v1/namespaces/a/pods";

fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|i| i["metadata"]["name"].as_str())
        .collect()
}

#[test]
fn reads_requests_off_their_paths() {
    let parse = |method: Method, path: &str, query: &str| RequestInfo::parse(&method, path, query, b"{}").unwrap();
    let status = parse(
        Method::PATCH,
        "/apis/pinfold.dev/v1alpha1/namespaces/a/agents/x/status",
        "fieldManager=m&force=true",
    );
    assert_eq!(
        status,
        RequestInfo {
            verb: Verb::Patch,
            group: "pinfold.dev".into(),
            version: "v1alpha1".into(),
            resource: "agents".into(),
            namespace: Some("a".into()),
            name: Some("x".into()),
            subresource: Some("status".into()),
            field_manager: Some("m".into()),
            uri: "/apis/pinfold.dev/v1alpha1/namespaces/a/agents/x/status?fieldManager=m&force=true".into(),
        }
    );
    assert_eq!(parse(Method::GET, "/api/v1/namespaces/a", "").resource, "namespaces");
    assert_eq!(parse(Method::GET, "/api/v1/namespaces", "watch=true").verb, Verb::Watch);
    assert_eq!(parse(Method::DELETE, PODS, "").verb, Verb::DeleteCollection);
    let made = RequestInfo::parse(&Method::POST, PODS, "", br#"{"metadata":{"name":"p"}}"#).unwrap();
    assert_eq!(
        (made.verb, made.name.as_deref(), made.is_write()),
        (Verb::Create, Some("p"), true)
    );
    let lease = parse(Method::PUT, "/apis/coordination.k8s.io/v1/namespaces/a/leases/l", "");
    assert!(!lease.is_write());
    assert_eq!(RequestInfo::parse(&Method::GET, "/version", "", b""), None);
}

#[tokio::test]
async fn passes_on_and_records() {
    let bench = Bench::start(|b| b).await;
    let (code, made) = bench.send(Method::POST, PODS, Some(&pod("p"))).await.unwrap();
    assert_eq!((code, &made["metadata"]["name"]), (201, &json!("p")));
    let (code, _) = bench.send(Method::DELETE, &format!("{PODS}/p"), None).await.unwrap();
    assert_eq!(code, 200);
    let records = bench.proxy.writes();
    assert_eq!(
        records
            .iter()
            .map(|r| (r.sequence, r.created(), r.deleted()))
            .collect::<Vec<_>>(),
        vec![(1, true, false), (2, false, true)]
    );
    assert_eq!((records[0].answered, records[0].told), (Some(201), Some(201)));
    assert_eq!(records[0].body_sha256.len(), 64);
    assert_eq!(
        bench.api.seen(),
        vec!["POST /api/v1/namespaces/a/pods", "DELETE /api/v1/namespaces/a/pods/p"]
    );
}

#[tokio::test]
async fn nobody_borrows_the_identity() {
    let bench = Bench::start(|b| b).await;
    let (code, _) = bench.send_as("wrong", Method::GET, PODS, None).await.unwrap();
    assert_eq!(code, 401);
    assert_eq!(bench.api.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn refuses_as_often_as_asked() {
    let bench = Bench::start(|b| b).await;
    bench
        .proxy
        .add(Rule::on(Verb::Create, "pods").named("p").times(1).refuse(503, "no"));
    let (code, status) = bench.send(Method::POST, PODS, Some(&pod("p"))).await.unwrap();
    assert_eq!(
        (code, &status["reason"], &status["code"]),
        (503, &json!("ServiceUnavailable"), &json!(503))
    );
    let (code, _) = bench.send(Method::POST, PODS, Some(&pod("p"))).await.unwrap();
    assert_eq!(code, 201);
    assert_eq!(bench.api.seen().len(), 1);
}

#[tokio::test]
async fn loses_replies_of_what_took_effect() {
    let bench = Bench::start(|b| b).await;
    bench.proxy.add(Rule::on(Verb::Create, "pods").times(1).lose_reply());
    bench
        .proxy
        .add(Rule::on(Verb::Delete, "pods").times(1).answer_instead(504));
    bench
        .send(Method::POST, PODS, Some(&pod("p")))
        .await
        .expect_err("the connection is closed");
    let (code, _) = bench.send(Method::DELETE, &format!("{PODS}/p"), None).await.unwrap();
    assert_eq!(code, 504);
    let records = bench.proxy.records();
    assert_eq!(
        records.iter().map(|r| (r.answered, r.told)).collect::<Vec<_>>(),
        vec![(Some(201), None), (Some(200), Some(504))]
    );
    assert!(records[0].created() && records[1].deleted());
}

#[tokio::test]
async fn holds_the_client_at_its_second_write() {
    for (moment, reached_the_server) in [(Moment::BeforeForwarding, 1), (Moment::AfterForwarding, 2)] {
        let bench = Bench::start(|b| b).await;
        let mut stop = bench.proxy.stop_at(2, moment);
        bench.send(Method::GET, PODS, None).await.unwrap();
        bench.send(Method::POST, PODS, Some(&pod("p"))).await.unwrap();
        {
            let second = pod("q");
            let held = bench.send(Method::POST, PODS, Some(&second));
            tokio::pin!(held);
            let at = tokio::select! {
                _ = &mut held => unreachable!("the client is held"),
                at = stop.reached() => at,
            };
            assert_eq!(at.name.as_deref(), Some("q"));
            let late = bench.send(Method::GET, PODS, None);
            assert!(
                tokio::time::timeout(Duration::from_millis(50), late).await.is_err(),
                "nothing gets through"
            );
        }
        let posts = bench.api.seen().iter().filter(|line| line.starts_with("POST")).count();
        assert_eq!(posts, reached_the_server, "{moment:?}");
        bench.proxy.resume();
        assert_eq!(bench.send(Method::GET, PODS, None).await.unwrap().0, 200);
    }
}

#[tokio::test]
async fn lists_come_back_empty_stale_or_narrowed() {
    let bench = Bench::start(|b| b.view(|_, object| object["metadata"]["name"] != "hidden")).await;
    for name in ["p", "hidden"] {
        bench.send(Method::POST, PODS, Some(&pod(name))).await.unwrap();
    }
    let list = async || bench.send(Method::GET, PODS, None).await.unwrap().1;
    assert_eq!(names(&list().await), vec!["p"]);

    let stale = bench.proxy.add(Rule::on(Verb::List, "pods").stale_list());
    assert_eq!(names(&list().await), vec!["p"]);
    bench.send(Method::POST, PODS, Some(&pod("q"))).await.unwrap();
    assert_eq!(names(&list().await), vec!["p"]);
    bench.proxy.remove(stale);
    assert_eq!(names(&list().await), vec!["p", "q"]);

    bench.proxy.add(
        Rule::on(Verb::List, "pods")
            .objects(|o| o["metadata"]["name"] == "q")
            .empty_list(),
    );
    assert_eq!(names(&list().await), vec!["p"]);
    bench.proxy.clear_rules();
    bench
        .proxy
        .add(Rule::on(Verb::List, "pods").rewrite(|o| o["spec"] = json!("broken")));
    assert_eq!(list().await["items"][0]["spec"], json!("broken"));
}

#[tokio::test]
async fn the_api_server_is_asked_with_a_field_selector() {
    let bench =
        Bench::start(|b| b.narrow(|request| (request.verb == Verb::List).then(|| "metadata.name=p".to_owned()))).await;
    bench.send(Method::GET, PODS, None).await.unwrap();
    bench.send(Method::GET, &format!("{PODS}?limit=5"), None).await.unwrap();
    bench.send(Method::POST, PODS, Some(&pod("p"))).await.unwrap();
    assert_eq!(
        bench.api.seen(),
        [
            format!("GET {PODS}?fieldSelector=metadata.name%3Dp"),
            format!("GET {PODS}?limit=5&fieldSelector=metadata.name%3Dp"),
            format!("POST {PODS}"),
        ]
    );
}

#[tokio::test]
async fn events_are_frozen_dropped_and_cut() {
    let bench = Bench::start(|b| b.view(|_, object| object["metadata"]["name"] != "hidden")).await;
    let mut events = bench.watch(PODS).await;
    for name in ["hidden", "p"] {
        bench.send(Method::POST, PODS, Some(&pod(name))).await.unwrap();
    }
    assert_eq!(events.next().await.as_deref(), Some("ADDED p"));

    let frozen = bench.proxy.add(Rule::on(Verb::Watch, "pods").freeze_events());
    bench.send(Method::POST, PODS, Some(&pod("q"))).await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(50), events.next())
            .await
            .is_err(),
        "the event waits"
    );
    bench.proxy.remove(frozen);
    assert_eq!(events.next().await.as_deref(), Some("ADDED q"));

    bench.proxy.add(
        Rule::on(Verb::Watch, "pods")
            .objects(|o| o["metadata"]["name"] == "r")
            .drop_events(),
    );
    for name in ["r", "s"] {
        bench.send(Method::POST, PODS, Some(&pod(name))).await.unwrap();
    }
    assert_eq!(events.next().await.as_deref(), Some("ADDED s"));

    bench.proxy.add(Rule::on(Verb::Watch, "pods").times(1).cut_mid_frame());
    bench.send(Method::POST, PODS, Some(&pod("t"))).await.unwrap();
    assert_eq!(events.next().await, None, "the stream ends inside the event");

    bench.proxy.add(Rule::on(Verb::Watch, "pods").times(1).expire_watch());
    let (code, event) = bench
        .send(Method::GET, &format!("{PODS}?watch=true"), None)
        .await
        .unwrap();
    assert_eq!(
        (code, &event["type"], &event["object"]["code"]),
        (200, &json!("ERROR"), &json!(410))
    );
}

#[tokio::test]
async fn tells_when_writing_has_stopped() {
    let bench = Bench::start(|b| b).await;
    bench.send(Method::POST, PODS, Some(&pod("p"))).await.unwrap();
    let writes = bench.proxy.quiet(Duration::from_millis(30)).await;
    assert_eq!(writes.len(), 1);
    let records = bench.proxy.wait_for(|all| all.iter().any(|r| r.told.is_some())).await;
    assert_eq!(records.len(), 1);
}
