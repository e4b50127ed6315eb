//! What the API server refuses by our schemas, with the words that say what to write instead.

use std::fmt::Debug;

use crds::{Agent, SandboxRun, SandboxTemplate, Tenant};
use kube::{
    Api, Resource,
    api::{Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use support::{
    cluster, install,
    scene::{stage, unique},
};
use tokio::sync::SemaphorePermit;

/// A namespace in which nobody is at work, and a client that may do everything.
async fn nowhere() -> (kube::Client, String, SemaphorePermit<'static>) {
    let stage = stage().await;
    let admin = cluster::client("admin").await;
    install::ensure().await;
    let name = format!("schema-{}", unique());
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(admin.clone());
    let object = serde_json::from_value(json!({"metadata": {"name": name}})).expect("a namespace");
    namespaces
        .create(&PostParams::default(), &object)
        .await
        .expect("make a namespace");
    (admin, name, stage)
}

/// The API server's refusal of an object; nothing if it takes it.
async fn refusal<K>(api: &Api<K>, name: &str, spec: &Value) -> Option<String>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let body = json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": name}, "spec": spec,
    });
    // By apply, so that what our own types could not even express is sent as it is.
    let parameters = PatchParams::apply("suite").force().dry_run();
    match api.patch(name, &parameters, &Patch::Apply(&body)).await {
        Ok(_) => None,
        Err(kube::Error::Api(answer)) => Some(answer.message.clone()),
        Err(error) => Some(format!("{error:?}")),
    }
}

async fn refused<K>(api: &Api<K>, cases: &[(Value, &str)])
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    for (spec, wanted) in cases {
        let told = refusal(api, "x", spec).await;
        assert!(
            told.as_deref().is_some_and(|t| t.contains(wanted)),
            "{spec}\nwanted: {wanted}\ntold: {told:?}"
        );
    }
}

#[tokio::test]
async fn tenants() {
    let (admin, _, _stage) = nowhere().await;
    let api: Api<Tenant> = Api::all(admin);
    assert_eq!(refusal(&api, "x", &json!({})).await, None);
    refused(&api, &[
        (json!({"suspended": true}), "a suspended tenant needs spec.suspensionReason: say why, its users will read it"),
        (json!({"suspended": true, "suspensionReason": ""}), "a suspended tenant needs spec.suspensionReason"),
        (json!({"owners": [{"kind": "Group", "name": "system:masters"}]}), "names that begin with 'system:' belong to Kubernetes; name a user or group of yours"),
        (json!({"owners": [{"kind": "ServiceAccount", "name": "x"}]}), "supported values: \"User\", \"Group\""),
        (json!({"networkPolicy": {"allowedEgress": [{"cidrs": ["203.0.113.1/24"]}]}}), "write each range in CIDR notation with the host bits zero, such as 203.0.113.0/24 or 2001:db8::/32"),
        (json!({"networkPolicy": {"allowedEgress": [{"cidrs": ["nonsense"]}]}}), "write each range in CIDR notation with the host bits zero"),
        (json!({"networkPolicy": {"allowedEgress": [{"cidrs": ["203.0.113.0/24"], "ports": [{"port": 9, "endPort": 8}]}]}}), "endPort must not be smaller than port"),
        (json!({"runtimeClasses": {"default": "gvisor"}}), "the default runtime class must also be listed in allowed"),
        (json!({"runtimeClasses": {"default": "gvisor", "allowed": ["kata"]}}), "the default runtime class must also be listed in allowed"),
        (json!({"limits": {"cpu": "lots"}}), "spec.limits.cpu"),
        (json!({"limits": {"pods": -1}}), "spec.limits.pods"),
        (json!({"plan": "Golden"}), "spec.plan"),
    ])
    .await;
    for name in ["a".repeat(57), "a.b".to_owned()] {
        let told = refusal(&api, &name, &json!({})).await.unwrap_or_default();
        assert!(told.contains("a tenant's name has at most 56 characters, consists of a-z, 0-9 and '-', and begins and ends with a letter or digit"), "{told}");
    }
    assert_eq!(refusal(&api, &"a".repeat(56), &json!({})).await, None);
}

#[tokio::test]
async fn agents() {
    let (admin, namespace, _stage) = nowhere().await;
    let api: Api<Agent> = Api::namespaced(admin, &namespace);
    let with = |key: &str, value: Value| {
        let mut spec = json!({"image": "example.test/any:1"});
        spec[key] = value;
        spec
    };
    assert_eq!(refusal(&api, "x", &json!({"image": "example.test/any:1"})).await, None);
    refused(&api, &[
        (json!({}), "spec.image"),
        (json!({"image": "a b"}), "spec.image"),
        (with("ports", json!([{"name": "a", "port": 1}, {"name": "b", "port": 1}])), "each port may be listed once for each protocol; remove the repetition"),
        (with("ports", json!([{"name": "1--2", "port": 1}])), "a port's name has at least one letter and no two hyphens in a row, such as http or grpc-1"),
        (with("ports", json!([{"name": "123", "port": 1}])), "a port's name has at least one letter"),
        (with("livenessProbe", json!({})), "give exactly one of httpGet, tcpSocket and exec"),
        (with("readinessProbe", json!({"tcpSocket": {"port": 1}, "exec": {"command": ["x"]}})), "give exactly one of httpGet, tcpSocket and exec"),
        (with("identity", json!({"secretName": "pinfold-identity-y"})), "names that begin with 'pinfold-' are reserved for Secrets that Pinfold makes; refer to a Secret of your own"),
        (with("env", json!([{"name": "A"}])), "give either value or valueFrom, not both and not neither"),
        (with("env", json!([{"name": "A", "value": "1", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])), "give either value or valueFrom, not both and not neither"),
        (with("env", json!([{"name": "PINFOLD_X", "value": "1"}])), "names that begin with PINFOLD_ are reserved; choose another name"),
        (with("env", json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "pinfold-identity-y", "key": "k"}}}])), "names that begin with 'pinfold-' are reserved"),
        (with("env", json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "other/s", "key": "k"}}}])), "secretKeyRef.name"),
        (with("runAsUser", json!(0)), "spec.runAsUser"),
        (with("replicas", json!(51)), "spec.replicas"),
    ])
    .await;
    for name in ["a".repeat(51), "1a".to_owned(), "a.b".to_owned()] {
        let told = refusal(&api, &name, &json!({"image": "x"})).await.unwrap_or_default();
        assert!(told.contains("an agent's name has at most 50 characters"), "{told}");
    }
}

#[tokio::test]
async fn templates_and_runs() {
    let (admin, namespace, _stage) = nowhere().await;
    let templates: Api<SandboxTemplate> = Api::namespaced(admin.clone(), &namespace);
    let told = refusal(&templates, &"a".repeat(64), &json!({"image": "x"}))
        .await
        .unwrap_or_default();
    assert!(told.contains("a template's name has at most 63 characters"), "{told}");
    let runs: Api<SandboxRun> = Api::namespaced(admin, &namespace);
    let told = refusal(&runs, &"a".repeat(64), &json!({"image": "x"}))
        .await
        .unwrap_or_default();
    assert!(told.contains("a run's name has at most 63 characters"), "{told}");
    assert_eq!(refusal(&runs, "x", &json!({"template": "base"})).await, None);
    refused(
        &runs,
        &[
            (
                json!({}),
                "give either spec.template or spec.image, not both and not neither",
            ),
            (
                json!({"template": "a", "image": "b"}),
                "give either spec.template or spec.image, not both and not neither",
            ),
            (
                json!({"image": "x", "command": ["a"], "code": "b", "language": "bash"}),
                "give spec.command or spec.code, not both; leave out both for an interactive sandbox",
            ),
            (
                json!({"image": "x", "code": "b"}),
                "spec.code and spec.language belong together: set language to python, bash or javascript",
            ),
            (
                json!({"image": "x", "language": "bash"}),
                "spec.code and spec.language belong together",
            ),
            (
                json!({"image": "x", "stdin": "b"}),
                "spec.stdin needs a program that reads it: give spec.command or spec.code",
            ),
            (
                json!({"image": "x", "command": [""]}),
                "spec.command[0] is the program and cannot be empty",
            ),
            (json!({"template": "other/base"}), "spec.template"),
            (json!({"image": "x", "workdir": "relative"}), "spec.workdir"),
            (json!({"image": "x", "timeoutSeconds": 0}), "spec.timeoutSeconds"),
            (
                json!({"image": "x", "code": null, "language": "bash"}),
                "spec.code in body must be of type string",
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn runs_cannot_be_changed() {
    let (admin, namespace, _stage) = nowhere().await;
    let runs: Api<SandboxRun> = Api::namespaced(admin, &namespace);
    let full = json!({
        "image": "x", "command": ["a"], "stdin": "in", "env": [{"name": "A", "value": "1"}], "startTimeoutSeconds": 5,
        "timeoutSeconds": 5, "resources": {"limits": {"cpu": "1"}}, "runAsUser": 5, "workdir": "/a", "runtimeClassName": "r",
    });
    let coded = json!({"template": "t", "code": "c", "language": "bash"});
    let bare = json!({"template": "t"});
    for (name, spec) in [("full", &full), ("coded", &coded), ("bare", &bare)] {
        let run = serde_json::from_value(
            json!({"metadata": {"name": name}, "apiVersion": "pinfold.dev/v1alpha1", "kind": "SandboxRun", "spec": spec}),
        );
        runs.create(&PostParams::default(), &run.expect("a run"))
            .await
            .expect("make a run");
    }
    // Changed, gone, appeared: an optional field may do none of these.
    let edits = [
        ("full", "image", json!("y")),
        ("full", "command", json!(["b"])),
        ("full", "stdin", json!("other")),
        ("full", "stdin", Value::Null),
        ("full", "env", Value::Null),
        ("full", "env", json!([{"name": "A", "value": "2"}])),
        ("full", "startTimeoutSeconds", json!(6)),
        ("full", "timeoutSeconds", json!(6)),
        ("full", "resources", Value::Null),
        ("full", "resources", json!({"limits": {"cpu": "2"}})),
        ("full", "runAsUser", Value::Null),
        ("full", "runAsUser", json!(6)),
        ("full", "workdir", Value::Null),
        ("full", "workdir", json!("/b")),
        ("full", "runtimeClassName", Value::Null),
        ("full", "runtimeClassName", json!("s")),
        ("coded", "template", json!("u")),
        ("coded", "code", json!("d")),
        ("coded", "language", json!("python")),
        ("bare", "command", json!(["b"])),
        ("bare", "env", json!([{"name": "A", "value": "1"}])),
        ("bare", "resources", json!({})),
        ("bare", "runAsUser", json!(6)),
        ("bare", "workdir", json!("/b")),
        ("bare", "runtimeClassName", json!("s")),
    ];
    for (name, field, value) in edits {
        let patch = Patch::Merge(json!({"spec": {field: value}}));
        let wanted = format!("spec.{field} cannot be changed; create a new SandboxRun instead");
        match runs.patch(name, &PatchParams::default(), &patch).await {
            Err(kube::Error::Api(answer)) => assert!(
                answer.message.contains(&wanted),
                "{name} {field} {value}: {}",
                answer.message
            ),
            other => assert!(other.is_err(), "{name}: spec.{field} became {value}"),
        }
    }
    let cancel = async |cancel: bool| {
        let patch = Patch::Merge(json!({"spec": {"cancel": cancel}}));
        runs.patch("bare", &PatchParams::default(), &patch)
            .await
            .map(drop)
            .map_err(|e| e.to_string())
    };
    assert_eq!(cancel(true).await, Ok(()));
    let told = cancel(false).await.expect_err("cancel cannot be taken back");
    assert!(
        told.contains("spec.cancel cannot be taken back; create a new SandboxRun instead"),
        "{told}"
    );
    let ttl = Patch::Merge(json!({"spec": {"ttlSecondsAfterFinished": 5}}));
    runs.patch("bare", &PatchParams::default(), &ttl)
        .await
        .expect("how long a run is kept may be changed");
}
