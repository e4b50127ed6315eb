//! The API that the chart runs, reached as its clients reach it: over HTTPS, by the address of its Service.

use std::{env, path::PathBuf, sync::Mutex};

use k8s_openapi::api::{apps::v1::Deployment, batch::v1::Job, core::v1::Pod};
use kube::{
    Api, ResourceExt as _,
    api::{AttachParams, ListParams},
};
use serde_json::json;
use support::{
    api::{Client, PASSWORD, Person},
    cluster, wait,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const NAMESPACE: &str = "pinfold-system";

pub fn client() -> Client {
    let url = env::var("PINFOLD_TEST_API_URL").expect("`cargo xtask test e2e` names the API's address");
    let folder = env::var_os("PINFOLD_TEST_CLUSTER_DIR").expect("`cargo xtask test e2e` names the cluster's folder");
    Client::trusting(&url, &PathBuf::from(folder).join("pki/web-ca.crt"))
}

/// Makes a person who runs the platform, as the chart's notes say.
pub async fn create_admin(admin: &kube::Client, email: &str) {
    let pods: Api<Pod> = Api::namespaced(admin.clone(), NAMESPACE);
    let of_api = ListParams::default().labels("app.kubernetes.io/component=api");
    let pod = pods.list(&of_api).await.expect("the pods").items.remove(0).name_any();
    let command = ["pinfold-api", "create-admin", "--email", email];
    let how = AttachParams::default().stdin(true).stdout(true).stderr(true);
    let mut running = pods.exec(&pod, command, &how).await.expect("a command in the pod");
    let mut input = running.stdin().expect("its input");
    let told = format!("{PASSWORD}\n");
    input.write_all(told.as_bytes()).await.expect("tell the password");
    drop(input);
    let mut complaint = String::new();
    let errors = running.stderr().expect("its errors");
    let mut errors = Box::pin(errors);
    wait::soon("the command ends", errors.read_to_string(&mut complaint))
        .await
        .expect("read its errors");
    assert_eq!(complaint, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_runs_something_through_the_installed_api() {
    let admin = cluster::client("admin").await;
    let email = format!("admin-{:08x}@example.com", rand::random::<u32>());
    create_admin(&admin, &email).await;
    let client = client();
    let person = Person::log_in(&client, &email).await;
    let tenant = format!("shipped-{:08x}", rand::random::<u32>());
    let made = person.post(&client, "/v1/tenants", &json!({"name": tenant})).await;
    assert_eq!(made.status, 201, "{:?}", made.body);

    let runs = format!("/v1/tenants/{tenant}/runs");
    let program = json!({"template": "python", "language": "python", "code": "print(6 * 7)"});
    let started = Mutex::new(None);
    wait::until_true("the tenant is ready", async || {
        let answer = person.post(&client, &format!("{runs}?wait=60"), &program).await;
        let early = answer.body["code"] == "tenant_not_ready";
        *started.lock().expect("nobody panicked") = Some(answer);
        !early
    })
    .await;
    let started = started.into_inner().ok().flatten().expect("an answer");
    assert_eq!(started.status, 201, "{:?}", started.body);
    let body = &started.body;
    assert_eq!(
        (&body["reason"], &body["stdout"]["text"]),
        (&json!("Completed"), &json!("42\n")),
        "{body}"
    );
    let gone = person
        .send(&client, "DELETE", &format!("/v1/tenants/{tenant}"), None)
        .await;
    assert!(gone.status.is_success(), "{:?}", gone.body);
}

/// What the chart promises of the pods: the owner's password is with the Job alone, and that is gone when it is done.
#[tokio::test]
async fn only_the_migration_sees_the_owners_password() {
    let admin = cluster::client("admin").await;
    let deployments: Api<Deployment> = Api::namespaced(admin.clone(), NAMESPACE);
    for (name, replicas) in [("pinfold-api", 2), ("pinfold-api-work", 1)] {
        let found = deployments.get(name).await.expect("a deployment of the API");
        assert_eq!(
            found.status.clone().unwrap_or_default().ready_replicas,
            Some(replicas),
            "{name}"
        );
        let text = serde_json::to_string(&found).expect("JSON");
        assert!(
            text.contains("DATABASE_URL") && !text.contains("PINFOLD_DATABASE_MIGRATION_URL"),
            "{text}"
        );
    }
    let jobs: Api<Job> = Api::namespaced(admin, NAMESPACE);
    assert_eq!(jobs.list(&ListParams::default()).await.expect("the jobs").items, vec![]);
}

/// What a client has used up is known to all replicas: it stands in Redis, under a name that tells nobody whose it is.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_count_in_redis() {
    let email = format!("nobody-{:08x}@example.com", rand::random::<u32>());
    let asked = client().post("/v1/password-resets", &json!({"email": email})).await;
    assert_eq!(asked.status, 202, "{:?}", asked.body);
    let admin = cluster::client("admin").await;
    let pods: Api<Pod> = Api::namespaced(admin, "pinfold-data");
    let of_redis = ListParams::default().labels("app=redis");
    let pod = pods.list(&of_redis).await.expect("the pods").items.remove(0).name_any();
    let list = "REDISCLI_AUTH=$(cat /secret/password) redis-cli --scan --pattern 'pinfold:bucket:mails:*'";
    let how = AttachParams::default().stdout(true).stderr(false);
    let mut running = pods
        .exec(&pod, ["sh", "-c", list], &how)
        .await
        .expect("a command in the pod");
    let mut names = String::new();
    let mut output = Box::pin(running.stdout().expect("its output"));
    wait::soon("the command ends", output.read_to_string(&mut names))
        .await
        .expect("read its output");
    let names: Vec<&str> = names.lines().collect();
    assert!(!names.is_empty(), "no bucket of this address");
    assert!(
        names
            .iter()
            .all(|name| name.len() == "pinfold:bucket:mails:".len() + 64),
        "{names:?}"
    );
}
