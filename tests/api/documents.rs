//! Cases 52 and 53: clients that describe themselves, read from a server that is none of ours in a network of the test's own, in which
//! addresses that are not public lead to that server just as well.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::api::{
    Answer, Authority, CHALLENGE, ISSUER, Namespace, Page, Person, Publisher, Service, VERIFIER, database, migrate,
    settings,
};
use tempfile::TempDir;
use url::form_urlencoded::Serializer;

mod described;
mod fetched;
mod keys;

/// Of the internet.
const PUBLIC: &str = "93.184.215.14";
const PUBLIC_6: &str = "2606:4700::6810:1";

/// Of the network in which the service runs.
const OTHERS: [&str; 4] = ["10.0.0.1", "169.254.169.254", "100.64.0.1", "fd00::1"];

/// Where names lead. The server has a certificate for all of them but the last.
const HOSTS: [(&str, &str); 14] = [
    ("app.example", PUBLIC),
    ("other.example", PUBLIC_6),
    ("keys.example", PUBLIC),
    ("loopback.example", "127.0.0.1"),
    ("loopback-6.example", "::1"),
    ("private.example", "10.0.0.1"),
    ("private-6.example", "fd00::1"),
    ("shared.example", "100.64.0.1"),
    ("mapped.example", "::ffff:10.0.0.1"),
    ("metadata.example", "169.254.169.254"),
    // Two addresses each.
    ("mixed.example", PUBLIC),
    ("mixed.example", "10.0.0.1"),
    ("mixed-6.example", PUBLIC),
    ("mixed-6.example", "fd00::1"),
];

/// A name that the certificate is not for.
const STRANGER: &str = "stranger.example";

/// A name that is asked of a server of names.
const REBOUND: &str = "rebound.example";

const CLIENT: &str = "https://app.example/client.json";

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A service in a network, somebody who publishes clients there, and a person with a tenant.
struct World {
    network: Namespace,
    publisher: Publisher,
    settings: BTreeMap<&'static str, String>,
    service: Service,
    ada: Person,
    /// The authority's certificate, and mail.
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With these settings of the service besides.
    async fn with(more: &[(&'static str, &str)]) -> Self {
        let network = Namespace::new(&[&[PUBLIC, PUBLIC_6], OTHERS.as_slice()].concat());
        let hosts: Vec<_> = HOSTS.into_iter().chain([(STRANGER, PUBLIC)]).collect();
        network.name(&hosts);
        network.ask_for_names("127.0.0.1");
        let names: Vec<&str> = HOSTS.iter().map(|(name, _)| *name).chain([REBOUND]).collect();
        let authority = Authority::default();
        let publisher = Publisher::start(&network, "[::]:443", &authority, &names);
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("root.pem");
        authority.write(&root);
        let mail = folder.path().join("mail");
        std::fs::create_dir(&mail).expect("a folder");
        let database = database().await;
        migrate(&database).await;
        let mut settings = settings(&database);
        settings.extend([
            ("ENVIRONMENT", "development".to_owned()),
            ("PINFOLD_MAIL_DIRECTORY", mail.display().to_string()),
            ("PINFOLD_LOGIN_MILLISECONDS", "0".to_owned()),
            ("SSL_CERT_FILE", root.display().to_string()),
        ]);
        settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let service = Service::start_inside(&network, &settings).await;
        let ada = Person::sign_up(&service.client, &mail, "ada@example.com").await;
        let made = ada.post(&service.client, "/v1/tenants", &json!({"name": "acme"})).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        Self {
            network,
            publisher,
            settings,
            service,
            ada,
            _folder: folder,
        }
    }

    /// A replica that has read nothing yet.
    async fn replica(&self) -> Service {
        Service::start_inside(&self.network, &self.settings).await
    }

    /// Publishes at an address what a client that calls itself so says of itself.
    fn describe(&self, client_id: &str, more: Value) {
        let place = client_id.trim_start_matches("https://");
        self.publisher.publish(place, Page::json(&description(client_id, more)));
    }

    /// A client sends the person's browser here.
    async fn authorize(&self, at: &Service, client_id: &str, changes: &[(&str, &str)]) -> Answer {
        let mut parameters = BTreeMap::from([
            ("client_id", client_id),
            ("response_type", "code"),
            ("scope", "tenant:read"),
            ("state", "xyz"),
            ("resource", ISSUER),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        parameters.extend(changes.iter().copied());
        parameters.retain(|_, value| !value.is_empty());
        let query = Serializer::new(String::new()).extend_pairs(parameters).finish();
        self.ada.get(&at.client, &format!("/oauth/authorize?{query}")).await
    }

    /// The same, and where that leads the browser to.
    async fn asked(&self, at: &Service, client_id: &str, changes: &[(&str, &str)]) -> Answer {
        let begun = self.authorize(at, client_id, changes).await;
        let place = begun.location().unwrap_or_default();
        assert!(
            place.starts_with("/consent?request="),
            "{}: {:?}",
            begun.status,
            begun.body
        );
        self.ada.get(&at.client, place).await
    }

    /// The person allows what a page asks.
    async fn allow(&self, at: &Service, page: &Answer) -> Answer {
        self.answer(at, page, "allow").await
    }

    async fn answer(&self, at: &Service, page: &Answer, decision: &str) -> Answer {
        let html = page.body.as_str().unwrap_or_default();
        let fields = [
            ("request", hidden(html, "request")),
            ("shown", hidden(html, "shown")),
            ("tenant", "acme"),
            ("decision", decision),
        ];
        self.ada.submit(&at.client, "/consent", &fields).await
    }
}

fn description(client_id: &str, more: Value) -> Value {
    let mut all = json!({
        "client_id": client_id, "client_name": "App", "redirect_uris": ["https://app.example/callback"],
        "grant_types": ["authorization_code", "refresh_token", DEVICE], "token_endpoint_auth_method": "none",
    });
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
        all.extend(more);
    }
    all
}

/// A client brings a code.
async fn redeem(at: &Service, client_id: &str, code: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("resource", ISSUER),
    ];
    at.client.form("/oauth/token", &form).await
}

/// Who is none gets no answer that tells why.
async fn is_none(world: &World, client_id: &str) {
    let page = world.authorize(&world.service, client_id, &[]).await;
    assert_eq!(
        refused(&page),
        (400, None, "client_id: no client calls itself so".to_owned()),
        "{client_id}"
    );
    let answer = redeem(&world.service, client_id, "of-nobody").await;
    assert_eq!(answer.told(), (401, &unproven()), "{client_id}");
}

/// What whoever proves no client is told.
fn unproven() -> Value {
    json!({
        "error": "invalid_client",
        "error_description": "the client is not proved: send its client_id and secret in the way that it is registered for, and in no other",
    })
}

/// A page: its status, where it leads, and what it says is wrong.
fn refused(page: &Answer) -> (u16, Option<&str>, String) {
    let html = readable(page);
    let told = html.split_once("role=\"alert\">").map_or("", |(_, rest)| rest);
    let told = told.split_once("</p>").map_or(told, |(told, _)| told);
    (page.status.as_u16(), page.location(), told.to_owned())
}

/// A page as a person reads it.
fn readable(page: &Answer) -> String {
    page.body.as_str().unwrap_or_default().replace("&#x2f;", "/")
}

fn hidden<'a>(html: &'a str, name: &str) -> &'a str {
    let found = html.split_once(&format!("name=\"{name}\" value=\""));
    found.and_then(|(_, rest)| rest.split('"').next()).unwrap_or_default()
}

/// The code that a browser brings to a client's redirect URI.
fn code_of(answer: &Answer, redirect_uri: &str) -> String {
    let place = answer.location().unwrap_or_default();
    let code = place
        .strip_prefix(&format!("{redirect_uri}?code="))
        .and_then(|rest| rest.strip_suffix("&state=xyz&iss=https%3A%2F%2Fpinfold.test"));
    assert!(code.is_some(), "{}: {place}: {:?}", answer.status, answer.body);
    code.unwrap_or_default().to_owned()
}
