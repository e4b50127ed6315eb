//! Tenants that somebody made with kubectl.

use crds::tenant::{Tenant, TenantSpec};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use support::{cluster, wait};

use crate::stage::{Stage, refused};

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_made_with_kubectl_is_given_to_a_person() {
    let stage = Stage::start().await;
    let (one, two) = (&stage.one.client, &stage.two.client);
    let root = stage.person("root@example.com").await;
    stage.make_admin(&root).await;
    let ada = stage.person("ada@example.com").await;

    let name = format!("kubectl-{:08x}", rand::random::<u32>());
    let tenants: Api<Tenant> = Api::all(stage.admin.clone());
    let spec: TenantSpec = serde_json::from_value(json!({"plan": "shadow"})).expect("a spec");
    tenants
        .create(&PostParams::default(), &Tenant::new(&name, spec))
        .await
        .expect("make a Tenant");
    let listed = async || {
        let page = root.get(two, "/v1/admin/tenants?limit=500").await;
        assert_eq!(page.status, 200, "{:?}", page.body);
        let all = page.body["tenants"].as_array().expect("tenants").clone();
        all.into_iter().find(|t| t["name"] == json!(name)).unwrap_or_default()
    };
    wait::until_true("the tenant is ready", async || listed().await["ready"] == json!(true)).await;
    let seen = listed().await;
    assert_eq!((&seen["plan"], &seen["id"]), (&json!("shadow"), &Value::Null));
    let path = format!("/v1/tenants/{name}");
    assert_eq!(refused(&ada.get(one, &path).await), (404, "not_found"));

    let link = format!("/v1/admin/tenants/{name}/link");
    let to_ada = json!({"owner": ada.id});
    assert_eq!(refused(&ada.post(one, &link, &to_ada).await), (403, "forbidden"));
    assert_eq!(refused(&ada.get(one, "/v1/admin/tenants").await), (403, "forbidden"));
    let nobody = json!({"owner": "0198c5b4-5a0e-7000-8000-00000000000d"});
    assert_eq!(refused(&root.post(one, &link, &nobody).await), (400, "owner"));
    let missing = root
        .post(one, "/v1/admin/tenants/none-of-this-name/link", &to_ada)
        .await;
    assert_eq!(refused(&missing), (404, "not_found"));
    let own = root.post(one, "/v1/admin/tenants/u-somebody/link", &to_ada).await;
    assert_eq!(refused(&own), (400, "tenant"));

    let linked = root.post(one, &link, &to_ada).await;
    let wanted = json!({
        "id": linked.body["id"], "name": name, "kind": "team", "plan": "shadow",
        "created_at": linked.body["created_at"], "resource": {"state": "created"},
    });
    assert_eq!((linked.status.as_u16(), &linked.body), (201, &wanted));
    assert_eq!(refused(&root.post(two, &link, &to_ada).await), (409, "name_taken"));
    wait::until_true("the Tenant says whose it is", async || {
        listed().await["id"] == linked.body["id"]
    })
    .await;

    // It is hers now, with what was there.
    let run = json!({"template": "base", "command": ["echo", "linked"]});
    let ran = ada.post(two, &format!("{path}/runs?wait=60"), &run).await;
    assert_eq!(ran.body["stdout"]["text"], "linked\n", "{:?}", ran.body);
    assert_eq!(
        refused(&root.get(one, &path).await),
        (404, "not_found"),
        "who runs the platform has no right in it"
    );
    assert!(stage.actions().await.iter().any(|action| action == "tenant.link"));
    let gone = ada.send(one, "DELETE", &path, None).await;
    assert!(gone.status.is_success(), "{:?}", gone.body);
    wait::until(&tenants, &name, "the Tenant is gone", |found| found.is_none()).await;
}

/// Who owns it in the cluster says so by the cluster's own word, and needs nobody who runs the platform.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_made_with_kubectl_is_taken_by_its_owner() {
    let stage = Stage::start().await;
    let (one, two) = (&stage.one.client, &stage.two.client);
    let dana = stage.person("dana@example.com").await;
    let tenants: Api<Tenant> = Api::all(stage.admin.clone());
    let make = async |owners: Value| {
        let name = format!("kubectl-{:08x}", rand::random::<u32>());
        let spec: TenantSpec = serde_json::from_value(json!({"plan": "shadow", "owners": owners})).expect("a spec");
        tenants
            .create(&PostParams::default(), &Tenant::new(&name, spec))
            .await
            .expect("make a Tenant");
        name
    };
    let token = cluster::token("dana");
    let link = async |name: &str, token: &str| {
        let body = json!({"name": name, "kubernetes_token": token});
        dana.post(one, "/v1/me/tenants", &body).await
    };

    // A reader of it, an owner of another name, and what is nobody's are told the same.
    let reads = make(json!([{"kind": "User", "name": "dana", "role": "developer"}])).await;
    let others = make(json!([{"kind": "User", "name": "erin", "role": "admin"}])).await;
    for name in [&reads, &others, "none-of-this-name"] {
        assert_eq!(refused(&link(name, &token).await), (404, "not_found"), "{name}");
    }
    let own = make(json!([{"kind": "Group", "name": "research", "role": "admin"}])).await;
    assert_eq!(refused(&link(&own, "nobody's").await), (400, "kubernetes_token"));
    assert_eq!(refused(&link(&own, "two words").await), (400, "kubernetes_token"));
    let linked = link(&own, &token).await;
    let wanted = json!({
        "id": linked.body["id"], "name": own, "kind": "team", "plan": "shadow",
        "created_at": linked.body["created_at"], "resource": {"state": "created"},
    });
    assert_eq!((linked.status.as_u16(), &linked.body), (201, &wanted));
    assert_eq!(refused(&link(&own, &token).await), (409, "name_taken"));
    let seen = dana.get(two, &format!("/v1/tenants/{own}")).await;
    assert_eq!(seen.status, 200, "{:?}", seen.body);
    // What the token is stands nowhere.
    for replica in [&stage.one, &stage.two] {
        assert!(!replica.log().contains(&token));
    }
    for name in [&reads, &others] {
        tenants.delete(name, &DeleteParams::default()).await.expect("delete it");
    }
    let gone = dana.send(one, "DELETE", &format!("/v1/tenants/{own}"), None).await;
    assert!(gone.status.is_success(), "{:?}", gone.body);
}
