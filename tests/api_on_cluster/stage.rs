//! Two replicas of the API beside a cluster.

use std::{collections::BTreeMap, fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crds::{condition::ConditionStatus, tenant::Tenant};
use k8s_openapi::{
    api::{
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::ServiceAccount,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, api::PostParams, config::Kubeconfig};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use support::{
    api::{Answer, Cable, Person, Service, database, migrate, run, settings},
    cluster, wait,
};
use tempfile::TempDir;
use url::Url;

/// Two replicas that share a database and the cluster.
pub struct Stage {
    pub one: Service,
    pub two: Service,
    pub admin: kube::Client,
    folder: TempDir,
    database: Url,
    settings: BTreeMap<&'static str, String>,
}

impl Stage {
    pub async fn start() -> Self {
        Self::with([]).await
    }

    /// The same with these settings besides.
    pub async fn with<const N: usize>(more: [(&'static str, String); N]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let admin = cluster::client("admin").await;
        let database = database().await;
        migrate(&database).await;
        let mut settings: BTreeMap<&'static str, String> = settings(&database);
        let kubeconfig = folder.path().join("kubeconfig");
        fs::write(&kubeconfig, identity(&admin).await).expect("write the kubeconfig");
        let path = |name: &str| folder.path().join(name).display().to_string();
        settings.extend([
            ("ENVIRONMENT", "development".to_owned()),
            // The cluster has Tenants of other services, too: what this one signed is known by its key.
            ("PINFOLD_MASTER_KEY", STANDARD.encode(rand::random::<[u8; 32]>())),
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("PINFOLD_MAIL_DIRECTORY", path("mail")),
            ("PINFOLD_LOGIN_MILLISECONDS", "0".to_owned()),
        ]);
        settings.extend(more);
        Self {
            one: Service::start(&settings).await,
            two: Service::start(&settings).await,
            folder,
            admin,
            database,
            settings,
        }
    }

    /// Another replica.
    pub async fn another(&self) -> Service {
        Service::start(&self.settings).await
    }

    /// Another replica, which reaches the database by a cable.
    pub async fn by_cable(&self) -> (Service, Cable) {
        let cable = Cable::to(&self.database);
        let mut settings = self.settings.clone();
        settings.insert("DATABASE_URL", cable.url.to_string());
        (Service::start(&settings).await, cable)
    }

    /// What a command of the API's program says, with the settings of the replicas.
    pub async fn run(&self, arguments: &[&str]) -> (bool, String) {
        let ended = run(arguments, &self.settings).await;
        let all = [ended.stdout, ended.stderr].concat();
        (ended.status.success(), String::from_utf8_lossy(&all).into_owned())
    }

    /// Does something in the database that nobody should.
    pub async fn tamper(&self, statement: &'static str) {
        let mut connection = self.connection().await;
        sqlx::raw_sql(statement)
            .execute(&mut connection)
            .await
            .expect("change the database");
    }

    pub async fn person(&self, email: &str) -> Person {
        Person::sign_up(&self.one.client, &self.mail(), email).await
    }

    /// Where mail is written.
    pub fn mail(&self) -> PathBuf {
        self.folder.path().join("mail")
    }

    /// Makes somebody one of those who run the platform.
    pub async fn make_admin(&self, person: &Person) {
        let done = sqlx::query("UPDATE overseers SET platform_admin = true WHERE id = $1::uuid")
            .bind(&person.id)
            .execute(&mut self.connection().await)
            .await
            .expect("make an administrator");
        assert_eq!(done.rows_affected(), 1);
    }

    async fn connection(&self) -> PgConnection {
        let connection = PgConnection::connect(self.database.as_str()).await;
        connection.expect("connect to PostgreSQL")
    }

    /// What was done, as the audit has it. Other tests have the same cluster: what they do there is nobody's here.
    pub async fn actions(&self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT action FROM audit_events WHERE tenant_id IS NOT NULL OR actor_kind <> 'kubernetes' ORDER BY id",
        )
        .fetch_all(&mut self.connection().await)
        .await
        .expect("read the audit")
    }

    /// Whether every job is done.
    pub async fn is_idle(&self) -> bool {
        let mut connection = self.connection().await;
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs")
            .fetch_one(&mut connection)
            .await
            .expect("count the jobs");
        left == 0
    }

    /// Whether every job of a tenant is done.
    pub async fn is_done(&self, tenant: &str) -> bool {
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM jobs WHERE subject_id IN (SELECT id FROM tenants WHERE name = $1)",
        )
        .bind(tenant)
        .fetch_one(&mut self.connection().await)
        .await
        .expect("count the jobs");
        left == 0
    }

    /// Takes a tenant's jobs away from who is at them, as if they had ended without a word.
    pub async fn let_go(&self, tenant: &str) {
        sqlx::query(
            "UPDATE jobs SET leased_until = now() - interval '1 second' \
             WHERE leased_until IS NOT NULL AND subject_id IN (SELECT id FROM tenants WHERE name = $1)",
        )
        .bind(tenant)
        .execute(&mut self.connection().await)
        .await
        .expect("take the jobs away");
    }

    /// Takes back that idempotent requests were answered, and lets go of them.
    pub async fn forget_answers(&self) {
        let done = sqlx::query(
            "UPDATE idempotency_keys SET status = NULL, answer = NULL, leased_until = now() - interval '1 second'",
        )
        .execute(&mut self.connection().await)
        .await
        .expect("change the answers");
        assert_eq!(done.rows_affected(), 1);
    }

    /// A tenant of this person's, in whose namespace something can run.
    pub async fn tenant(&self, owner: &Person) -> String {
        let name = format!("api-{:08x}", rand::random::<u32>());
        let made = owner
            .post(&self.one.client, "/v1/tenants", &json!({"name": name}))
            .await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let path = format!("/v1/tenants/{name}/runs");
        wait::until_true("the tenant's namespace", async || {
            owner.get(&self.two.client, &path).await.status == 200
        })
        .await;
        let tenants: Api<Tenant> = Api::all(self.admin.clone());
        wait::until(&tenants, &name, "the tenant is ready", |found| {
            found.is_some_and(|tenant| {
                let status = tenant.status.clone().unwrap_or_default();
                status
                    .conditions
                    .iter()
                    .any(|c| c.type_ == "Ready" && c.status == ConditionStatus::True)
            })
        })
        .await;
        name
    }
}

/// A kubeconfig with the service account that the chart makes for the API, so that the tests prove its rights.
pub async fn identity(admin: &kube::Client) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), "pinfold-system");
    let request = TokenRequest {
        metadata: ObjectMeta::default(),
        spec: TokenRequestSpec {
            audiences: Vec::new(),
            bound_object_ref: None,
            expiration_seconds: Some(3600),
        },
        status: None,
    };
    let made = accounts
        .create_token_request("pinfold-api", &PostParams::default(), &request)
        .await
        .expect("a token of the API's service account");
    let token = made.status.expect("a token").token;
    let config = Kubeconfig::read_from(cluster::kubeconfig("admin")).expect("a kubeconfig");
    let cluster = config.clusters[0].cluster.clone().expect("a cluster");
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    })
    .to_string()
}

/// The status, and the member at fault or the code.
pub fn refused(answer: &Answer) -> (u16, &str) {
    let what = answer.body["field"].as_str().or(answer.body["code"].as_str());
    (answer.status.as_u16(), what.unwrap_or_default())
}
