//! The same through the control-plane API, as its clients reach it: over HTTPS, with `curl`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::answer::answer;
use crate::cluster::Cluster;
use crate::cluster::kubectl::{Kubectl, wait_for};
use crate::install::{self, api};
use crate::paths;
use crate::stage::{Stage, Ui};

const EMAIL: &str = "admin@pinfold.example";
const TENANT: &str = "demo";
/// The Secret that keeps the first overseer's password, for whoever lost the lines that the first demo printed.
const OVERSEER: &str = "first-overseer";
const TENANT_DEADLINE: Duration = Duration::from_mins(1);

/// Logs in as the first overseer, makes a tenant and runs something in it.
pub(super) fn run(ui: &Ui, cluster: &Cluster, kubectl: &Kubectl) -> Result<()> {
    let range = cluster.load().and_then(|state| state.range);
    let range = range.context("the cluster has no nodes")?;
    let mut client = Client {
        url: api::url(range),
        root: cluster.dir.join("pki/web-ca.crt"),
        jar: paths::work().join(format!("{}.cookies", cluster.name)),
        csrf: String::new(),
    };
    let mend = "`kubectl -n pinfold-system logs deployment/pinfold-api` says what the API did; \
                `kubectl describe tenant demo` what became of the tenant";
    let (password, answer) = ui.stage("a run through the API", mend, |stage| {
        stage.note("log in");
        let password = password(stage, kubectl)?;
        log_in(stage, kubectl, &mut client, &password)?;
        let answer = first_run(stage, &client);
        let _ = fs::remove_file(&client.jar);
        Ok((password, answer?))
    })?;
    answer!();
    answer!("the API answers as well; a run through it printed:");
    for line in answer.lines() {
        answer!("  {line}");
    }
    answer!("its address, the certificate that vouches for it, and its first overseer:");
    answer!("  export PINFOLD_API_URL={}", client.url);
    answer!("  export CURL_CA_BUNDLE={}", client.root.display());
    answer!("  e-mail address {EMAIL}, password {password}");
    Ok(())
}

/// Kept from the first time on.
fn password(stage: &Stage, kubectl: &Kubectl) -> Result<String> {
    if !api::exists(kubectl, api::DATA, OVERSEER)? {
        let secret = api::secret(api::DATA, OVERSEER, &json!({"password": api::random_hex()?}));
        kubectl.apply(stage, &secret.to_string())?;
    }
    let password = "go-template={{.data.password | base64decode}}";
    let get = kubectl
        .silent()
        .args(["--namespace", api::DATA, "get", "secret", OVERSEER]);
    get.args(["--output", password]).output()
}

fn log_in(stage: &Stage, kubectl: &Kubectl, client: &mut Client, password: &str) -> Result<()> {
    let who = json!({"email": EMAIL, "password": password});
    let mut told = client.call(stage, "POST", "/v1/sessions", Some(&who))?;
    if told.0 == 401 {
        // The first demo on this cluster.
        kubectl
            .run(stage)
            .args([
                "--namespace",
                install::NAMESPACE,
                "exec",
                "--stdin",
                "deployment/pinfold-api",
                "--",
            ])
            .args(["pinfold-api", "create-admin", "--email", EMAIL])
            .input(format!("{password}\n"))
            .run()?;
        told = client.call(stage, "POST", "/v1/sessions", Some(&who))?;
    }
    let (status, body) = told;
    ensure!(status == 201, "the login was answered {status}: {body}");
    let csrf = body["csrf_token"].as_str().context("no CSRF token")?;
    csrf.clone_into(&mut client.csrf);
    Ok(())
}

fn first_run(stage: &Stage, client: &Client) -> Result<String> {
    stage.note("make a tenant");
    let (status, body) = client.call(stage, "GET", &format!("/v1/tenants/{TENANT}"), None)?;
    if status == 404 {
        let (status, body) = client.call(stage, "POST", "/v1/tenants", Some(&json!({"name": TENANT})))?;
        ensure!(status == 201, "the tenant was answered {status}: {body}");
    } else {
        ensure!(status == 200, "the tenant was answered {status}: {body}");
    }
    stage.note("run in it");
    let run = json!({"template": "python", "language": "python", "code": "print('6 * 7 =', 6 * 7)"});
    let runs = format!("/v1/tenants/{TENANT}/runs?wait=60");
    let mut last = Ok((0, Value::Null));
    wait_for(
        "the tenant becoming ready",
        TENANT_DEADLINE,
        || None,
        || {
            last = client.call(stage, "POST", &runs, Some(&run));
            !matches!(&last, Ok((409, body)) if body["code"] == "tenant_not_ready")
        },
    )?;
    let (status, body) = last?;
    ensure!(status == 201, "the run was answered {status}: {body}");
    match (body["reason"].as_str(), body["stdout"]["text"].as_str()) {
        (Some("Completed"), Some(text)) => Ok(text.to_owned()),
        _ => bail!("the run did not complete: {body}"),
    }
}

struct Client {
    url: String,
    /// The certificate of who vouches for the API.
    root: PathBuf,
    jar: PathBuf,
    csrf: String,
}

impl Client {
    /// The body goes through standard input: a command's arguments are for everybody to see.
    fn call(&self, stage: &Stage, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let mut curl = stage
            .run("curl")
            .args(["--silent", "--show-error", "--max-time", "90"])
            // The service's address is known a moment before the node's proxy knows the way to it.
            .args(["--retry", "10", "--retry-connrefused", "--retry-delay", "1"])
            .arg("--cacert")
            .arg(&self.root)
            .arg("--cookie")
            .arg(&self.jar)
            .arg("--cookie-jar")
            .arg(&self.jar)
            .args(["--request", method, "--write-out", "\n%{http_code}"])
            .args(["--header", &format!("X-CSRF-Token: {}", self.csrf)]);
        if let Some(body) = body {
            curl = curl
                .args(["--header", "Content-Type: application/json", "--data", "@-"])
                .input(body.to_string());
        }
        let text = curl.arg(format!("{}{path}", self.url)).output()?;
        let (body, status) = text.rsplit_once('\n').context("curl wrote no status")?;
        Ok((status.parse()?, serde_json::from_str(body).unwrap_or(Value::Null)))
    }
}
