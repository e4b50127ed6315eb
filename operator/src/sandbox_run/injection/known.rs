//! What canaries showed, kept in a ConfigMap of the operator's namespace: `injection` for the nodes' own runtime,
//! `injection.<handler>` for that of a RuntimeClass, and the image that it is true of.

use std::collections::BTreeMap;

use crds::labels::component;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::json;

use super::OWN;
use crate::{
    cluster::{apply::failure, meta, server_side},
    runtime::Failure,
    sandbox_run::{MANAGER, build::Injected},
    shared::Shared,
};

const CONFIG_MAP: &str = "pinfold-injection";
const KEY: &str = "injection";

/// Takes what is known of the present image.
pub(super) async fn recall(shared: &Shared) -> Result<(), Failure> {
    let known = maps(shared)
        .get_opt(CONFIG_MAP)
        .await
        .map_err(|e| failure(format!("read ConfigMap {CONFIG_MAP}"), e))?;
    let data = known.and_then(|map| map.data).unwrap_or_default();
    if data.get("image") != Some(&shared.platform.sandboxd_image) {
        return Ok(());
    }
    for (key, value) in data {
        if let (Some(handler), Some(found)) = (handler(&key), injected(&value)) {
            shared.injection.take(handler.to_owned(), found);
        }
    }
    Ok(())
}

/// Keeps what is known, but for runtimes that no canary got to run under.
pub(super) async fn remember(shared: &Shared) -> Result<(), Failure> {
    let mut data = BTreeMap::from([("image".to_owned(), shared.platform.sandboxd_image.clone())]);
    {
        let state = shared.injection.state();
        let known = state
            .found
            .iter()
            .filter(|(handler, _)| !state.open.contains_key(*handler));
        data.extend(known.map(|(handler, found)| (key(handler), value(*found).to_owned())));
    }
    let maps = maps(shared);
    let labels = meta::labels(component::SANDBOX, "");
    let body = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta::child(CONFIG_MAP, Some(&shared.installation.namespace), labels, None),
        "data": data,
    });
    server_side::apply::<ConfigMap>(&shared.client, maps.resource_url(), CONFIG_MAP, None, MANAGER, &body)
        .await
        .map_err(|e| failure(format!("write ConfigMap {CONFIG_MAP}"), e))?;
    Ok(())
}

fn maps(shared: &Shared) -> Api<ConfigMap> {
    Api::namespaced(shared.client.clone(), &shared.installation.namespace)
}

fn key(handler: &str) -> String {
    if handler == OWN {
        KEY.to_owned()
    } else {
        format!("{KEY}.{handler}")
    }
}

fn handler(key: &str) -> Option<&str> {
    match key.strip_prefix(KEY)? {
        OWN => Some(OWN),
        rest => rest.strip_prefix('.'),
    }
}

fn value(injected: Injected) -> &'static str {
    match injected {
        Injected::ImageVolume => "imageVolume",
        Injected::InitContainer => "initContainer",
    }
}

fn injected(value: &str) -> Option<Injected> {
    [Injected::ImageVolume, Injected::InitContainer]
        .into_iter()
        .find(|injected| self::value(*injected) == value)
}
