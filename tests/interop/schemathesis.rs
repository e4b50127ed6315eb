//! schemathesis (`PyPI`) reads the description of the API and sends what it allows, and what it does not, as everybody who has a part in a
//! tenant: what comes back must be what the description says.

use futures::future::join_all;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use support::api::{Agent, Client, Person, Service, database, migrate, settings};
use tempfile::TempDir;
use url::Url;

use super::tool;

/// What ends the proof with which everything else is asked, or the tenant.
const ENDS: &str = r"^DELETE /v1/(me|sessions|tenants/\{tenant\})$";

/// A tenant that there is. Without a cluster what needs one is told 503.
const CONFIGURATION: &str = r#"
[parameters]
"path.tenant" = "acme"

[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503"]
"#;

/// What it cannot judge: it makes no signatures, tokens and moments of today, so that some of what the description allows is refused for what
/// it says; and it takes away one proof while another stays.
const LEFT_OUT: &str = "positive_data_acceptance,missing_required_header,ignored_auth";

struct World {
    service: Service,
    /// The headers of each part.
    parts: Vec<(&'static str, Vec<(&'static str, String)>)>,
}

impl World {
    async fn new(folder: &TempDir) -> Self {
        let database = database().await;
        migrate(&database).await;
        let mut settings = settings(&database);
        let mail = folder.path().join("mail");
        let most = || "1000000".to_owned();
        settings.extend([
            ("ENVIRONMENT", "development".to_owned()),
            ("PINFOLD_MAIL_DIRECTORY", mail.display().to_string()),
            ("PINFOLD_LOGIN_MILLISECONDS", "0".to_owned()),
            ("PINFOLD_REGISTRATIONS_PER_HOUR", most()),
            ("PINFOLD_REQUESTS_PER_MINUTE", most()),
            ("PINFOLD_LOGINS_PER_MINUTE", most()),
            ("PINFOLD_CALLS_PER_MINUTE", most()),
            ("PINFOLD_WRITES_PER_MINUTE", most()),
        ]);
        let service = Service::start(&settings).await;
        let client = &service.client;
        let owner = Person::sign_up(client, &mail, "ada@example.com").await;
        let made = owner.post(client, "/v1/tenants", &json!({"name": "acme"})).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let mut parts = vec![("owner", of(&owner)), ("stranger", Vec::new())];
        for role in ["admin", "developer", "billing", "viewer"] {
            let email = format!("{role}@example.com");
            parts.push((
                role,
                of(&Person::invited(client, &mail, &owner, "acme", &email, role).await),
            ));
        }
        let root = Person::sign_up(client, &mail, "root@example.com").await;
        make_admin(&database, &root).await;
        parts.push(("who runs the platform", of(&root)));
        let key = json!({"name": "ci", "kind": "tenant", "scopes": ["runs:read", "runs:write", "tenant:read", "agents:read"]});
        let key = owner.post(client, "/v1/tenants/acme/api-keys", &key).await;
        let key = key.body["secret"].as_str().expect("a key").to_owned();
        let agent = Agent::of_person(&owner, client, "acme", "scout").await;
        let agent = agent.token(client).await;
        let own = client_token(client, &owner).await;
        parts.extend([
            ("agent", vec![("Authorization", format!("Bearer {agent}"))]),
            ("OAuth client", vec![("Authorization", format!("Bearer {own}"))]),
            ("API key", vec![("X-API-Key", key)]),
        ]);
        Self { service, parts }
    }
}

/// A token of a client on its own.
async fn client_token(client: &Client, owner: &Person) -> String {
    let metadata = json!({
        "client_name": "Build board", "grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_post",
        "scope": "runs:read runs:write templates:read tenant:read agents:read",
    });
    let made = owner.post(client, "/v1/tenants/acme/clients", &metadata).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let text = |name: &str| made.body[name].as_str().expect("a text").to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
    ];
    let issued = client.form("/oauth/token", &form).await;
    assert_eq!(issued.status, 200, "{:?}", issued.body);
    issued.body["access_token"].as_str().expect("a token").to_owned()
}

async fn make_admin(database: &Url, person: &Person) {
    let mut connection = PgConnection::connect(database.as_str())
        .await
        .expect("connect to PostgreSQL");
    let done = sqlx::query("UPDATE overseers SET platform_admin = true WHERE id = $1::uuid")
        .bind(&person.id)
        .execute(&mut connection)
        .await
        .expect("make an administrator");
    assert_eq!(done.rows_affected(), 1);
}

fn of(person: &Person) -> Vec<(&'static str, String)> {
    person.headers().map(|(name, value)| (name, value.to_owned())).into()
}

#[tokio::test]
async fn what_the_description_says_holds_for_everybody() {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::new(&folder).await;
    let config = folder.path().join("schemathesis.toml");
    std::fs::write(&config, CONFIGURATION).expect("write the configuration");
    let runs = world.parts.iter().map(async |(part, headers)| {
        let mut run = tool("../venv/bin/python");
        run.args(["-m", "schemathesis.cli", "--no-color", "--config-file"])
            .arg(&config)
            .args(["run", &world.service.client.url("/openapi.json")])
            .args(["--phases", "examples,coverage", "--seed", "1"])
            .args(["--exclude-name-regex", ENDS, "--exclude-checks", LEFT_OUT]);
        for (name, value) in headers {
            run.arg("--header").arg(format!("{name}: {value}"));
        }
        let ended = run.output().await.expect("run schemathesis");
        let said = String::from_utf8_lossy(&ended.stdout);
        assert!(
            ended.status.success(),
            "as {part}:\n{said}\n{}",
            String::from_utf8_lossy(&ended.stderr)
        );
    });
    join_all(runs).await;
}
