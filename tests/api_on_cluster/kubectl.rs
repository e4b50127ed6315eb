//! What somebody does with kubectl is in the audit, and what is done through the API is there once.

use crds::{sandbox_run::SandboxRun, sandbox_template::SandboxTemplate};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use support::{
    api::{Client, Person},
    cluster, wait,
};

use crate::{
    installed,
    stage::{Stage, refused},
};

/// What a tenant's audit says of runs and templates, the oldest first: action, who, name.
async fn told(person: &Person, client: &Client, tenant: &str) -> Vec<Value> {
    let answer = person
        .get(client, &format!("/v1/tenants/{tenant}/audit?limit=500"))
        .await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let mut events = answer.body["events"].as_array().expect("events").clone();
    events.reverse();
    let is_of_these = |event: &Value| {
        ["run.", "template.", "tenant.update", "cluster."]
            .iter()
            .any(|start| event["action"].as_str().is_some_and(|action| action.starts_with(start)))
    };
    events.retain(is_of_these);
    events
}

fn brief(events: &[Value]) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |event: &Value| {
        let detail = &event["detail"];
        let name = [&detail["run"], &detail["template"], &detail["tenant"]]
            .into_iter()
            .find(|name| name.is_string());
        (
            text(&event["action"]),
            text(&event["actor_kind"]),
            name.map(text).unwrap_or_default(),
        )
    };
    events.iter().map(of).collect()
}

async fn namespace(admin: &kube::Client, tenant: &str) -> String {
    let tenants: Api<crds::tenant::Tenant> = Api::all(admin.clone());
    let found = tenants.get(tenant).await.expect("the Tenant");
    found.status.and_then(|status| status.namespace).expect("its namespace")
}

fn run(name: &str) -> SandboxRun {
    let spec = json!({"template": "base", "command": ["true"]});
    SandboxRun::new(name, serde_json::from_value(spec).expect("a spec"))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_doors_lead_into_one_audit() {
    let stage = Stage::start().await;
    let client = &stage.one.client;
    let owner = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&owner).await;
    let namespace = namespace(&stage.admin, &tenant).await;
    let runs: Api<SandboxRun> = Api::namespaced(stage.admin.clone(), &namespace);
    let templates: Api<SandboxTemplate> = Api::namespaced(stage.admin.clone(), &namespace);

    // Through the API: make, label, cancel and delete a run; a template as well.
    let path = format!("/v1/tenants/{tenant}");
    let body = json!({"name": "ours", "template": "base", "command": ["true"]});
    assert_eq!(
        owner.post(client, &format!("{path}/runs?wait=60"), &body).await.status,
        201
    );
    let one = format!("{path}/runs/ours");
    let label = json!({"labels": {"team": "search"}});
    assert_eq!(owner.send(client, "PATCH", &one, Some(&label)).await.status, 200);
    assert_eq!(
        owner.post(client, &format!("{one}/cancel"), &json!({})).await.status,
        200
    );
    // With kubectl, to the very same run, in between.
    let by_hand = json!({"metadata": {"labels": {"by": "hand"}}});
    let params = PatchParams::default();
    runs.patch("ours", &params, &Patch::Merge(by_hand))
        .await
        .expect("label the run");
    assert_eq!(owner.send(client, "DELETE", &one, None).await.status, 204);
    let template = json!({"name": "shell", "image": "registry.example/shell:1"});
    let made = owner.post(client, &format!("{path}/templates"), &template).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    assert_eq!(
        owner
            .send(client, "DELETE", &format!("{path}/templates/shell"), None)
            .await
            .status,
        204
    );

    // With kubectl.
    runs.create(&PostParams::default(), &run("theirs"))
        .await
        .expect("make a run");
    let cancel = json!({"spec": {"cancel": true}});
    runs.patch("theirs", &params, &Patch::Merge(cancel))
        .await
        .expect("cancel the run");
    runs.delete("theirs", &DeleteParams::default())
        .await
        .expect("delete the run");
    let spec = json!({"image": "registry.example/shell:1"});
    let theirs = SandboxTemplate::new("by-hand", serde_json::from_value(spec).expect("a spec"));
    templates
        .create(&PostParams::default(), &theirs)
        .await
        .expect("make a template");
    templates
        .delete("by-hand", &DeleteParams::default())
        .await
        .expect("delete the template");
    let tenants: Api<crds::tenant::Tenant> = Api::all(stage.admin.clone());
    let plan = json!({"spec": {"suspended": true, "suspensionReason": "by hand"}});
    tenants
        .patch(&tenant, &params, &Patch::Merge(plan))
        .await
        .expect("suspend the tenant");

    let wanted: Vec<(String, String, String)> = [
        ("run.cancel", "overseer", "ours"),
        ("run.create", "kubernetes", "theirs"),
        ("run.create", "overseer", "ours"),
        ("run.delete", "kubernetes", "theirs"),
        ("run.delete", "overseer", "ours"),
        ("run.update", "kubernetes", "ours"),
        ("run.update", "kubernetes", "theirs"),
        ("run.update", "overseer", "ours"),
        ("template.create", "kubernetes", "by-hand"),
        ("template.create", "overseer", "shell"),
        ("template.delete", "kubernetes", "by-hand"),
        ("template.delete", "overseer", "shell"),
        ("tenant.update", "kubernetes", &tenant),
    ]
    .map(|(action, who, name)| (action.to_owned(), who.to_owned(), name.to_owned()))
    .into();
    let sorted = async || {
        let mut all = brief(&told(&owner, client, &tenant).await);
        all.sort();
        all
    };
    wait::until_true("everything is told", async || sorted().await.len() >= wanted.len()).await;
    assert_eq!(sorted().await, wanted);
    let events = told(&owner, client, &tenant).await;
    assert!(
        events
            .iter()
            .filter(|event| event["actor_kind"] == "kubernetes")
            .all(|event| event["actor_id"].is_null()),
        "nobody says who it was"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_in_which_nobody_watched_is_told() {
    let mut stage = Stage::start().await;
    let owner = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&owner).await;
    let templates: Api<SandboxTemplate> = Api::namespaced(stage.admin.clone(), &namespace(&stage.admin, &tenant).await);
    let spec = json!({"image": "registry.example/shell:1"});
    let template = |name: &str| SandboxTemplate::new(name, serde_json::from_value(spec.clone()).expect("a spec"));
    let make = async |name: &str| {
        let made = templates.create(&PostParams::default(), &template(name)).await;
        made.expect("make a template");
    };
    make("before").await;
    wait::until_true("it is told", async || {
        told(&owner, &stage.one.client, &tenant).await.len() == 1
    })
    .await;

    for service in [&mut stage.one, &mut stage.two] {
        service.terminate();
        assert_eq!(service.ended().await, Some(0));
    }
    make("meanwhile").await;
    templates
        .delete("before", &DeleteParams::default())
        .await
        .expect("delete a template");
    // So long ago that the API server knows nothing of it.
    stage
        .tamper("UPDATE cluster_watches SET version = 1 WHERE kind = 'template'")
        .await;

    let again = stage.another().await;
    wait::until_true("the gap is told", async || {
        told(&owner, &again.client, &tenant).await.len() == 4
    })
    .await;
    let mut all = brief(&told(&owner, &again.client, &tenant).await);
    all.sort();
    let wanted = [
        ("cluster.gap", "system", ""),
        ("template.create", "kubernetes", "before"),
        ("template.create", "kubernetes", "meanwhile"),
        ("template.delete", "kubernetes", "before"),
    ]
    .map(|(action, who, name)| (action.to_owned(), who.to_owned(), name.to_owned()));
    assert_eq!(all, wanted);
}

/// The mark is the API's: else somebody could hide what they do behind it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_writes_the_mark() {
    let stage = Stage::start().await;
    let owner = stage.person("ada@example.com").await;
    let tenant = stage.tenant(&owner).await;
    let namespace = namespace(&stage.admin, &tenant).await;
    let runs: Api<SandboxRun> = Api::namespaced(stage.admin.clone(), &namespace);
    let body = json!({"name": "ours", "template": "base", "command": ["true"]});
    let made = owner
        .post(&stage.one.client, &format!("/v1/tenants/{tenant}/runs"), &body)
        .await;
    assert_eq!(made.status, 201, "{:?}", refused(&made));
    let told = |error: kube::Error| match error {
        kube::Error::Api(status) => status.message.clone(),
        other => panic!("{other}"),
    };
    for (mark, wanted) in [
        (json!("mine"), "pinfold-reserved/annotations:"),
        (Value::Null, "pinfold-reserved/annotations-removed:"),
    ] {
        let patch = json!({"metadata": {"annotations": {"pinfold.dev/change": mark}}});
        let error = runs
            .patch("ours", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .expect_err("it is reserved");
        let said = told(error);
        assert!(said.contains(wanted), "{said}");
    }
    let mut marked = run("theirs");
    marked
        .annotations_mut()
        .insert("pinfold.dev/change".to_owned(), "mine".to_owned());
    let said = told(
        runs.create(&PostParams::default(), &marked)
            .await
            .expect_err("it is reserved"),
    );
    assert!(said.contains("pinfold-reserved/annotations:"), "{said}");
}

/// The development cluster's API server tells the installed API what is asked of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_installed_audit_names_who_it_was() {
    let admin = cluster::client("admin").await;
    let email = format!("kubectl-{:08x}@example.com", rand::random::<u32>());
    installed::create_admin(&admin, &email).await;
    let client = installed::client();
    let person = Person::log_in(&client, &email).await;
    let tenant = format!("named-{:08x}", rand::random::<u32>());
    let made = person.post(&client, "/v1/tenants", &json!({"name": tenant})).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    wait::until_true("the tenant's namespace", async || {
        person.get(&client, &format!("/v1/tenants/{tenant}/runs")).await.status == 200
    })
    .await;
    let runs: Api<SandboxRun> = Api::namespaced(admin.clone(), &namespace(&admin, &tenant).await);
    let named = runs
        .create(&PostParams::default(), &run("named"))
        .await
        .expect("make a run");
    runs.delete("named", &DeleteParams::default())
        .await
        .expect("delete the run");
    wait::until_true("both are told", async || {
        told(&person, &client, &tenant).await.len() == 2
    })
    .await;
    let events = told(&person, &client, &tenant).await;
    let of = |event: &Value| {
        let (action, user) = (event["action"].clone(), event["kubernetes_user"].clone());
        (action, user, event["target_id"].clone(), event["actor_id"].is_string())
    };
    let wanted =
        ["run.create", "run.delete"].map(|action| (json!(action), json!("pinfold-admin"), json!(named.uid()), true));
    assert_eq!(events.iter().map(of).collect::<Vec<_>>(), wanted);
    let gone = person
        .send(&client, "DELETE", &format!("/v1/tenants/{tenant}"), None)
        .await;
    assert!(gone.status.is_success(), "{:?}", gone.body);
}
