//! Pods that prove themselves: the one token that they may have, and that no other volume like it is admitted, not even from the
//! operator.

use crds::{Agent, SandboxTemplate};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Pod, ServiceAccount},
};
use kube::{Api, ResourceExt, api::PostParams};
use serde_json::{Value, json};
use support::{
    Scene, cluster,
    scene::{ISSUER, create},
    wait,
};

#[tokio::test]
async fn an_agent_that_proves_itself_has_its_token_and_says_by_what_account() {
    let scene = Scene::with_tenant().await;
    let spec = json!({"image": "example.test/any:1", "replicas": 0, "workloadIdentity": true});
    scene.make_agent("worker", spec).await;
    let agent = scene.agent_is("worker", "Ready").await;
    let status = agent.status.clone().expect("a status");
    let account = scene
        .api::<ServiceAccount>()
        .get("agent-worker")
        .await
        .expect("the account");
    assert_eq!(status.service_account_uid, account.uid());
    assert_eq!(account.automount_service_account_token, Some(false));
    let deployment = scene.api::<Deployment>().get("worker").await.expect("the Deployment");
    let template = deployment.spec.expect("a spec").template;
    let labels = template.metadata.and_then(|m| m.labels).unwrap_or_default();
    assert_eq!(
        labels.get("pinfold.dev/workload-identity").map(String::as_str),
        Some("enabled")
    );
    let pod = template.spec.expect("a pod");
    let volume = pod.volumes.iter().flatten().find(|v| v.name == "pinfold-workload");
    assert_eq!(serde_json::to_value(volume).expect("JSON"), volume_of(ISSUER));
    let told: Vec<(&str, Option<&str>)> = pod.containers[0]
        .env
        .iter()
        .flatten()
        .map(|variable| (variable.name.as_str(), variable.value.as_deref()))
        .collect();
    let id = agent.uid().expect("a UID");
    let key = key_id(&status.identity.expect("an identity").thumbprint);
    let wanted = [
        ("PINFOLD_WORKLOAD_TOKEN_FILE", "/var/run/pinfold/workload/token"),
        ("PINFOLD_ISSUER", ISSUER),
        ("PINFOLD_AGENT_ID", &id),
        ("PINFOLD_AGENT_KEY_ID", &key),
    ]
    .map(|(name, value)| (name, Some(value)));
    assert_eq!(told, wanted);
    scene.settle().await;
}

/// The name that docs/auth.md gives to a key: RFC 9562, section 5.8, over the first bytes of the thumbprint.
fn key_id(thumbprint: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let digest = URL_SAFE_NO_PAD.decode(thumbprint).expect("a thumbprint");
    let mut bytes: [u8; 16] = digest[..16].try_into().expect("a digest");
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn volume_of(audience: &str) -> Value {
    json!({
        "name": "pinfold-workload",
        "projected": {
            "defaultMode": 420,
            "sources": [{"serviceAccountToken": {"audience": audience, "expirationSeconds": 3600, "path": "token"}}],
        },
    })
}

#[tokio::test]
async fn the_pod_of_a_run_is_admitted_with_its_token_and_with_no_other() {
    let scene = Scene::with_tenant().await;
    let templates: Api<SandboxTemplate> = scene.api();
    let template = json!({"image": "example.test/any:1", "workloadIdentity": true});
    create(&templates, "known", template).await;
    let run = scene.make_run("known", json!({"template": "known"})).await;
    let made = scene.pod_of(&run).await;
    let volumes = made
        .spec
        .as_ref()
        .and_then(|spec| spec.volumes.clone())
        .unwrap_or_default();
    let own = volumes.iter().find(|volume| volume.name == "pinfold-workload");
    assert_eq!(serde_json::to_value(own).expect("JSON"), volume_of(ISSUER));

    let operator = Api::<Pod>::namespaced(cluster::client("operator").await, &scene.namespace());
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let told = async |volume: &Value, labelled: bool| {
        let mut pod = Pod {
            metadata: kube::core::ObjectMeta {
                name: Some("again".to_owned()),
                labels: made.metadata.labels.clone().filter(|_| labelled),
                ..kube::core::ObjectMeta::default()
            },
            spec: made.spec.clone(),
            status: None,
        };
        let spec = pod.spec.as_mut().expect("a spec");
        let others = volumes.iter().filter(|v| v.name != "pinfold-workload").cloned();
        spec.volumes = Some(
            others
                .chain([serde_json::from_value(volume.clone()).expect("a volume")])
                .collect(),
        );
        for mount in spec.containers[0].volume_mounts.iter_mut().flatten() {
            if mount.name == "pinfold-workload" {
                mount.name = volume["name"].as_str().unwrap_or_default().to_owned();
            }
        }
        match operator.create(&dry, &pod).await {
            Ok(_) => "nothing".to_owned(),
            Err(kube::Error::Api(answer)) => answer.message.clone(),
            Err(error) => error.to_string(),
        }
    };
    let good = volume_of(ISSUER);
    assert_eq!(told(&good, true).await, "nothing");
    let changed = |pointer: &str, value: Value| {
        let mut volume = good.clone();
        *volume.pointer_mut(pointer).expect("a place") = value;
        volume
    };
    let source = good["projected"]["sources"][0].clone();
    let for_server = json!({"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}});
    let ca = json!({"configMap": {"name": "kube-root-ca.crt"}});
    let sources = "/projected/sources";
    let token = "/projected/sources/0/serviceAccountToken";
    let refused = [
        (good.clone(), false),
        (volume_of("https://kubernetes.default.svc.cluster.local"), true),
        (changed(sources, json!([for_server])), true),
        (changed(sources, json!([source, for_server])), true),
        (changed(sources, json!([source, ca])), true),
        (changed("/name", json!("another")), true),
        (changed(&format!("{token}/path"), json!("another")), true),
        (changed(&format!("{token}/expirationSeconds"), json!(86400)), true),
    ];
    for (volume, labelled) in &refused {
        let what = format!("{volume} with the label: {labelled}");
        wait::until_true(&format!("{what} is refused"), async || {
            told(volume, *labelled)
                .await
                .contains("pinfold-pods/service-account-token: ")
        })
        .await;
    }
}

#[tokio::test]
async fn what_does_not_prove_itself_has_no_token() {
    let scene = Scene::with_tenant().await;
    scene
        .make_agent("worker", json!({"image": "example.test/any:1", "replicas": 0}))
        .await;
    scene.agent_is("worker", "Ready").await;
    let deployment = scene.api::<Deployment>().get("worker").await.expect("the Deployment");
    let text = serde_json::to_string(&deployment.spec).expect("JSON");
    assert!(
        !text.contains("pinfold-workload") && !text.contains("workload-identity"),
        "{text}"
    );
    scene
        .patch(
            &scene.api::<Agent>(),
            "worker",
            json!({"spec": {"workloadIdentity": true}}),
        )
        .await;
    wait::until(&scene.api::<Deployment>(), "worker", "its pods get a token", |found| {
        found.is_some_and(|d| serde_json::to_string(&d.spec).is_ok_and(|text| text.contains("pinfold-workload")))
    })
    .await;
    scene.settle().await;
}
