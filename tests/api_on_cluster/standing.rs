//! What replicas remember of agents while they hear one another through Redis, and that it is true.

use serde_json::json;
use support::{
    api::{Agent, Redis, Service},
    wait,
};

use crate::stage::Stage;

/// How many requests were answered without a question to the database.
async fn remembered(service: &Service) -> u64 {
    let metrics = service.admin.get("/metrics", None).await.body;
    let mut lines = metrics.as_str().unwrap_or_default().lines();
    let count = lines.find_map(|line| line.strip_prefix("pinfold_api_standing_remembered_total "));
    count.expect("the metric").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_without_the_database() {
    let mut redis = Redis::start("noeviction").await;
    let stage = Stage::with([("REDIS_URL", redis.url())]).await;
    let one = &stage.one.client;
    let ada = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&ada).await;
    let runs = format!("/v1/tenants/{tenant}/runs");
    let waits = json!({"name": "waits", "template": "none-of-this-name", "command": ["true"], "labels": {"step": "1"}});
    let made = ada.post(one, &runs, &waits).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let run = format!("{runs}/waits");
    let agent = async |name: &str| {
        let agent = Agent::of_person(&ada, one, &tenant, name).await;
        let token = agent.token(one).await;
        (agent, token)
    };
    let (ends, (_, goes_on), (_, unseen)) = (agent("ends").await, agent("goes-on").await, agent("unseen").await);

    let (apart, cable) = stage.by_cable().await;
    let known = async |token: &str| {
        let before = remembered(&apart).await;
        assert_eq!(apart.client.get(&run, Some(token)).await.status, 200);
        remembered(&apart).await > before
    };
    for token in [&ends.1, &goes_on] {
        wait::until_true("the agent is remembered", async || known(token).await).await;
    }
    let key = json!({"name": "ci", "scopes": ["runs:read"]});
    let key = ada.post(one, &format!("/v1/tenants/{tenant}/api-keys"), &key).await;
    assert_eq!(key.status, 201, "{:?}", key.body);
    let secret = key.body["secret"].as_str().expect("a secret");
    // Two questions each: who it is, and what they may do in the tenant.
    let all_known = async || {
        let before = remembered(&apart).await;
        let statuses = [
            ada.get(&apart.client, &run).await.status.as_u16(),
            apart.client.get(&run, Some(secret)).await.status.as_u16(),
        ];
        assert_eq!(statuses, [200, 200]);
        remembered(&apart).await >= before + 4
    };
    wait::until_true("the person and the key are remembered", &all_known).await;
    cable.cut();
    assert!(all_known().await);
    let labels = async |token: &str| {
        let answer = apart.client.get(&run, Some(token)).await;
        (answer.status.as_u16(), answer.body["labels"]["step"].clone())
    };
    assert_eq!(labels(&goes_on).await, (200, json!("1")));
    let refused = apart.client.get(&run, Some(&unseen)).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (503, &json!("unavailable"))
    );
    assert_eq!(refused.headers["retry-after"], "1");

    // What is written through another replica is shown, and who is ended there is ended here.
    let changed = ada
        .send(one, "PATCH", &run, Some(&json!({"labels": {"step": "2"}})))
        .await;
    assert_eq!(changed.status, 200, "{:?}", changed.body);
    assert_eq!(labels(&goes_on).await, (200, json!("2")));
    let end = format!("/v1/tenants/{tenant}/agents/{}", ends.0.id);
    assert_eq!(ada.send(one, "DELETE", &end, None).await.status, 204);
    assert_eq!(one.get(&run, Some(&ends.1)).await.status, 401);
    assert_eq!(labels(&ends.1).await.0, 503, "the database would say");
    let path = format!(
        "/v1/tenants/{tenant}/api-keys/{}",
        key.body["id"].as_str().expect("an id")
    );
    assert_eq!(ada.send(one, "DELETE", &path, None).await.status, 204);
    assert_eq!(labels(secret).await.0, 503);

    // Without Redis nobody would tell of an end.
    redis.kill().await;
    wait::until_true("nothing is believed any more", async || labels(&goes_on).await.0 == 503).await;
    cable.mend();
    wait::until_true("the database answers", async || labels(&goes_on).await.0 == 200).await;
    assert_eq!(labels(&ends.1).await.0, 401);
}
