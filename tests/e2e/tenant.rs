//! A tenant's end: nothing of it is left, and a new one of its name sees nothing old.

use crds::{SandboxRun, Tenant};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
};
use serde_json::json;
use support::{scene::create, wait};

use crate::world::World;

#[tokio::test]
async fn deletion_leaves_nothing_and_the_name_starts_anew() {
    let world = World::new().await;
    let old = world.tenant_is_ready().await;
    let secret: Secret =
        serde_json::from_value(json!({"metadata": {"name": "old"}, "stringData": {"a": "b"}})).unwrap();
    world
        .api::<Secret>()
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    world
        .start("long", json!({"template": "base", "command": ["sleep", "1000"]}))
        .await;
    world.reason_is("long", "Running").await;
    world.run(json!({"template": "base", "command": ["true"]})).await;

    world
        .tenants()
        .delete(&world.tenant, &DeleteParams::background())
        .await
        .unwrap();
    wait::until(
        &world.tenants(),
        &world.tenant,
        "the tenant is gone",
        |t: Option<&Tenant>| t.is_none(),
    )
    .await;
    create::<Tenant>(&world.tenants(), &world.tenant, json!({})).await;
    let new = world.tenant_is_ready().await;

    let status = |tenant: &Tenant| tenant.status.clone().unwrap();
    assert_eq!(status(&old).namespace, status(&new).namespace);
    assert_ne!(status(&old).namespace_uid, status(&new).namespace_uid);
    let runs: Api<SandboxRun> = world.api();
    assert_eq!(runs.list(&ListParams::default()).await.unwrap().items.len(), 0);
    assert_eq!(
        world
            .api::<Secret>()
            .list(&ListParams::default())
            .await
            .unwrap()
            .items
            .len(),
        0
    );
}

#[tokio::test]
async fn a_retained_namespace_outlives_its_tenant() {
    let world = World::with(json!({"deletionPolicy": "Retain"})).await;
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let before = namespaces.get(&world.namespace()).await.unwrap();
    assert_eq!(before.owner_references().len(), 0);
    world
        .tenants()
        .delete(&world.tenant, &DeleteParams::foreground())
        .await
        .unwrap();
    wait::until(
        &world.tenants(),
        &world.tenant,
        "the tenant is gone",
        |t: Option<&Tenant>| t.is_none(),
    )
    .await;

    create::<Tenant>(&world.tenants(), &world.tenant, json!({})).await;
    let conflict = |t: &Tenant| {
        t.status
            .as_ref()
            .is_some_and(|s| s.conditions.iter().any(|c| c.reason == "NamespaceConflict"))
    };
    let refused = wait::until(&world.tenants(), &world.tenant, "the namespace is not adopted", |t| {
        t.is_some_and(conflict)
    })
    .await;
    let after = namespaces.get(&world.namespace()).await.unwrap();
    assert_eq!((after.uid(), after.annotations()), (before.uid(), before.annotations()));
    assert!(refused.unwrap().status.unwrap().namespace.is_none());
    namespaces
        .delete(&world.namespace(), &DeleteParams::default())
        .await
        .unwrap();
}
