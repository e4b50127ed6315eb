//! Two replicas of the service with a person and their tenant, and a library of others that is told where they are.

use std::process::Stdio;

use serde_json::{Value, json};
use support::{
    api::{ISSUER, Person, Service, database, migrate, settings},
    wait,
};
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, process::Command};

/// The address of the person.
pub const EMAIL: &str = "ada@example.com";

pub struct Replicas {
    pub first: Service,
    pub second: Service,
    /// Owns the tenant `acme`.
    pub owner: Person,
    /// Where their mail lies.
    _mail: TempDir,
}

impl Replicas {
    pub async fn start(more: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let database = database().await;
        migrate(&database).await;
        let mail = tempfile::tempdir().expect("a folder");
        let mut settings = settings(&database);
        settings.extend([
            ("ENVIRONMENT", "development".to_owned()),
            ("PINFOLD_MAIL_DIRECTORY", mail.path().display().to_string()),
        ]);
        settings.extend(more);
        let (first, second) = (Service::start(&settings).await, Service::start(&settings).await);
        let owner = Person::sign_up(&first.client, mail.path(), EMAIL).await;
        let made = owner.post(&first.client, "/v1/tenants", &json!({"name": "acme"})).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        Self {
            first,
            second,
            owner,
            _mail: mail,
        }
    }

    /// What the program answers, which is told this, and where the replicas are, as one line of JSON.
    pub async fn ask(&self, mut program: Command, mut told: Value) -> Value {
        let mut process = program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run the library's program");
        told["replicas"] = json!([self.first.client.url(""), self.second.client.url("")]);
        told["issuer"] = json!(ISSUER);
        let mut say = process.stdin.take().expect("its input");
        say.write_all(format!("{told}\n").as_bytes()).await.expect("tell it");
        let ended = wait::soon("the library is done", process.wait_with_output())
            .await
            .expect("its output");
        serde_json::from_slice(&ended.stdout).expect("JSON")
    }
}
