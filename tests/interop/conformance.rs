//! The conformance suite of the Model Context Protocol (npm), as it judges an authorization server: what the server says of itself, and how a
//! client of a person's machine is let in.

use std::{net::TcpListener, path::Path, process::Stdio};

use serde_json::{Value, json};
use support::{
    api::{Client, Person, Service, Socket, WebClient, database, migrate, settings},
    wait,
};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::tool;

#[tokio::test]
async fn an_mcp_client_is_let_in_as_its_specification_says() {
    let database = database().await;
    migrate(&database).await;
    let folder = tempfile::tempdir().expect("a folder");
    let socket = Socket::bind();
    // The suite goes where the issuer's name leads.
    let issuer = format!("http://{}", socket.address());
    let mut settings = settings(&database);
    settings.extend([
        ("ENVIRONMENT", "development".to_owned()),
        ("SERVICE_URL", issuer.clone()),
        ("PINFOLD_MAIL_DIRECTORY", folder.path().display().to_string()),
    ]);
    let service = Service::start_at(&socket, &settings).await;
    let client = &service.client;
    let owner = Person::sign_up(client, folder.path(), "ada@example.com").await;
    let made = owner.post(client, "/v1/tenants", &json!({"name": "acme"})).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    // Of a loopback address the port may be any (RFC 8252, section 7.3).
    let metadata = json!({
        "client_name": "An MCP client", "application_type": "native", "redirect_uris": ["http://127.0.0.1/callback"],
        "scope": "tenant:read", "token_endpoint_auth_method": "none",
    });
    let made = owner.post(client, "/v1/tenants/acme/clients", &metadata).await;
    let id = made.body["client_id"].as_str().expect("a client").to_owned();

    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let results = folder.path().join(version);
        let code = judged(client, &owner, &issuer, &id, version, &results).await;
        let mut found = checks(&results);
        found.sort();
        let mut wanted = vec![
            ("authorization-code-grant".to_owned(), "SUCCESS".to_owned()),
            ("authorization-server-metadata".to_owned(), "SUCCESS".to_owned()),
        ];
        if version != "2025-06-18" {
            wanted.push(("authorization-server-metadata-cimd".to_owned(), "SUCCESS".to_owned()));
        }
        assert_eq!((code, found), (Some(0), wanted), "{version}");
    }
}

/// Runs the suite, and does the person's part: they open the address that it prints.
async fn judged(client: &Client, owner: &Person, issuer: &str, id: &str, version: &str, results: &Path) -> Option<i32> {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let mut suite = tool("node")
        .arg("node_modules/@modelcontextprotocol/conformance/dist/index.js")
        .args([
            "authorization",
            "--url",
            issuer,
            "--client-id",
            id,
            "--spec-version",
            version,
        ])
        .args(["--port", &port.to_string(), "--output-dir"])
        .arg(results)
        .stdout(Stdio::piped())
        .spawn()
        .expect("run the suite");
    let mut lines = BufReader::new(suite.stdout.take().expect("its output")).lines();
    let begin = format!("{issuer}/oauth/authorize?");
    let asked = async {
        loop {
            let line = lines.next_line().await.expect("its output");
            let line = line.expect("the suite asks a person before it ends");
            if line.starts_with(&begin) {
                return line;
            }
        }
    };
    let address = wait::soon("the suite asks a person", asked).await;
    let path = address.strip_prefix(issuer).unwrap_or_default();
    let back = WebClient::let_in(client, owner, "acme", path).await;
    let callback = format!("http://127.0.0.1:{port}");
    let heard = Client::new(callback.trim_start_matches("http://"))
        .get(
            back.strip_prefix(&callback).expect("the way back is the client's"),
            None,
        )
        .await;
    assert_eq!(heard.status, 200, "{:?}", heard.body);
    let rest = async {
        while let Ok(Some(_)) = lines.next_line().await {}
        suite.wait().await
    };
    wait::soon("the suite is done", rest).await.expect("its end").code()
}

/// The checks of a run, and what came of them.
fn checks(results: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for scenario in std::fs::read_dir(results).expect("the results").flatten() {
        let text = std::fs::read(scenario.path().join("checks.json")).expect("its checks");
        let all: Vec<Value> = serde_json::from_slice(&text).expect("JSON");
        let text = |check: &Value, name: &str| check[name].as_str().unwrap_or_default().to_owned();
        found.extend(all.iter().map(|check| (text(check, "id"), text(check, "status"))));
    }
    found
}
