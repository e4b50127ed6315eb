//! The last known state of every object of one kind, filled by a watch.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use kube::{Resource, ResourceExt};
use tokio::sync::watch;

/// Objects of one kind by namespace and name. Absence means nothing until the cache has filled once, and even
/// then only that the object was not there a moment ago: what is destroyed on account of it is read live first.
#[derive(Debug)]
pub struct Cache<K> {
    objects: RwLock<HashMap<String, BTreeMap<String, Arc<K>>>>,
    filled: watch::Sender<bool>,
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self {
            objects: RwLock::default(),
            filled: watch::Sender::new(false),
        }
    }
}

impl<K: Resource + Clone> Cache<K> {
    /// The object of a namespace (empty for cluster-scoped kinds) and name.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.read().get(namespace)?.get(name).cloned()
    }

    /// Every object of a namespace, by name.
    pub fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        self.read()
            .get(namespace)
            .map(|m| m.values().cloned().collect())
            .unwrap_or_default()
    }

    /// Every object.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read().values().flat_map(|m| m.values().cloned()).collect()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.read().values().map(BTreeMap::len).sum()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the first list has arrived.
    pub fn is_filled(&self) -> bool {
        *self.filled.borrow()
    }

    /// Waits for the first list.
    pub async fn wait_filled(&self) {
        // The sender lives in self, so the channel cannot close while this waits.
        let _ = self.filled.subscribe().wait_for(|filled| *filled).await;
    }

    /// Stores an object that was added or changed, or that one of our own writes returned. An older version
    /// than the stored one is ignored: a write's answer may arrive before or after its watch event.
    pub fn insert(&self, object: K) {
        let (namespace, name) = address(&object);
        let mut objects = self.write();
        let slot = objects.entry(namespace).or_default();
        if let Some(known) = slot.get(&name)
            && known.uid() == object.uid()
            && is_older(&object, known)
        {
            return;
        }
        slot.insert(name, Arc::new(object));
    }

    /// Forgets an object that was deleted.
    pub fn remove(&self, object: &K) {
        let (namespace, name) = address(object);
        let mut objects = self.write();
        if let Some(slot) = objects.get_mut(&namespace) {
            if slot.get(&name).is_some_and(|known| known.uid() == object.uid()) {
                slot.remove(&name);
            }
            if slot.is_empty() {
                objects.remove(&namespace);
            }
        }
    }

    /// Replaces everything by a complete list; gives what is gone. What one of our own writes returned may be newer than
    /// the list.
    pub fn replace(&self, list: Vec<K>) -> Vec<Arc<K>> {
        let mut fresh: HashMap<String, BTreeMap<String, Arc<K>>> = HashMap::new();
        for object in list {
            let (namespace, name) = address(&object);
            let known = self.get(&namespace, &name);
            let newer = known.filter(|known| known.uid() == object.uid() && is_older(&object, known));
            let object = newer.unwrap_or_else(|| Arc::new(object));
            fresh.entry(namespace).or_default().insert(name, object);
        }
        let old = std::mem::replace(&mut *self.write(), fresh);
        self.filled.send_replace(true);
        let objects = self.read();
        old.into_iter()
            .flat_map(|(namespace, slot)| {
                slot.into_iter()
                    .map(move |(name, object)| (namespace.clone(), name, object))
            })
            .filter(|(namespace, name, _)| !objects.get(namespace).is_some_and(|m| m.contains_key(name)))
            .map(|(_, _, object)| object)
            .collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, BTreeMap<String, Arc<K>>>> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, BTreeMap<String, Arc<K>>>> {
        self.objects.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address<K: Resource>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// Resource versions of one kind are ordered numbers since Kubernetes 1.35 (KEP-5504); where they are not
/// numbers, nothing counts as older.
fn is_older<K: Resource>(object: &K, than: &K) -> bool {
    let version = |o: &K| o.resource_version().and_then(|v| v.parse::<u128>().ok());
    matches!((version(object), version(than)), (Some(a), Some(b)) if a < b)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::core::ObjectMeta;

    use super::*;

    fn object(name: &str, uid: &str, version: &str) -> ConfigMap {
        ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.into()),
                namespace: Some("ns".into()),
                uid: Some(uid.into()),
                resource_version: Some(version.into()),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        }
    }

    fn version(cache: &Cache<ConfigMap>, name: &str) -> Option<String> {
        cache.get("ns", name).and_then(|o| o.resource_version())
    }

    #[test]
    fn an_older_version_of_the_same_object_is_ignored() {
        let cache = Cache::default();
        cache.insert(object("a", "1", "10"));
        cache.insert(object("a", "1", "9"));
        assert_eq!(version(&cache, "a").as_deref(), Some("10"));
        cache.insert(object("a", "2", "8"));
        assert_eq!(version(&cache, "a").as_deref(), Some("8"), "another object of the name");
    }

    #[test]
    fn an_older_list_does_not_take_a_newer_object_back() {
        let cache = Cache::default();
        cache.insert(object("a", "1", "10"));
        cache.replace(vec![object("a", "1", "9")]);
        assert_eq!(version(&cache, "a").as_deref(), Some("10"));
        cache.replace(vec![object("a", "2", "9")]);
        assert_eq!(version(&cache, "a").as_deref(), Some("9"), "another object of the name");
    }

    #[test]
    fn a_late_deletion_does_not_remove_the_successor() {
        let cache = Cache::default();
        cache.insert(object("a", "2", "20"));
        cache.remove(&object("a", "1", "10"));
        assert_eq!(version(&cache, "a").as_deref(), Some("20"));
        cache.remove(&object("a", "2", "21"));
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn a_new_list_tells_what_is_gone() {
        let cache = Cache::default();
        assert!(!cache.is_filled());
        assert_eq!(
            cache.replace(vec![object("a", "1", "1"), object("b", "2", "1")]).len(),
            0
        );
        let gone = cache.replace(vec![object("b", "2", "2")]);
        assert_eq!(gone.iter().map(|o| o.name_any()).collect::<Vec<_>>(), vec!["a"]);
        assert!(cache.is_filled());
    }
}
