//! Watches: fill a cache and tell controllers which objects to look at.

use std::{fmt::Debug, sync::Arc};

use futures::StreamExt;
use kube::{
    Api, Resource, ResourceExt,
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use serde::de::DeserializeOwned;
use telemetry::logging::chain;
use tracing::{info, warn};

use crate::{metrics::Metrics, runtime::Cache};

/// The server ends each watch after this long, and the client gives up on one that has said nothing for a little
/// longer: a connection that died without a word is noticed and opened anew within a minute.
pub const WATCH_SECONDS: u32 = 45;

/// What a watch leaves out of memory, and which objects it looks at.
#[derive(Debug, Clone)]
pub struct Source<K> {
    /// The kind, as metrics name it.
    pub kind: &'static str,
    /// Narrows the watch on the server.
    pub selector: watcher::Config,
    /// Drops the parts that nobody reads.
    pub trim: fn(&mut K),
}

/// Follows all objects of one kind until the process ends.
///
/// `changed` is called for every object that appeared, changed or went. An object that does not decode is
/// named in the log and counted, and keeps no other object waiting.
pub async fn follow<K>(
    api: Api<DeserializeGuard<K>>,
    source: Source<K>,
    cache: Arc<Cache<K>>,
    metrics: Arc<Metrics>,
    changed: impl Fn(&K) + Send,
    undecodable: impl Fn(&InvalidObject) + Send,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let config = source.selector.clone().timeout(WATCH_SECONDS).page_size(500);
    let mut known_broken: Vec<(String, String)> = Vec::new();
    loop {
        let mut events = watcher::watcher(api.clone(), config.clone()).default_backoff().boxed();
        let (mut pending, mut broken) = (Vec::new(), Vec::new());
        while let Some(event) = events.next().await {
            metrics.watch_works(&K::plural(&()));
            match event {
                Ok(Event::Init) => {
                    pending.clear();
                    broken.clear();
                }
                Ok(Event::InitApply(object)) => {
                    if let Err(invalid) = &object.0 {
                        broken.push(address(invalid));
                    }
                    if let Some(object) = decoded(object, &source, &metrics, &undecodable) {
                        pending.push(object);
                    }
                }
                Ok(Event::InitDone) => {
                    let gone = cache.replace(std::mem::take(&mut pending));
                    for (namespace, name) in known_broken.iter().filter(|b| !broken.contains(b)) {
                        metrics.decodable(source.kind, namespace, name);
                    }
                    known_broken = std::mem::take(&mut broken);
                    info!(kind = source.kind, objects = cache.len(), "watch filled");
                    for object in gone.iter().chain(&cache.all()) {
                        changed(object);
                    }
                }
                Ok(Event::Apply(object)) => {
                    if let Some(object) = decoded(object, &source, &metrics, &undecodable) {
                        cache.insert(object.clone());
                        changed(&object);
                    }
                }
                Ok(Event::Delete(object)) => match object.0 {
                    Ok(object) => {
                        cache.remove(&object);
                        changed(&object);
                    }
                    Err(invalid) => {
                        let (namespace, name) = address(&invalid);
                        metrics.decodable(source.kind, &namespace, &name);
                    }
                },
                Err(error) => {
                    metrics.watch_failed(source.kind);
                    warn!(kind = source.kind, error = %chain(&error), "watch failed; it is opened again");
                }
            }
        }
    }
}

fn address(invalid: &InvalidObject) -> (String, String) {
    let metadata = &invalid.metadata;
    (
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

fn decoded<K: Resource<DynamicType = ()>>(
    object: DeserializeGuard<K>,
    source: &Source<K>,
    metrics: &Metrics,
    undecodable: &impl Fn(&InvalidObject),
) -> Option<K> {
    match object.0 {
        Ok(mut object) => {
            object.managed_fields_mut().clear();
            (source.trim)(&mut object);
            Some(object)
        }
        Err(invalid) => {
            let (namespace, name) = (invalid.metadata.namespace.as_deref(), invalid.metadata.name.as_deref());
            metrics.undecodable(source.kind, namespace.unwrap_or_default(), name.unwrap_or_default());
            warn!(
                kind = source.kind,
                object.namespace = namespace,
                object.name = name,
                error = invalid.error,
                "an object does not decode and is left alone until it is mended"
            );
            undecodable(&invalid);
            None
        }
    }
}
