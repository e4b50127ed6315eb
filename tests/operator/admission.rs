//! SB-02: what the admission policies refuse, asked by somebody whose rights allow it, in a namespace without Pod
//! Security, so that nothing but the policies can refuse.

use crds::SandboxTemplate;
use k8s_openapi::api::{
    core::v1::{Namespace, Pod},
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use support::{
    Scene, cluster, install,
    scene::{create, stage, unique},
    wait,
};
use tokio::sync::SemaphorePermit;

/// A namespace that counts as a tenant's, in which mallory may make pods.
async fn open_namespace() -> (Client, String, SemaphorePermit<'static>) {
    let stage = stage().await;
    let admin = cluster::client("admin").await;
    install::ensure().await;
    let name = format!("tenant-{}", unique());
    let namespace = json!({"metadata": {"name": name, "labels": {"pinfold.dev/tenant": "open"}}});
    let namespaces: Api<Namespace> = Api::all(admin.clone());
    namespaces
        .create(
            &PostParams::default(),
            &serde_json::from_value(namespace).expect("a namespace"),
        )
        .await
        .expect("make a namespace");
    let role =
        json!({"metadata": {"name": "pods"}, "rules": [{"apiGroups": [""], "resources": ["*"], "verbs": ["*"]}]});
    let roles: Api<Role> = Api::namespaced(admin.clone(), &name);
    roles
        .create(&PostParams::default(), &serde_json::from_value(role).expect("a role"))
        .await
        .expect("make a role");
    let binding = json!({
        "metadata": {"name": "pods"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "pods"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}],
    });
    let bindings: Api<RoleBinding> = Api::namespaced(admin.clone(), &name);
    bindings
        .create(
            &PostParams::default(),
            &serde_json::from_value(binding).expect("a binding"),
        )
        .await
        .expect("make a binding");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(admin, &name);
    accounts
        .patch("default", &PatchParams::apply("suite"), &Patch::Apply(account))
        .await
        .expect("make the service account");
    (cluster::client("mallory").await, name, stage)
}

/// A pod that breaks no rule but by the changes to its spec.
pub fn pod(change: &Value) -> Pod {
    let mut spec = json!({"automountServiceAccountToken": false, "containers": [{"name": "a", "image": "x"}]});
    for (key, value) in change.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).expect("a pod")
}

#[tokio::test]
async fn pods_that_pinfold_would_never_make_are_refused() {
    let (mallory, namespace, _stage) = open_namespace().await;
    let pods: Api<Pod> = Api::namespaced(mallory, &namespace);
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let told = async |change: &Value| match pods.create(&dry, &pod(change)).await {
        Ok(_) => "nothing".to_owned(),
        Err(kube::Error::Api(answer)) => answer.message.clone(),
        Err(error) => error.to_string(),
    };
    let cases = [
        ("host-namespaces", json!({"hostNetwork": true})),
        ("host-namespaces", json!({"hostPID": true})),
        ("host-namespaces", json!({"hostIPC": true})),
        (
            "host-path",
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
        ),
        (
            "volumes",
            json!({"volumes": [{"name": "v", "nfs": {"server": "x", "path": "/"}}]}),
        ),
        (
            "volumes",
            json!({"volumes": [{"name": "v", "configMap": {"name": "c"}}]}),
        ),
        ("service-account-token", json!({"automountServiceAccountToken": true})),
        ("service-account-token", json!({"automountServiceAccountToken": null})),
        (
            "service-account-token",
            json!({"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]}),
        ),
        (
            "host-port",
            json!({"containers": [{"name": "a", "image": "x", "ports": [{"containerPort": 80, "hostPort": 80}]}]}),
        ),
        (
            "host-port",
            json!({"initContainers": [{"name": "i", "image": "x", "ports": [{"containerPort": 80, "hostPort": 80}]}]}),
        ),
        ("node-name", json!({"nodeName": "some-node"})),
        ("priority", json!({"priorityClassName": "system-node-critical"})),
        (
            "host-aliases",
            json!({"hostAliases": [{"ip": "127.0.0.1", "hostnames": ["example.test"]}]}),
        ),
    ];
    for (rule, change) in &cases {
        let wanted = format!("pinfold-pods/{rule}: ");
        // Rights and policies take effect a moment after they are stored.
        wait::until_true(&format!("{change} is refused by {rule}"), async || {
            let told = told(change).await;
            told.contains(&wanted) && told.contains("ValidatingAdmissionPolicy 'pinfold-pods'")
        })
        .await;
    }
    assert_eq!(told(&json!({})).await, "nothing");
    let volumes = json!({"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "secret": {"secretName": "s"}}, {"name": "c", "image": {"reference": "x"}}]});
    assert_eq!(told(&volumes).await, "nothing");
}

#[tokio::test]
async fn ephemeral_containers_are_refused() {
    let (mallory, namespace, _stage) = open_namespace().await;
    let pods: Api<Pod> = Api::namespaced(mallory, &namespace);
    wait::until_true("mallory may make a pod", async || {
        pods.create(&PostParams::default(), &pod(&json!({}))).await.is_ok()
    })
    .await;
    let patch = Patch::Strategic(json!({"spec": {"ephemeralContainers": [{"name": "debug", "image": "x"}]}}));
    wait::until_true("an ephemeral container is refused", async || {
        match pods
            .patch_ephemeral_containers(
                "p",
                &PatchParams {
                    dry_run: true,
                    ..PatchParams::default()
                },
                &patch,
            )
            .await
        {
            Err(kube::Error::Api(answer)) => answer.message.contains("pinfold-pods/ephemeral-containers: "),
            _ => false,
        }
    })
    .await;
}

#[tokio::test]
async fn reserved_labels_of_pods_are_refused() {
    let (mallory, namespace, _stage) = open_namespace().await;
    let pods: Api<Pod> = Api::namespaced(mallory, &namespace);
    let mut steered = pod(&json!({}));
    steered.metadata.labels = Some([("pinfold.dev/component".to_owned(), "agent".to_owned())].into());
    wait::until_true("the label is refused", async || {
        match pods.create(&PostParams::default(), &steered).await {
            Err(kube::Error::Api(answer)) => answer.message.contains("pinfold-reserved/labels: "),
            _ => false,
        }
    })
    .await;
}

/// SB-05: an API server that drops `hostUsers` without a word, as those do that do not know it, must not get a weaker pod
/// past the policy, not even from the operator.
#[tokio::test]
async fn a_pod_that_demands_a_user_namespace_is_refused_without_one() {
    let scene = Scene::with_tenant().await;
    let templates: Api<SandboxTemplate> = Api::namespaced(scene.admin.clone(), &scene.namespace());
    create(
        &templates,
        "apart",
        json!({"image": "example.test/any:1", "hostUsers": false}),
    )
    .await;
    let run = scene.make_run("apart", json!({"template": "apart"})).await;
    let made = scene.pod_of(&run).await;
    assert_eq!(made.spec.as_ref().unwrap().host_users, Some(false));

    let operator = Api::<Pod>::namespaced(cluster::client("operator").await, &scene.namespace());
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let told = async |host_users: Option<bool>| {
        let mut pod = Pod {
            metadata: kube::core::ObjectMeta {
                name: Some("again".to_owned()),
                labels: made.metadata.labels.clone(),
                ..kube::core::ObjectMeta::default()
            },
            spec: made.spec.clone(),
            status: None,
        };
        pod.spec.as_mut().unwrap().host_users = host_users;
        match operator.create(&dry, &pod).await {
            Ok(_) => "nothing".to_owned(),
            Err(kube::Error::Api(answer)) => answer.message.clone(),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(told(Some(false)).await, "nothing");
    for weaker in [None, Some(true)] {
        wait::until_true(&format!("hostUsers {weaker:?} is refused"), async || {
            told(weaker).await.contains("pinfold-pods/user-namespace: ")
        })
        .await;
    }
}
