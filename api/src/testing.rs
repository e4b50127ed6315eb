//! The service as tests see it: a real database for each test, a clock that stands still, requests through the router.

mod agent;
pub mod consent;
mod documented;
mod issuer;
mod passkey;
mod possession;
mod redis;
mod run;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::connect_info::MockConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::Clock;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use tokio::sync::OnceCell;
use tower::ServiceExt as _;

use crate::{
    app::AppState,
    auth::{chain::Head, random::random, signing::Algorithm},
    config::{self, Config},
    mail::Mailer,
    router,
    service::audit,
    store::Database,
    work::Worker,
};

pub use agent::TestAgent;
pub use issuer::{Manner, TestIssuer};
pub use passkey::TestPasskey;
pub use possession::TestKey;
pub use redis::TestRedis;

/// The issuer of every test.
pub const ISSUER: &str = "https://pinfold.example";

/// The origin whose pages may call the service in every test.
pub const CONSOLE: &str = "https://console.example";

/// When every test begins.
pub const START: i64 = 1_800_000_000;

/// A clock that goes when it is told to.
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap_or(Timestamp::MAX)
    }
}

/// The service with a database of its own.
#[derive(Debug)]
pub struct TestApp {
    pub router: Router,
    pub state: AppState,
    clock: Arc<TestClock>,
    /// What is configured besides.
    settings: Vec<(&'static str, String)>,
    /// The database as its owner sees it.
    pub owner: PgPool,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The status with the body.
    pub fn told(&self) -> (u16, &Value) {
        (self.status.as_u16(), &self.body)
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl TestApp {
    /// A service with a migrated database and a signing key.
    pub async fn start() -> Self {
        let app = Self::without_keys().await;
        app.refresh_keys().await;
        app
    }

    /// A service that counts in Redis.
    pub async fn with_redis(redis: &TestRedis) -> Self {
        let app = Self::begin(vec![("REDIS_URL", redis.url())]).await;
        app.refresh_keys().await;
        app
    }

    /// A service that believes an issuer outside. In development that may be on loopback.
    pub async fn believing(issuer: &TestIssuer) -> Self {
        let settings = vec![
            ("ENVIRONMENT", "development".to_owned()),
            ("PINFOLD_OIDC_ISSUERS", issuer.name.clone()),
        ];
        let app = Self::begin(settings).await;
        app.refresh_keys().await;
        app
    }

    /// A service before the first signing key was made.
    pub async fn without_keys() -> Self {
        Self::begin(Vec::new()).await
    }

    async fn begin(settings: Vec<(&'static str, String)>) -> Self {
        let url = database().await;
        let owner = PgPool::connect(&url).await.expect("connect to the test's database");
        let clock = Arc::new(TestClock(AtomicI64::new(START)));
        Self::over(&url, owner, clock, settings)
    }

    /// Another replica of the same service.
    pub fn replica(&self) -> Self {
        self.with_settings(&[])
    }

    /// Another replica, of which something else is configured.
    pub fn with_settings(&self, more: &[(&'static str, String)]) -> Self {
        let options = self.owner.connect_options();
        let name = options.get_database().unwrap_or_default();
        let settings = [&self.settings, more].concat();
        Self::over(&url_of(name), self.owner.clone(), self.clock.clone(), settings)
    }

    fn over(url: &str, owner: PgPool, clock: Arc<TestClock>, settings: Vec<(&'static str, String)>) -> Self {
        let mut environment = BTreeMap::from(
            [
                ("DATABASE_URL", url.to_owned()),
                ("SERVICE_URL", ISSUER.to_owned()),
                ("PINFOLD_MASTER_KEY", STANDARD.encode([1; 32])),
                ("PINFOLD_TRUSTED_PROXIES", "10.0.0.0/8".to_owned()),
                ("PINFOLD_REGISTRATIONS_PER_HOUR", "30".to_owned()),
                ("PINFOLD_REQUESTS_PER_MINUTE", "60".to_owned()),
                ("PINFOLD_CALLS_PER_MINUTE", "300".to_owned()),
                ("PINFOLD_WRITES_PER_MINUTE", "300".to_owned()),
                ("PINFOLD_LOGINS_PER_MINUTE", "60".to_owned()),
                ("ALLOWED_ORIGINS", CONSOLE.to_owned()),
                ("PINFOLD_SIGN_UP", "open".to_owned()),
                ("PINFOLD_LOGIN_MILLISECONDS", "0".to_owned()),
                ("SMTP_URL", "smtps://mail.example".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        let more = settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        environment.extend(more);
        let config = Config::load(None, &environment).expect("the tests' configuration");
        let database = Database::open(&config.database).expect("a pool");
        let state = AppState::assemble(&config, database, None, clock.clone()).expect("a service");
        Self {
            router: router::router(state.clone()).layer(MockConnectInfo(SocketAddr::from(([10, 0, 0, 1], 1)))),
            state,
            clock,
            settings,
            owner,
        }
    }

    /// Lets time pass.
    pub fn wait(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Reads the signing keys, and makes those of access tokens that are due.
    pub async fn refresh_keys(&self) {
        self.make_keys(&Algorithm::OF_ACCESS_TOKENS).await;
    }

    /// Reads the signing keys, and makes those that are due.
    pub async fn make_keys(&self, algorithms: &[Algorithm]) {
        let state = &self.state;
        state
            .keyring
            .refresh(&state.database, &state.master, algorithms, state.clock.now())
            .await
            .expect("refresh the signing keys");
    }

    /// Numbers the events of the audit; the heads of the chains that grew.
    pub async fn seal(&self) -> Vec<Head> {
        let state = &self.state;
        audit::seal_all(&state.database, &state.audit_signer, state.clock.now())
            .await
            .expect("number the audit")
            .heads
    }

    /// Sends a request.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        documented::check(&method, &path, parts.status);
        let bytes = body.collect().await.expect("a body").to_bytes();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)))
        };
        documented::explained(&body);
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Sends JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()));
        self.send(request.expect("a request")).await
    }

    /// Sends JSON, or nothing, with a token.
    pub async fn with_token(&self, method: Method, path: &str, token: &str, body: Option<&Value>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())));
        self.send(request.expect("a request")).await
    }

    /// Sends a form.
    pub async fn form(&self, path: &str, members: &[(&str, &str)]) -> Answer {
        self.form_with(path, &[], members).await
    }

    /// Reads, with a token if there is one.
    pub async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// Registers an agent with a new key.
    pub async fn agent(&self) -> TestAgent {
        let mut agent = TestAgent::new();
        let answer = self.post("/v1/agents", &agent.registration("scout", self.now())).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        let text = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
        agent.id = text("agent_id");
        agent.key_id = text("key_id");
        agent
    }

    /// The seconds of the clock.
    pub fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// A token of an agent.
    pub async fn token(&self, agent: &TestAgent) -> String {
        let form = agent.answer(&self.challenge(agent).await);
        let answer = self.form("/oauth/token", &borrowed(&form)).await;
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
        answer.body["access_token"].as_str().unwrap_or_default().to_owned()
    }

    /// A challenge for an agent.
    pub async fn challenge(&self, agent: &TestAgent) -> Value {
        let path = format!("/v1/agents/{}/challenges", agent.id);
        let answer = self.post(&path, &json!({"key_id": agent.key_id})).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        answer.body
    }
}

/// A person who has logged in.
#[derive(Debug, Clone)]
pub struct TestPerson {
    pub id: String,
    /// The header with the cookies.
    pub cookie: String,
    pub csrf: String,
}

/// The password of every person of the tests.
pub const PASSWORD: &str = "correct horse battery staple";

impl TestApp {
    /// A worker whose mail goes to a folder.
    pub fn worker(&self, folder: &Path) -> Worker {
        let config = config::Mail {
            transport: config::Transport::Directory(folder.to_owned()),
            from: "Pinfold <pinfold@pinfold.example>".parse().expect("a sender"),
        };
        Worker::new(self.state.clone(), Mailer::new(&config).expect("a mailer"))
    }

    /// Does the jobs, and returns the mail that was sent by it, the oldest first.
    pub async fn mail(&self) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        self.worker(folder.path()).drain().await;
        let mut files: Vec<_> = std::fs::read_dir(folder.path())
            .expect("read the folder")
            .map(|entry| entry.expect("a file").path())
            .collect();
        files.sort();
        files
            .iter()
            .map(|path| {
                std::fs::read_to_string(path)
                    .expect("read a mail")
                    .replace("\r\n", "\n")
            })
            .collect()
    }

    /// A person with an account.
    pub async fn person(&self, email: &str) -> TestPerson {
        let asked = self.post("/v1/sign-ups", &json!({"email": email})).await;
        assert_eq!(asked.told(), (202, &Value::Null));
        let mail = self.mail().await;
        let token = token_of(&mail[0]);
        let body = json!({"token": token, "name": "Ada Lovelace", "password": PASSWORD});
        logged_in(&self.post("/v1/sign-ups/complete", &body).await)
    }

    /// Sends JSON, or nothing, as a person.
    pub async fn as_person(&self, method: Method, path: &str, person: &TestPerson, body: Option<&Value>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, &person.cookie)
            .header("x-csrf-token", &person.csrf)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())));
        self.send(request.expect("a request")).await
    }
}

/// The secret of the link in a mail.
pub fn token_of(mail: &str) -> &str {
    let line = mail.lines().find(|line| line.starts_with(ISSUER)).expect("a link");
    line.split_once('#').expect("a secret").1
}

/// The person whom an answer logged in.
pub fn logged_in(answer: &Answer) -> TestPerson {
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    let cookies: Vec<&str> = answer
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|value| value.to_str().expect("a cookie").split(';').next().unwrap_or_default())
        .collect();
    TestPerson {
        id: answer.body["overseer_id"].as_str().unwrap_or_default().to_owned(),
        cookie: cookies.join("; "),
        csrf: answer.body["csrf_token"].as_str().unwrap_or_default().to_owned(),
    }
}

/// A form as the client sends it.
pub fn borrowed<'a>(form: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    form.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// The server's address, for its superuser.
fn server() -> String {
    std::env::var("PINFOLD_TEST_DATABASE_URL").expect(
        "these tests need PostgreSQL: run them by `cargo xtask test unit`, or name a superuser's database in PINFOLD_TEST_DATABASE_URL",
    )
}

fn url_of(database: &str) -> String {
    let mut url = url::Url::parse(&server()).expect("PINFOLD_TEST_DATABASE_URL is a URL");
    url.set_path(database);
    url.into()
}

/// A database of the test's own, a copy of one that was migrated once.
async fn database() -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let template = TEMPLATE.get_or_init(template).await;
    let name = format!("test_{:032x}", u128::from_be_bytes(random().expect("random bytes")));
    let mut server = PgConnection::connect(&server()).await.expect("connect to PostgreSQL");
    // File by file: the other way writes every page of it into the log as well.
    let copy = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY");
    server
        .execute(sqlx::AssertSqlSafe(copy))
        .await
        .expect("copy the template");
    url_of(&name)
}

async fn template() -> String {
    let name = format!("template_{:032x}", u128::from_be_bytes(random().expect("random bytes")));
    let mut server = PgConnection::connect(&server()).await.expect("connect to PostgreSQL");
    server
        .execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .await
        .expect("make the template");
    let mut fresh = PgConnection::connect(&url_of(&name))
        .await
        .expect("connect to the template");
    migrations::MIGRATOR
        .run(&mut fresh)
        .await
        .expect("migrate the template");
    fresh.close().await.expect("leave the template");
    name
}
