//! Writes the status subresource, and only if it differs from what is stored.

use std::fmt::Debug;

use kube::{Api, Resource, ResourceExt};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{
    cluster::{apply::failure, server_side},
    runtime::Failure,
};

/// What must still be so for a status to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// It is the same object.
    Object,
    /// It is the same version of the object.
    Version,
}

/// Replaces the status of an object by server-side apply: fields that are no longer set go away.
///
/// The UID makes the write fail if the object was deleted and made anew under the same name; [`Guard::Version`] also if
/// it is not the version that was looked at, so that a write that was long on its way takes no later one back.
pub async fn write<K, S>(
    api: &Api<K>,
    object: &K,
    old: Option<&S>,
    new: &S,
    manager: &str,
    guard: Guard,
) -> Result<Option<K>, Failure>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
    S: Serialize + PartialEq,
{
    if old == Some(new) {
        return Ok(None);
    }
    let name = object.name_any();
    let mut body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name, "uid": object.uid()},
        "status": new,
    });
    if guard == Guard::Version {
        body["metadata"]["resourceVersion"] = json!(object.resource_version());
    }
    let client = api.clone().into_client();
    match server_side::apply(&client, api.resource_url(), &name, Some("status"), manager, &body).await {
        Ok(written) => Ok(Some(written)),
        // Deleted meanwhile: there is nothing left whose status could be wrong.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(failure(format!("write status of {} {name}", K::kind(&())), error)),
    }
}
