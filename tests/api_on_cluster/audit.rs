//! The end of a tenant's audit is where who runs the database cannot reach it: on its Tenant.

use crds::tenant::Tenant;
use kube::{Api, ResourceExt as _};
use serde_json::Value;
use support::wait;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_shows_by_the_head_on_the_tenant() {
    let stage = Stage::start().await;
    let owner = stage.person("ada@example.com").await;
    let name = stage.tenant(&owner).await;
    let tenants: Api<Tenant> = Api::all(stage.admin.clone());
    let head = |tenant: Option<&Tenant>| {
        let text = tenant?.annotations().get("pinfold.dev/audit-head")?.clone();
        serde_json::from_str::<Value>(&text).ok()
    };
    let found = wait::until(&tenants, &name, "the end of its audit", |t| head(t).is_some()).await;
    let head = head(found.as_ref()).unwrap_or_default();
    let listed = owner.get(&stage.one.client, &format!("/v1/tenants/{name}")).await;
    assert_eq!(head["chain"], listed.body["id"]);
    assert!(head["count"].as_i64().is_some_and(|count| count >= 1), "{head}");

    let (whole, told) = stage.run(&["verify-audit"]).await;
    assert!(whole && told.contains("the audit is whole"), "{told}");
    // All of it, down to what it was numbered by: in the database nothing shows that there ever was more.
    stage
        .tamper("TRUNCATE audit_heads, audit_unsealed, audit_seals, audit_events")
        .await;
    let (whole, told) = stage.run(&["verify-audit"]).await;
    assert!(!whole && told.contains("events and are 0"), "{told}");
}
