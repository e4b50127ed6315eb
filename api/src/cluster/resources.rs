//! What is done with resources of any kind of a tenant's.

use std::fmt::Debug;

use crds::labels;
use k8s_openapi::NamespaceResourceScope;
use kube::{
    Api, Resource, ResourceExt as _,
    api::{DeleteParams, ListParams, PostParams, Preconditions},
};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::cluster::{Cluster, ClusterError, Namespace, OnBehalf, within};

/// A kind of resource in tenants' namespaces.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static
{
}

/// Resources, and where the next ones are found.
#[derive(Debug, Clone)]
pub struct Page<K> {
    /// The resources, by name.
    pub items: Vec<K>,
    /// What asks for the next ones.
    pub next: Option<String>,
}

/// Reads a page of a list.
pub(super) async fn page<K>(api: &Api<K>, params: &ListParams) -> Result<Page<K>, ClusterError>
where
    K: Clone + Debug + DeserializeOwned,
{
    let listed = within("list resources", api.list(params)).await;
    let list = listed.map_err(|error| match error.status() {
        Some(said) if said.code == 410 || said.code == 400 && said.message.contains("continue") => {
            ClusterError::PageToken
        }
        Some(said) if said.code == 400 && params.label_selector.is_some() => {
            ClusterError::Selector(said.message.clone())
        }
        _ => error,
    })?;
    Ok(Page {
        next: list.metadata.continue_.filter(|token| !token.is_empty()),
        items: list.items,
    })
}

/// What tells a change of the API's from the others.
pub(super) fn change_id() -> String {
    Uuid::now_v7().to_string()
}

impl Cluster {
    /// Makes a resource. One that has its name already is left alone.
    pub async fn create<K: Kind>(
        &self,
        namespace: &Namespace,
        wanted: &K,
        by: OnBehalf<'_>,
    ) -> Result<K, ClusterError> {
        let mut wanted = wanted.clone();
        let annotations = wanted.annotations_mut();
        annotations.insert(labels::PRINCIPAL.to_owned(), by.principal.to_owned());
        annotations.insert(labels::REQUEST_ID.to_owned(), by.request_id.to_owned());
        annotations.insert(labels::CHANGE.to_owned(), change_id());
        within(
            "create a resource",
            self.of(namespace).create(&PostParams::default(), &wanted),
        )
        .await
    }

    /// Makes a resource, or finds the one that the same principal made in the same request.
    pub async fn create_unless_made<K: Kind>(
        &self,
        namespace: &Namespace,
        wanted: &K,
        by: OnBehalf<'_>,
    ) -> Result<K, ClusterError> {
        // Refused because it is there, or because it took the last place that the quota has.
        let refused = match self.create(namespace, wanted, by).await {
            Err(error) => error,
            made => return made,
        };
        let found = self.get(namespace, &wanted.name_any()).await?;
        let is_ours = |found: &K| {
            let annotation = |key: &str| found.annotations().get(key).map(String::as_str);
            annotation(labels::PRINCIPAL) == Some(by.principal) && annotation(labels::REQUEST_ID) == Some(by.request_id)
        };
        found.filter(is_ours).ok_or(refused)
    }

    /// A resource by name, as the cluster has it now.
    pub async fn get<K: Kind>(&self, namespace: &Namespace, name: &str) -> Result<Option<K>, ClusterError> {
        within("read a resource", self.of(namespace).get_opt(name)).await
    }

    /// Replaces a resource by what became of the version that was read.
    pub async fn replace<K: Kind>(&self, namespace: &Namespace, changed: &K) -> Result<K, ClusterError> {
        let mut changed = changed.clone();
        changed.annotations_mut().insert(labels::CHANGE.to_owned(), change_id());
        let (name, params) = (changed.name_any(), PostParams::default());
        within(
            "replace a resource",
            self.of(namespace).replace(&name, &params, &changed),
        )
        .await
    }

    /// Deletes this very resource, and none that has its name since.
    pub async fn delete<K: Kind>(&self, namespace: &Namespace, resource: &K) -> Result<(), ClusterError> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: resource.uid(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let (name, api) = (resource.name_any(), self.of::<K>(namespace));
        match within("delete a resource", api.delete(&name, &params)).await {
            // 409: one of the same name and another UID, so this one is gone.
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(()),
            other => other.map(drop),
        }
    }

    pub(super) fn of<K: Kind>(&self, namespace: &Namespace) -> Api<K> {
        Api::namespaced(self.client.clone(), &namespace.0)
    }
}
