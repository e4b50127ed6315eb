//! Server-side apply of children, and deletion with preconditions.

use std::{fmt::Debug, sync::Arc};

use crds::labels;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, Preconditions},
    core::{ClusterResourceScope, NamespaceResourceScope},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracing::info;

use crate::{
    cluster::{client::CallError, server_side, settled},
    runtime::{Cache, Failure, FailureClass},
};

/// A child as one controller wants it.
pub trait Child:
    Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

impl<K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static> Child for K {}

/// Applies children under one field manager.
#[derive(Clone)]
pub struct Applier {
    client: Client,
    manager: &'static str,
}

impl Debug for Applier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Applier")
            .field("manager", &self.manager)
            .finish_non_exhaustive()
    }
}

impl Applier {
    /// An applier for a controller's field manager (docs/field-managers.md lists them).
    pub fn new(client: Client, manager: &'static str) -> Self {
        Self { client, manager }
    }

    /// Brings a namespaced child to its desired state; writes only if it is not there already.
    pub async fn namespaced<K>(&self, desired: &K, cache: &Cache<K>) -> Result<Arc<K>, Failure>
    where
        K: Child + Resource<Scope = NamespaceResourceScope>,
    {
        let namespace = desired.namespace().unwrap_or_default();
        self.settle(Api::namespaced(self.client.clone(), &namespace), desired, cache)
            .await
    }

    /// The same for a cluster-scoped child.
    pub async fn cluster<K>(&self, desired: &K, cache: &Cache<K>) -> Result<Arc<K>, Failure>
    where
        K: Child + Resource<Scope = ClusterResourceScope>,
    {
        self.settle(Api::all(self.client.clone()), desired, cache).await
    }

    /// Deletes a child that is no longer wanted, if it still is the object that was looked at.
    pub async fn prune<K>(&self, child: &K) -> Result<(), Failure>
    where
        K: Child + Resource<Scope = NamespaceResourceScope>,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), &child.namespace().unwrap_or_default());
        delete(&api, child, true, None).await
    }

    async fn settle<K: Child>(&self, api: Api<K>, desired: &K, cache: &Cache<K>) -> Result<Arc<K>, Failure> {
        let kind = K::kind(&());
        let name = desired.name_any();
        let mut body = to_value(desired)?;
        let digest = settled::digest(&body);
        let live = cache.get(&desired.namespace().unwrap_or_default(), &name);
        if let Some(live) = &live
            && live.annotations().get(labels::DESIRED) == Some(&digest)
            && settled::contains(&to_value(&**live)?, &body)
        {
            return Ok(live.clone());
        }
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            let annotations = metadata
                .entry("annotations")
                .or_insert_with(|| Value::Object(serde_json::Map::new()));
            annotations[labels::DESIRED] = Value::String(digest);
        }
        // Forced: these objects are wholly ours, and an outside edit of what we own is to be taken back.
        let applied: K = server_side::apply(&self.client, api.resource_url(), &name, None, self.manager, &body)
            .await
            .map_err(|error| failure(format!("apply {kind} {name}"), error))?;
        info!(child.kind = %kind, child.name = name, "child applied");
        cache.insert(applied.clone());
        Ok(Arc::new(applied))
    }
}

/// Deletes an object if it still has this UID (and, if asked for, this resource version). One that is gone
/// already is deleted enough.
pub async fn delete<K: Child>(api: &Api<K>, object: &K, exact: bool, grace: Option<u32>) -> Result<(), Failure> {
    let parameters = DeleteParams {
        preconditions: Some(Preconditions {
            uid: object.uid(),
            resource_version: object.resource_version().filter(|_| exact),
        }),
        grace_period_seconds: grace,
        ..DeleteParams::background()
    };
    let (kind, name) = (K::kind(&()), object.name_any());
    match api.delete(&name, &parameters).await {
        Ok(_) => {
            info!(child.kind = %kind, child.name = name, "child deleted");
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(failure(format!("delete {kind} {name}"), error)),
    }
}

/// Classifies what the API server answered.
pub fn failure(attempt: String, error: kube::Error) -> Failure {
    let class = match &error {
        error if is_not_leader(error) => FailureClass::NotLeading,
        kube::Error::Api(status) if status.code == 409 => FailureClass::Conflict,
        kube::Error::Api(status) if status.code == 403 || status.code == 401 => FailureClass::Forbidden,
        _ => FailureClass::Transient,
    };
    Failure {
        attempt,
        class,
        source: Box::new(error),
    }
}

/// Whether the call was not even made because the lease is not held.
fn is_not_leader(error: &kube::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(CallError::NotLeader)) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn to_value<K: Child>(object: &K) -> Result<Value, Failure> {
    let mut value = serde_json::to_value(object).map_err(|error| Failure {
        attempt: format!("encode {} {}", K::kind(&()), object.name_any()),
        class: FailureClass::Transient,
        source: Box::new(error),
    })?;
    if let Some(map) = value.as_object_mut() {
        map.insert("apiVersion".to_owned(), Value::String(K::api_version(&()).into_owned()));
        map.insert("kind".to_owned(), Value::String(K::kind(&()).into_owned()));
        map.remove("status");
    }
    Ok(value)
}
