//! When a watch first showed an object as it was wanted: the clock of every latency here. One watch for all objects,
//! open before the first is made, so that no figure contains the opening of a connection.

use std::{
    collections::HashMap,
    fmt::Debug,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::{
    Api, Resource, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::{sync::watch, task::JoinHandle};

type Seen<K> = HashMap<String, (Instant, K)>;

pub(crate) struct Sightings<K> {
    seen: Arc<watch::Sender<Seen<K>>>,
    task: JoinHandle<()>,
}

impl<K> Sightings<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    /// Follows the objects; `wanted` says which state of them counts.
    pub(crate) fn start(api: Api<K>, wanted: fn(&K) -> bool) -> Self {
        let seen: Arc<watch::Sender<Seen<K>>> = Arc::new(watch::Sender::default());
        let shared = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut objects = watcher(api, watcher::Config::default())
                .default_backoff()
                .applied_objects()
                .boxed();
            loop {
                match objects.try_next().await {
                    Ok(Some(object)) if wanted(&object) => {
                        let at = Instant::now();
                        shared.send_if_modified(|seen| {
                            let name = object.name_any();
                            let new = !seen.contains_key(&name);
                            if new {
                                seen.insert(name, (at, object));
                            }
                            new
                        });
                    }
                    // A watch that broke is opened again after a pause, and lists what it missed.
                    Ok(Some(_)) | Err(_) => {}
                    Ok(None) => break,
                }
            }
        });
        Self { seen, task }
    }

    /// When and how the object was first as it was wanted.
    pub(crate) async fn of(&self, name: &str, deadline: Duration) -> Result<(Instant, K)> {
        let mut seen = self.seen.subscribe();
        let found = seen.wait_for(|seen| seen.contains_key(name));
        match tokio::time::timeout(deadline, found).await {
            Ok(Ok(seen)) => Ok(seen[name].clone()),
            _ => bail!("waited {} s for {} {name}", deadline.as_secs(), K::kind(&())),
        }
    }

    /// How many objects were seen.
    pub(crate) fn count(&self) -> usize {
        self.seen.borrow().len()
    }
}

impl<K> Drop for Sightings<K> {
    fn drop(&mut self) {
        self.task.abort();
    }
}
