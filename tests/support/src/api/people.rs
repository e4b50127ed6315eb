//! People, as browsers and programs of theirs send requests.

use std::{collections::BTreeMap, fs, path::Path};

use http_body_util::Full;
use hyper::{Request, body::Bytes, header};
use serde_json::{Value, json};

use crate::{
    api::{Answer, Client, web_client::written},
    wait,
};

/// Everybody's.
pub const PASSWORD: &str = "correct horse battery staple";

/// A person who has logged in.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: String,
    cookie: String,
    csrf: String,
}

impl Person {
    /// Signs up by the mail that the service writes into a folder.
    pub async fn sign_up(client: &Client, mail: &Path, email: &str) -> Self {
        let asked = client.post("/v1/sign-ups", &json!({"email": email})).await;
        assert_eq!(asked.status, 202, "{:?}", asked.body);
        let token = secret(mail, email).await;
        let body = json!({"token": token, "name": "Ada", "password": PASSWORD});
        let opened = client.post("/v1/sign-ups/complete", &body).await;
        Self::of(&opened)
    }

    /// Logs in.
    pub async fn log_in(client: &Client, email: &str) -> Self {
        let who = json!({"email": email, "password": PASSWORD});
        Self::of(&client.post("/v1/sessions", &who).await)
    }

    /// Signs up by an invitation to a tenant.
    pub async fn invited(client: &Client, mail: &Path, owner: &Self, tenant: &str, email: &str, role: &str) -> Self {
        let invitation = json!({"email": email, "role": role});
        let path = format!("/v1/tenants/{tenant}/invitations");
        let invited = owner.post(client, &path, &invitation).await;
        assert_eq!(invited.status, 201, "{:?}", invited.body);
        let body = json!({"token": secret(mail, email).await, "name": "Bob", "password": PASSWORD});
        Self::of(&client.post("/v1/sign-ups/complete", &body).await)
    }

    /// What shows that a request is this person's.
    pub fn headers(&self) -> [(&'static str, &str); 2] {
        [("cookie", &self.cookie), ("x-csrf-token", &self.csrf)]
    }

    fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 201, "{:?}", answer.body);
        let cookies = answer.headers.get_all(header::SET_COOKIE).iter();
        let pairs = cookies.map(|value| value.to_str().unwrap_or_default().split(';').next().unwrap_or_default());
        Self {
            cookie: pairs.collect::<Vec<_>>().join("; "),
            id: text(&answer.body["overseer_id"]),
            csrf: text(&answer.body["csrf_token"]),
        }
    }

    /// A request of this person's.
    pub fn request(&self, client: &Client, method: &str, path: &str, body: Option<&Value>) -> Request<Full<Bytes>> {
        Request::builder()
            .method(method)
            .uri(client.url(path))
            .header(header::COOKIE, &self.cookie)
            .header("x-csrf-token", &self.csrf)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Full::default, |body| Full::from(body.to_string())))
            .expect("a request")
    }

    pub async fn send(&self, client: &Client, method: &str, path: &str, body: Option<&Value>) -> Answer {
        client.send(self.request(client, method, path, body)).await
    }

    /// Sends a form of a page.
    pub async fn submit(&self, client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
        let all = [fields, &[("csrf", self.csrf.as_str())]].concat();
        let request = Request::post(client.url(path))
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(written(&all)));
        client.send(request.expect("a request")).await
    }

    pub async fn get(&self, client: &Client, path: &str) -> Answer {
        self.send(client, "GET", path, None).await
    }

    pub async fn post(&self, client: &Client, path: &str, body: &Value) -> Answer {
        self.send(client, "POST", path, Some(body)).await
    }
}

/// The secret of the link that was sent to an address last.
pub async fn secret(mail: &Path, email: &str) -> String {
    let link = link(mail, email).await;
    link.split_once('#')
        .map_or_else(String::new, |(_, secret)| secret.to_owned())
}

/// The link that was sent to an address last.
pub async fn link(mail: &Path, email: &str) -> String {
    let mut found = None;
    wait::until_true("a mail with a link", || {
        found = letters(mail).remove(email);
        std::future::ready(found.is_some())
    })
    .await;
    found.unwrap_or_default()
}

/// The links in a folder of mail, by address. A letter that was read is taken away.
fn letters(mail: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(mail).into_iter().flatten().flatten() {
        let letter = fs::read_to_string(entry.path()).unwrap_or_default();
        let to = letter.lines().find_map(|line| line.strip_prefix("To: "));
        let link = letter.lines().find(|line| line.contains('#'));
        if let (Some(to), Some(link)) = (to, link) {
            found.insert(to.to_owned(), link.trim().to_owned());
            let _ = fs::remove_file(entry.path());
        }
    }
    found
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
