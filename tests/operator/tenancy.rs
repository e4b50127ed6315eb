//! What a tenant's people may do, and what they cannot reach.

use crds::{Agent, SandboxRun, SandboxTemplate};
use k8s_openapi::api::{
    core::v1::{Namespace, Pod, Secret},
    networking::v1::NetworkPolicy,
    rbac::v1::RoleBinding,
};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use support::{
    Scene, cluster,
    scene::{create, pod_name},
    wait,
};

fn owners() -> Value {
    json!({"owners": [
        {"kind": "User", "name": "alice", "role": "admin"},
        {"kind": "User", "name": "bob", "role": "developer"},
        {"kind": "User", "name": "carol", "role": "viewer"},
    ]})
}

/// A scene whose tenant has an owner in each role: alice, bob and carol.
pub async fn owned() -> Scene {
    let scene = Scene::start().await;
    scene.make_tenant(&scene.id, owners()).await;
    scene.ready_tenant(&scene.id).await;
    scene
}

/// What a client is told; nothing if it gets its way.
fn told<T>(answer: Result<T, kube::Error>) -> Option<String> {
    match answer {
        Ok(_) => None,
        Err(kube::Error::Api(status)) => Some(status.message.clone()),
        Err(error) => Some(error.to_string()),
    }
}

#[tokio::test]
async fn no_reference_reaches_another_tenant() {
    let scene = owned().await;
    let other = format!("{}-other", scene.id);
    scene.make_tenant(&other, json!({})).await;
    scene.ready_tenant(&other).await;
    let theirs = format!("tenant-{other}");
    let templates: Api<SandboxTemplate> = Api::namespaced(scene.admin.clone(), &theirs);
    create(&templates, "theirs", json!({"image": "example.test/theirs:1"})).await;
    let secrets: Api<Secret> = Api::namespaced(scene.admin.clone(), &theirs);
    let secret = serde_json::from_value(json!({"metadata": {"name": "theirs"}, "stringData": {"private.pem": "x"}}))
        .expect("a Secret");
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .expect("make a Secret");
    scene.settle().await;
    let before = scene.proxy.records().len();

    let reaches = [
        format!("{theirs}/theirs"),
        format!("../{theirs}/theirs"),
        format!("{theirs}.theirs"),
    ];
    let bob = cluster::client("bob").await;
    let agents: Api<Agent> = Api::namespaced(bob.clone(), &scene.namespace());
    let runs: Api<SandboxRun> = Api::namespaced(bob, &scene.namespace());
    for (n, reach) in reaches.iter().enumerate() {
        let run = json!({"apiVersion": "pinfold.dev/v1alpha1", "kind": "SandboxRun", "metadata": {"name": format!("run-{n}")}, "spec": {"template": reach}});
        let run = serde_json::from_value(run).expect("a run");
        let refusal = told(runs.create(&PostParams::default(), &run).await);
        assert!(refusal.is_some_and(|t| t.contains("spec.template")), "{reach}");
        let agent = json!({"apiVersion": "pinfold.dev/v1alpha1", "kind": "Agent", "metadata": {"name": format!("agent-{n}")}, "spec": {"image": "x", "identity": {"secretName": reach}}});
        let agent = serde_json::from_value(agent).expect("an agent");
        let refusal = told(agents.create(&PostParams::default(), &agent).await);
        // A dot is a legal part of a Secret's name, of this namespace.
        assert_eq!(refusal.is_some(), reach.contains('/'), "{reach}");
    }
    // By name alone, and marked as theirs by labels and annotations of every kind but the reserved ones.
    let marks = json!({"name": "by-name", "labels": {"tenant": other, "namespace": theirs}, "annotations": {"example.test/namespace": theirs}});
    let run = json!({"apiVersion": "pinfold.dev/v1alpha1", "kind": "SandboxRun", "metadata": marks, "spec": {"template": "theirs"}});
    runs.create(&PostParams::default(), &serde_json::from_value(run).expect("a run"))
        .await
        .expect("make a run");
    let agent = json!({"apiVersion": "pinfold.dev/v1alpha1", "kind": "Agent", "metadata": marks, "spec": {"image": "x", "identity": {"secretName": "theirs"}}});
    agents
        .create(
            &PostParams::default(),
            &serde_json::from_value(agent).expect("an agent"),
        )
        .await
        .expect("make an agent");
    scene.run_is("by-name", "TemplateNotFound").await;
    scene.agent_is("by-name", "SecretNotFound").await;
    scene.settle().await;
    let reads: Vec<String> = scene.proxy.records()[before..]
        .iter()
        .filter(|r| r.request.namespace.as_deref() == Some(theirs.as_str()))
        .map(|r| r.request.uri.clone())
        .collect();
    assert_eq!(reads, Vec::<String>::new(), "the operator looks there");
}

#[tokio::test]
async fn nothing_is_smuggled_through_our_kinds() {
    let scene = owned().await;
    let bob = cluster::client("bob").await;
    let resource = ApiResource::erase::<SandboxRun>(&());
    let runs: Api<DynamicObject> = Api::namespaced_with(bob.clone(), &scene.namespace(), &resource);
    let object = DynamicObject::new("smuggler", &resource).data(json!({"spec": {
        "image": "example.test/any:1", "command": ["true"],
        "hostNetwork": true, "serviceAccountName": "default", "nodeName": "x", "volumes": [{"name": "h", "hostPath": {"path": "/"}}],
        "securityContext": {"privileged": true}, "podTemplate": {"spec": {"hostPID": true}},
    }}));
    runs.create(&PostParams::default(), &object)
        .await
        .expect("unknown fields are dropped");
    let run = scene.api::<SandboxRun>().get("smuggler").await.expect("the run");
    let pod = scene.pod_of(&run).await;
    let spec = pod.spec.unwrap_or_default();
    assert_eq!(
        (
            spec.host_network,
            spec.host_pid,
            spec.node_name,
            spec.service_account_name
        ),
        (None, None, None, Some("pinfold-sandbox".to_owned()))
    );
    assert!(spec.volumes.iter().flatten().all(|v| v.host_path.is_none()));
    assert_eq!(
        spec.containers[0].security_context.as_ref().and_then(|c| c.privileged),
        Some(false)
    );

    let cases = [
        ("v1", "Namespace", "namespaces", json!({})),
        (
            "rbac.authorization.k8s.io/v1",
            "ClusterRole",
            "clusterroles",
            json!({"rules": []}),
        ),
        (
            "rbac.authorization.k8s.io/v1",
            "ClusterRoleBinding",
            "clusterrolebindings",
            json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}}),
        ),
        (
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
            json!({}),
        ),
        ("pinfold.dev/v1alpha1", "Tenant", "tenants", json!({"spec": {}})),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            json!({"spec": {}}),
        ),
    ];
    let alice = cluster::client("alice").await;
    for (version, kind, plural, data) in cases {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource =
            ApiResource::from_gvk_with_plural(&kube::core::GroupVersionKind::gvk(group, version, kind), plural);
        let api: Api<DynamicObject> = Api::all_with(alice.clone(), &resource);
        let refusal = told(
            api.create(
                &PostParams::default(),
                &DynamicObject::new(&scene.id, &resource).data(data),
            )
            .await,
        );
        assert!(
            refusal.as_deref().is_some_and(|t| t.contains("cannot create resource")),
            "{kind}: {refusal:?}"
        );
    }
    let bindings: Api<RoleBinding> = Api::namespaced(alice, &scene.namespace());
    let binding = json!({"metadata": {"name": "more"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}});
    let refusal = told(
        bindings
            .create(
                &PostParams::default(),
                &serde_json::from_value(binding).expect("a binding"),
            )
            .await,
    );
    assert!(refusal.is_some_and(|t| t.contains("cannot create resource")));
    assert_eq!(pod_name(&run), format!("run-{}", run.metadata.uid.unwrap_or_default()));
}

#[tokio::test]
async fn reserved_keys_are_ours_alone() {
    let scene = owned().await;
    let bob = cluster::client("bob").await;
    let runs: Api<SandboxRun> = Api::namespaced(bob, &scene.namespace());
    let make = async |name: &str, metadata: Value| {
        let mut metadata = metadata;
        metadata["name"] = json!(name);
        let run = json!({"apiVersion": "pinfold.dev/v1alpha1", "kind": "SandboxRun", "metadata": metadata, "spec": {"image": "x"}});
        told(
            runs.create(&PostParams::default(), &serde_json::from_value(run).expect("a run"))
                .await,
        )
    };
    let rule = |what: &str| format!("pinfold-reserved/{what}: ");
    let cases = [
        (json!({"labels": {"pinfold.dev/agent": "theirs"}}), rule("labels")),
        (json!({"labels": {"pinfold.dev/anything": "x"}}), rule("labels")),
        (
            json!({"labels": {"app.kubernetes.io/managed-by": "pinfold"}}),
            rule("labels"),
        ),
        (
            json!({"annotations": {"pinfold.dev/desired": "x"}}),
            rule("annotations"),
        ),
        (json!({"finalizers": ["pinfold.dev/result"]}), rule("finalizers")),
    ];
    for (metadata, wanted) in &cases {
        // Policies take effect a moment after they are stored.
        wait::until_true(&format!("{metadata} is refused"), async || {
            let refusal = make("reserved", metadata.clone()).await;
            if refusal.is_none() {
                drop(runs.delete("reserved", &kube::api::DeleteParams::default()).await);
            }
            refusal.is_some_and(|t| t.contains(wanted) && t.contains("ValidatingAdmissionPolicy 'pinfold-reserved'"))
        })
        .await;
    }
    assert_eq!(
        make(
            "plain",
            json!({"labels": {"app.kubernetes.io/managed-by": "helm", "mine": "x"}})
        )
        .await,
        None
    );
    for (metadata, wanted) in cases {
        let edit = json!({"metadata": metadata});
        let refusal = told(runs.patch("plain", &PatchParams::default(), &Patch::Merge(edit)).await);
        assert!(
            refusal.as_deref().is_some_and(|t| t.contains(&wanted)),
            "{wanted}: {refusal:?}"
        );
    }
    let agents: Api<Agent> = Api::namespaced(cluster::client("bob").await, &scene.namespace());
    create(&agents, "worker", json!({"image": "x", "replicas": 0})).await;
    let allowed = json!({"metadata": {"annotations": {"pinfold.dev/replace-identity": "x", "pinfold.dev/confirm-deletions": "1"}}});
    assert_eq!(
        told(
            agents
                .patch("worker", &PatchParams::default(), &Patch::Merge(allowed))
                .await
        ),
        None
    );

    // What the operator has set cannot be taken off by somebody who may write there, either.
    let run = scene.api::<SandboxRun>().get("plain").await.expect("the run");
    scene.pod_of(&run).await;
    let pods = scene.api::<Pod>();
    let off = json!({"metadata": {"labels": {"pinfold.dev/run": null}}});
    let refusal = told(
        pods.patch(&pod_name(&run), &PatchParams::default(), &Patch::Merge(off))
            .await,
    );
    assert!(
        refusal
            .as_deref()
            .is_some_and(|t| t.contains("pinfold-reserved/labels-removed: ")),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn no_owner_edits_what_guards_the_namespace() {
    let scene = owned().await;
    for user in ["alice", "bob", "carol"] {
        let client = cluster::client(user).await;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let open = Patch::Merge(json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}));
        let refusal = told(
            namespaces
                .patch(&scene.namespace(), &PatchParams::default(), &open)
                .await,
        );
        assert!(refusal.is_some_and(|t| t.contains("cannot patch resource")), "{user}");
        let policies: Api<NetworkPolicy> = Api::namespaced(client.clone(), &scene.namespace());
        let refusal = told(
            policies
                .delete("pinfold-deny-all", &kube::api::DeleteParams::default())
                .await,
        );
        assert!(refusal.is_some_and(|t| t.contains("cannot delete resource")), "{user}");
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &scene.namespace());
        let refusal = told(secrets.list(&ListParams::default()).await);
        assert!(refusal.is_some_and(|t| t.contains("cannot list resource")), "{user}");
        let pods: Api<Pod> = Api::namespaced(client, &scene.namespace());
        let pod = json!({"metadata": {"name": "mine"}, "spec": {"containers": [{"name": "a", "image": "x"}]}});
        let refusal = told(
            pods.create(&PostParams::default(), &serde_json::from_value(pod).expect("a pod"))
                .await,
        );
        assert!(refusal.is_some_and(|t| t.contains("cannot create resource")), "{user}");
    }
}
