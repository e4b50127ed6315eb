//! Mail leaves by a server that is none of ours (aiosmtpd, `PyPI`), and waits while there is none.

use std::{path::Path, process::Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use support::{
    api::{Service, database, migrate, settings},
    wait,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdout},
};

use super::tool;

/// A certificate for `localhost`, and the authority that vouches for it.
fn certificates(folder: &Path) {
    let mut root = CertificateParams::new(Vec::new()).expect("an authority");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(vec!["localhost".to_owned()]).expect("a certificate");
    let own = own.signed_by(&key, &root).expect("a certificate");
    for (name, text) in [
        ("root.pem", root.pem()),
        ("own.pem", own.pem()),
        ("own.key", key.serialize_pem()),
    ] {
        std::fs::write(folder.join(name), text).expect("write a certificate");
    }
}

struct MailServer {
    _process: Child,
    told: Lines<BufReader<ChildStdout>>,
}

impl MailServer {
    async fn start(way: &str, port: u16, folder: &Path) -> Self {
        let mut process = tool("../venv/bin/python")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/interop/python/smtp.py"))
            .args([way, &port.to_string()])
            .args([folder.join("own.pem"), folder.join("own.key")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start a mail server");
        let told = BufReader::new(process.stdout.take().expect("its output")).lines();
        let mut server = Self {
            _process: process,
            told,
        };
        assert_eq!(server.line().await, "ready");
        server
    }

    async fn line(&mut self) -> String {
        let line = wait::soon("the mail server says something", self.told.next_line()).await;
        line.expect("a line").expect("it has not ended")
    }
}

async fn a_link_arrives(way: &str, query: &str) {
    let folder: TempDir = tempfile::tempdir().expect("a folder");
    certificates(folder.path());
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let database = database().await;
    migrate(&database).await;
    let mut settings = settings(&database);
    settings.extend([
        ("PINFOLD_SIGN_UP", "open".to_owned()),
        ("PINFOLD_LOGIN_MILLISECONDS", "0".to_owned()),
        ("PINFOLD_MAIL_FROM", "Pinfold <pinfold@example.com>".to_owned()),
        (
            "SMTP_URL",
            format!("{way}://pinfold:a%20password%20of%20the%20mail%20server@localhost:{port}{query}"),
        ),
        ("SSL_CERT_FILE", folder.path().join("root.pem").display().to_string()),
    ]);
    let service = Service::start(&settings).await;
    let asked = service
        .client
        .post("/v1/sign-ups", &json!({"email": "ada@example.org"}))
        .await;
    assert_eq!(asked.status, 202, "{:?}", asked.body);
    // Nobody listens yet: the letter waits.
    service
        .logged("the letter is put off", |l| l["message"] == "a job failed")
        .await;
    let mut server = MailServer::start(way, port, folder.path()).await;
    let mut letter: Value = serde_json::from_str(&server.line().await).expect("a letter");
    let text = letter["text"].take();
    let wanted = json!({
        "from": "pinfold@example.com", "to": ["ada@example.org"], "user": "pinfold", "tls": true, "text": null,
        "headers": {
            "From": "Pinfold <pinfold@example.com>", "To": "ada@example.org", "Subject": "Open your Pinfold account",
            "Content-Type": "text/plain; charset=utf-8",
        },
    });
    assert_eq!(letter, wanted);
    // The link came in one piece, and works.
    let text = text.as_str().expect("a text");
    let secret = text
        .lines()
        .find_map(|line| line.strip_prefix("https://pinfold.test/sign-up#"));
    let account = json!({"token": secret.expect(text), "name": "Ada", "password": "correct horse battery staple"});
    let opened = service.client.post("/v1/sign-ups/complete", &account).await;
    assert_eq!(opened.status, 201, "{:?}", opened.body);
    // Passwords are no part of what is logged.
    assert!(!service.log().contains("password%20of") && !service.log().contains("password of the"));
}

#[tokio::test]
async fn mail_leaves_inside_of_tls() {
    a_link_arrives("smtps", "").await;
}

#[tokio::test]
async fn mail_leaves_after_starttls() {
    a_link_arrives("smtp", "?tls=required").await;
}
