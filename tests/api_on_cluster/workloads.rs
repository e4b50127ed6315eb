//! Programs in the cluster prove themselves to the API that the chart runs: by the tokens that the kubelet makes for their pods, and
//! by the key that the operator made.

use std::{sync::Mutex, time::Instant};

use crds::Agent;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, LogParams},
};
use serde_json::{Value, json};
use support::{
    api::{self, Client, Person},
    cluster,
    scene::create,
    wait,
};

use crate::installed::{client, create_admin};

/// What exchanges the pod's token, and writes what comes of it.
const EXCHANGE: &str = r#"
import json, os, ssl, urllib.error, urllib.parse, urllib.request
open_ = ssl._create_unverified_context()
def ask(path, data=None, token=None):
    headers = {"Authorization": "Bearer " + token} if token else {}
    request = urllib.request.Request("https://pinfold-api.pinfold-system.svc" + path, data, headers)
    try:
        return json.load(urllib.request.urlopen(request, context=open_, timeout=20))
    except urllib.error.HTTPError as error:
        return json.load(error)
assertion = open(os.environ["PINFOLD_WORKLOAD_TOKEN_FILE"]).read()
form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
answer = ask("/oauth/token", urllib.parse.urlencode(form).encode())
token = answer.get("access_token")
print(json.dumps({"token": token, "scope": answer.get("scope"), "error": answer.get("error_description"), "me": ask("/v1/me", None, token),
    "agent": os.environ.get("PINFOLD_AGENT_ID"), "key": os.environ.get("PINFOLD_AGENT_KEY_ID"), "issuer": os.environ["PINFOLD_ISSUER"]}), flush=True)
"#;

/// A person's tenant on the cluster, which is ready.
struct Scene {
    admin: kube::Client,
    client: Client,
    owner: Person,
    tenant: String,
    id: String,
}

impl Scene {
    async fn new() -> Self {
        let (admin, client) = (cluster::client("admin").await, client());
        let email = format!("owner-{:08x}@example.com", rand::random::<u32>());
        create_admin(&admin, &email).await;
        let owner = Person::log_in(&client, &email).await;
        let tenant = format!("proof-{:08x}", rand::random::<u32>());
        let made = owner.post(&client, "/v1/tenants", &json!({"name": tenant})).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let path = format!("/v1/tenants/{tenant}/runs");
        wait::until_true("the tenant's namespace", async || {
            owner.get(&client, &path).await.status == 200
        })
        .await;
        Self {
            id: made.body["id"].as_str().unwrap_or_default().to_owned(),
            admin,
            client,
            owner,
            tenant,
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.admin.clone(), &format!("tenant-{}", self.tenant))
    }

    async fn me(&self, token: &str) -> (u16, Value) {
        let answer = self.client.get("/v1/me", Some(token)).await;
        (answer.status.as_u16(), answer.body)
    }

    /// The name of the pod of this label, and the first line of its log, as JSON.
    async fn said(&self, label: &str) -> (String, Value) {
        let pods = self.api::<Pod>();
        let which = ListParams::default().labels(label);
        let said = Mutex::new(None);
        wait::until_true("the program says who it is", async || {
            let Some(pod) = pods
                .list(&which)
                .await
                .ok()
                .and_then(|list| list.items.into_iter().next())
            else {
                return false;
            };
            let log = pods
                .logs(&pod.name_any(), &LogParams::default())
                .await
                .unwrap_or_default();
            let line = log.lines().next().and_then(|line| serde_json::from_str(line).ok());
            let there = line.is_some();
            *said.lock().expect("nobody panicked") = line.map(|line| (pod.name_any(), line));
            there
        })
        .await;
        said.into_inner().ok().flatten().expect("a line")
    }

    /// Whether a token is refused at most ten seconds after its pod is gone.
    async fn ends(&self, token: &str, pods: &ListParams) {
        let api = self.api::<Pod>();
        wait::until_true("the pod is gone", async || {
            api.list(pods).await.is_ok_and(|list| list.items.is_empty())
        })
        .await;
        let gone = Instant::now();
        wait::until_true("the token is refused", async || self.me(token).await.0 == 401).await;
        assert!(gone.elapsed().as_secs() < 10, "refused after {:?}", gone.elapsed());
    }

    async fn leave(&self) {
        let path = format!("/v1/tenants/{}", self.tenant);
        let gone = self.owner.send(&self.client, "DELETE", &path, None).await;
        assert!(gone.status.is_success(), "{:?}", gone.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_proves_itself_by_its_pod_and_by_its_key() {
    let scene = Scene::new().await;
    // As the first process of its container it must hear that it is to end.
    let code =
        format!("{EXCHANGE}\nimport signal\nsignal.signal(signal.SIGTERM, lambda *_: os._exit(0))\nsignal.pause()");
    let spec = json!({
        "image": "pinfold.dev/sandbox-python:dev",
        "command": ["python3", "-c", code],
        "workloadIdentity": true,
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
    });
    let made: Agent = create(&scene.api(), "scout", spec).await;
    let id = made.uid().unwrap_or_default();
    let (pod, said) = scene.said("pinfold.dev/agent=scout").await;
    let token = said["token"].as_str().unwrap_or_default();
    assert_eq!((&said["error"], &said["agent"]), (&Value::Null, &json!(id)), "{said}");
    let scopes = [
        "self",
        "tenant:read",
        "agents:read",
        "templates:read",
        "runs:read",
        "runs:write",
    ];
    let me = json!({
        "kind": "agent", "id": id, "pod": pod, "tenant_id": scene.id, "owner_id": scene.owner.id,
        "scopes": scopes, "expires_at": said["me"]["expires_at"],
    });
    assert_eq!((&said["me"], &said["scope"]), (&me, &json!(scopes.join(" "))));
    let runs = format!("/v1/tenants/{}/runs", scene.tenant);
    assert_eq!(scene.client.get(&runs, Some(token)).await.status, 200);

    // The same identity, by the key that the operator made.
    let secrets = scene.api::<Secret>();
    let secret = secrets.get("pinfold-identity-scout").await.expect("the Secret");
    let pem = secret
        .data
        .and_then(|mut data| data.remove("private.pem"))
        .expect("a key");
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    let agent = api::Agent::of_key(&pem.0, &text("issuer"), &id, &text("key"));
    let by_key = agent.token(&scene.client).await;
    let (status, me) = scene.me(&by_key).await;
    assert_eq!(
        (status, &me["id"], &me["key_id"]),
        (200, &json!(id), &said["key"]),
        "{me}"
    );

    // Gone with the pod; the key stands until the Agent is gone.
    let agents = scene.api::<Agent>();
    let stop = kube::api::Patch::Merge(json!({"spec": {"suspended": true}}));
    agents
        .patch("scout", &kube::api::PatchParams::default(), &stop)
        .await
        .expect("suspend the agent");
    scene
        .ends(token, &ListParams::default().labels("pinfold.dev/agent=scout"))
        .await;
    assert_eq!(scene.me(&by_key).await.0, 200);
    agents
        .delete("scout", &DeleteParams::default())
        .await
        .expect("delete the agent");
    wait::until_true("the agent's identity ends", async || scene.me(&by_key).await.0 == 401).await;
    scene.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_in_a_sandbox_proves_which_run_it_is_and_reads() {
    let scene = Scene::new().await;
    let templates = format!("/v1/tenants/{}/templates", scene.tenant);
    let template = json!({"name": "known", "image": "pinfold.dev/sandbox-python:dev", "workload_identity": true});
    let made = scene.owner.post(&scene.client, &templates, &template).await;
    assert_eq!(
        (made.status.as_u16(), &made.body["workload_identity"]),
        (201, &json!(true)),
        "{:?}",
        made.body
    );
    let runs = format!("/v1/tenants/{}/runs", scene.tenant);
    // It goes on after it has said who it is: its token ends with its pod, and not before.
    let code = format!("{EXCHANGE}\nimport time\ntime.sleep(3600)");
    let wanted = json!({"name": "answer", "template": "known", "language": "python", "code": code});
    let made = scene.owner.post(&scene.client, &runs, &wanted).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let (pod, said) = scene.said("pinfold.dev/run=answer").await;
    let resource: crds::SandboxRun = scene.api().get("answer").await.expect("the run");
    let id = resource.uid().unwrap_or_default();
    let scopes = ["tenant:read", "templates:read", "runs:read"];
    let me = json!({
        "kind": "run", "id": id, "name": "answer", "pod": pod, "tenant_id": scene.id,
        "scopes": scopes, "expires_at": said["me"]["expires_at"],
    });
    assert_eq!(
        (&said["error"], &said["me"], &said["scope"]),
        (&Value::Null, &me, &json!(scopes.join(" "))),
        "{said}"
    );
    let token = said["token"].as_str().unwrap_or_default();
    let read = scene.client.get(&format!("{runs}/answer"), Some(token)).await;
    assert_eq!((read.status.as_u16(), &read.body["name"]), (200, &json!("answer")));
    let started = scene.client.with_token("POST", &runs, token, Some(&wanted)).await;
    assert_eq!(started.status, 403, "{:?}", started.body);
    let keys = scene.client.get("/v1/me/keys", Some(token)).await;
    assert_eq!(keys.status, 403, "{:?}", keys.body);

    let path = format!("{runs}/answer");
    assert!(
        scene
            .owner
            .send(&scene.client, "DELETE", &path, None)
            .await
            .status
            .is_success()
    );
    scene
        .ends(token, &ListParams::default().labels("pinfold.dev/run=answer"))
        .await;
    scene.leave().await;
}

/// Tokens that prove nothing to this service: whatever may be wrong with them, it is told the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_pods_own_token_proves_nothing() {
    let scene = Scene::new().await;
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = scene.api();
    let token_of = async |account: &str, audience: &str| {
        let request = serde_json::from_value(json!({
            "metadata": {}, "spec": {"audiences": [audience], "expirationSeconds": 3600},
        }));
        let made = accounts
            .create_token_request(account, &kube::api::PostParams::default(), &request.expect("a request"))
            .await
            .expect("a token");
        made.status.expect("a status").token
    };
    let issuer = std::env::var("PINFOLD_TEST_API_URL").expect("`cargo xtask test e2e` names the API's address");
    let unbound = token_of("pinfold-sandbox", &issuer).await;
    let for_others = token_of("pinfold-sandbox", "https://elsewhere.example").await;
    for assertion in [unbound.as_str(), &for_others, "nonsense", "a.b.c"] {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion),
        ];
        let answer = scene.client.form("/oauth/token", &form).await;
        let wanted = json!({
            "error": "invalid_grant",
            "error_description": "assertion: it proves nothing; send the token that the pod finds at /var/run/pinfold/workload/token, read anew",
        });
        assert_eq!(answer.told(), (400, &wanted));
    }
    scene.leave().await;
}
