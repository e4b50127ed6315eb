//! Which runs hold a place among their tenant's concurrent ones.
//!
//! A place is taken before the pod is made and given back when the run is over. After a restart the places are
//! those of the runs and pods that the watches bring, so nothing here needs to be stored.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crds::{SandboxRun, condition, sandbox_run::condition_type};
use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use crate::{runtime::Key, sandbox_run::is_finished};

/// Whether a run has a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It has one.
    Taken,
    /// There is none; it was put in the line.
    None,
}

/// The places of every tenant, by namespace.
#[derive(Debug, Default)]
pub struct Admissions {
    tenants: Mutex<HashMap<String, Tenant>>,
}

#[derive(Debug, Default)]
struct Tenant {
    holders: HashSet<String>,
    /// In the order of creation: who asked first gets the next place.
    waiting: BTreeSet<(Timestamp, String)>,
}

impl Admissions {
    /// Takes a place for a run, if there is one.
    pub fn reserve(&self, run: &SandboxRun, places: usize) -> Place {
        let (Some(namespace), Some(uid)) = (run.namespace(), run.uid()) else {
            return Place::None;
        };
        let mut tenants = self.lock();
        let tenant = tenants.entry(namespace).or_default();
        if tenant.holders.contains(&uid) || tenant.holders.len() < places {
            tenant.holders.insert(uid);
            tenant.waiting.remove(&line(run));
            return Place::Taken;
        }
        tenant.waiting.insert(line(run));
        Place::None
    }

    /// Gives a place back that was taken for nothing.
    pub fn release(&self, namespace: &str, uid: &str) {
        if let Some(tenant) = self.lock().get_mut(namespace) {
            tenant.holders.remove(uid);
        }
    }

    /// A run as it is stored; `has_pod` if one is known that the run may not tell of yet.
    pub fn observe_run(&self, run: &SandboxRun, has_pod: bool) {
        let (Some(namespace), Some(uid)) = (run.namespace(), run.uid()) else {
            return;
        };
        let conditions = run.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
        let mut tenants = self.lock();
        let tenant = tenants.entry(namespace).or_default();
        if is_finished(run) {
            tenant.holders.remove(&uid);
            tenant.waiting.remove(&line(run));
        } else if has_pod || condition::is_true(conditions, condition_type::ADMITTED) {
            tenant.holders.insert(uid);
        }
    }

    /// A run that is gone.
    pub fn forget_run(&self, run: &SandboxRun) {
        let (Some(namespace), Some(uid)) = (run.namespace(), run.uid()) else {
            return;
        };
        if let Some(tenant) = self.lock().get_mut(&namespace) {
            tenant.holders.remove(&uid);
            tenant.waiting.remove(&line(run));
        }
    }

    /// The runs to look at when a place was given back: the first few in line, should one of them be gone.
    pub fn next_waiting(&self, namespace: &str) -> Vec<Key> {
        let tenants = self.lock();
        let waiting = tenants
            .get(namespace)
            .into_iter()
            .flat_map(|t| t.waiting.iter().take(3));
        waiting.map(|(_, name)| Key::new(namespace, name.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Tenant>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line(run: &SandboxRun) -> (Timestamp, String) {
    let created = run
        .meta()
        .creation_timestamp
        .as_ref()
        .map_or(Timestamp::UNIX_EPOCH, |t| t.0);
    (created, run.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, second: i64) -> SandboxRun {
        let spec = serde_json::from_value(serde_json::json!({"template": "base"})).expect("a spec");
        let mut run = SandboxRun::new(name, spec);
        run.metadata.namespace = Some("tenant-a".into());
        run.metadata.uid = Some(format!("uid-{name}"));
        run.metadata.creation_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
            Timestamp::from_second(second).unwrap(),
        ));
        run
    }

    #[test]
    fn there_are_never_more_holders_than_places() {
        let admissions = Admissions::default();
        assert_eq!(admissions.reserve(&run("a", 1), 1), Place::Taken);
        assert_eq!(
            admissions.reserve(&run("a", 1), 1),
            Place::Taken,
            "asking again takes no second place"
        );
        assert_eq!(admissions.reserve(&run("c", 3), 1), Place::None);
        assert_eq!(admissions.reserve(&run("b", 2), 1), Place::None);
        admissions.release("tenant-a", "uid-a");
        let names: Vec<String> = admissions
            .next_waiting("tenant-a")
            .into_iter()
            .map(|k| k.name)
            .collect();
        assert_eq!(names, vec!["b", "c"], "in the order of creation");
        assert_eq!(admissions.reserve(&run("b", 2), 1), Place::Taken);
        assert_eq!(admissions.next_waiting("tenant-a").len(), 1);
    }
}
