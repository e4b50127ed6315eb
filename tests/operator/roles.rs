//! TI-01: what each role grants, asked of the API server itself: every verb of every resource.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use insta::assert_yaml_snapshot;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::{
    Api, Client,
    api::PostParams,
    discovery::{Discovery, Scope},
};
use serde_json::json;

use crate::tenancy::owned;

const VERBS: [&str; 8] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
];

/// Every resource of the API with its subresources, and whether it lives in namespaces.
async fn resources(client: &Client) -> Vec<(String, String, bool)> {
    let discovery = Discovery::new(client.clone()).run().await.expect("discover the API");
    let mut all = Vec::new();
    for group in discovery.groups() {
        for (resource, capabilities) in group.recommended_resources() {
            let namespaced = capabilities.scope == Scope::Namespaced;
            all.push((resource.group.clone(), resource.plural.clone(), namespaced));
            for (subresource, _) in &capabilities.subresources {
                let name = format!(
                    "{}/{}",
                    resource.plural,
                    subresource.plural.rsplit('/').next().unwrap_or_default()
                );
                all.push((resource.group.clone(), name, namespaced));
            }
        }
    }
    for special in [
        "serviceaccounts/token",
        "pods/ephemeralcontainers",
        "pods/exec",
        "pods/attach",
        "pods/portforward",
        "pods/proxy",
        "services/proxy",
    ] {
        all.push((String::new(), special.to_owned(), true));
    }
    all.sort();
    all.dedup();
    all
}

async fn may(client: &Client, user: &str, namespace: Option<&str>, group: &str, resource: &str, verb: &str) -> bool {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review = json!({
        "metadata": {},
        "spec": {
            "user": user, "groups": ["pinfold-users", "system:authenticated"],
            "resourceAttributes": {
                "namespace": namespace, "group": group, "resource": resource, "subresource": subresource, "verb": verb,
            },
        },
    });
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let review = serde_json::from_value(review).expect("a review");
    reviews
        .create(&PostParams::default(), &review)
        .await
        .expect("ask what is allowed")
        .status
        .is_some_and(|s| s.allowed)
}

/// All that a user may do in a namespace, or everywhere.
async fn rights(
    client: &Client,
    user: &str,
    namespace: Option<&str>,
    all: &[(String, String, bool)],
) -> BTreeMap<String, Vec<String>> {
    let questions = all
        .iter()
        .filter(|(_, _, namespaced)| namespace.is_none() || *namespaced)
        .flat_map(|(group, resource, _)| VERBS.map(|verb| (group, resource, verb)));
    let answers: Vec<_> = stream::iter(questions)
        .map(async |(group, resource, verb)| {
            (
                group,
                resource,
                verb,
                may(client, user, namespace, group, resource, verb).await,
            )
        })
        .buffered(16)
        .collect()
        .await;
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (group, resource, verb, allowed) in answers {
        if allowed {
            let name = if group.is_empty() {
                resource.clone()
            } else {
                format!("{resource}.{group}")
            };
            found.entry(name).or_default().push(verb.to_owned());
        }
    }
    found
}

#[tokio::test]
async fn every_role_grants_what_is_written_down_and_nothing_else() {
    let scene = owned().await;
    let all = resources(&scene.admin).await;
    let namespace = scene.namespace();
    let mut granted = BTreeMap::new();
    for (role, user) in [
        ("admin", "alice"),
        ("developer", "bob"),
        ("viewer", "carol"),
        ("stranger", "mallory"),
    ] {
        granted.insert(role, rights(&scene.admin, user, Some(&namespace), &all).await);
        let elsewhere = rights(&scene.admin, user, Some("kube-system"), &all).await;
        assert_eq!(elsewhere, BTreeMap::new(), "{user} in another namespace");
        let everywhere = rights(&scene.admin, user, None, &all).await;
        let reviews: Vec<&str> = everywhere.keys().map(String::as_str).collect();
        let own = [
            "selfsubjectaccessreviews.authorization.k8s.io",
            "selfsubjectreviews.authentication.k8s.io",
            "selfsubjectrulesreviews.authorization.k8s.io",
        ];
        assert_eq!(reviews, own, "{user} everywhere");
        for (group, resource, verb) in [
            ("rbac.authorization.k8s.io", "clusterroles", "bind"),
            ("rbac.authorization.k8s.io", "roles", "escalate"),
            ("", "users", "impersonate"),
            ("", "serviceaccounts", "impersonate"),
        ] {
            assert!(
                !may(&scene.admin, user, Some(&namespace), group, resource, verb).await,
                "{user} may {verb} {resource}"
            );
        }
    }
    assert_yaml_snapshot!("tenant_roles", granted);
}
