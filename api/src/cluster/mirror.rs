//! The runs of all tenants as a watch shows them, so that a read costs the API server nothing.
//!
//! It answers only where it is known to be new enough: its watch works, and it has come to the version that the reader
//! must see. Resource versions of one kind are ordered numbers (KEP-5504, since Kubernetes 1.35).

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockWriteGuard},
};

use crds::sandbox_run::SandboxRun;
use futures::StreamExt as _;
use kube::{
    Api, Resource, ResourceExt as _,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};
use telemetry::logging::chain;
use tokio::sync::{broadcast, watch};
use tracing::{info, warn};

/// The API server ends each watch after this long, in seconds.
pub(super) const WATCH: u32 = 45;

/// How many runs are asked for at once when the mirror fills.
pub(super) const PAGE: u32 = 500;

/// So many changes wait for a slow reader; one that is further behind is told to look again.
const BEHIND: usize = 1024;

/// A version that is never reached.
const NEVER: u64 = u64::MAX;

/// A run, or one that this release cannot read: it is left to the cluster, which says why.
pub(super) type Guarded = DeserializeGuard<SandboxRun>;

/// Runs by namespace and name.
type Runs = HashMap<String, HashMap<String, Arc<SandboxRun>>>;

/// See the module's documentation. Until it is followed it answers nothing.
#[derive(Clone)]
pub(super) struct Mirror {
    runs: Arc<RwLock<Runs>>,
    seen: Arc<watch::Sender<Seen>>,
    changes: broadcast::Sender<Change>,
}

/// Something that happened to runs.
#[derive(Debug, Clone)]
pub enum Change {
    /// A run was made or changed, and is so now.
    Now(Arc<SandboxRun>),
    /// A run is gone; so it was.
    Gone(Arc<SandboxRun>),
    /// Not every change was seen: look at all of them again.
    Missed,
}

impl Default for Mirror {
    fn default() -> Self {
        Self {
            runs: Arc::default(),
            seen: Arc::default(),
            changes: broadcast::Sender::new(BEHIND),
        }
    }
}

/// How far the mirror has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// The newest version that it was shown.
    pub(super) version: u64,
    /// Whether it has filled and its watch works.
    pub(super) works: bool,
}

impl Seen {
    /// Whether what the mirror says is no older than a version.
    pub(super) const fn reaches(self, version: u64) -> bool {
        self.works && self.version >= version
    }
}

impl Mirror {
    /// A run, if the mirror has it and has come to this version.
    pub(super) fn get(&self, namespace: &str, name: &str, version: u64) -> Option<Arc<SandboxRun>> {
        if !self.seen.borrow().reaches(version) {
            return None;
        }
        let runs = self.runs.read().unwrap_or_else(PoisonError::into_inner);
        runs.get(namespace)?.get(name).cloned()
    }

    /// What happens to runs from now on.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Changes whenever the mirror was shown something.
    pub(super) fn changes(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    /// Follows the runs until the process ends.
    pub(super) async fn follow(&self, api: Api<Guarded>) {
        let config = watcher::Config::default().timeout(WATCH).page_size(PAGE);
        let mut events = watcher::watcher(api, config).default_backoff().boxed();
        let mut filling = Runs::default();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.show(event, &mut filling),
                Err(error) => {
                    let stopped = self
                        .seen
                        .send_if_modified(|seen| std::mem::replace(&mut seen.works, false));
                    if stopped {
                        warn!(
                            error = chain(&error),
                            "runs are read one by one until they can be watched again"
                        );
                    }
                }
            }
        }
    }

    fn show(&self, event: Event<Guarded>, filling: &mut Runs) {
        // A list that is not whole yet is no state of the cluster.
        let works = !matches!(event, Event::Init | Event::InitApply(_));
        let mut shown = 0;
        match event {
            Event::Init => *filling = Runs::default(),
            Event::InitApply(run) => {
                shown = version(&run);
                put(filling, run);
            }
            Event::InitDone => {
                *self.write() = std::mem::take(filling);
                info!("runs are watched");
                self.tell(Some(Change::Missed));
            }
            Event::Apply(run) => {
                shown = version(&run);
                let run = put(&mut self.write(), run);
                self.tell(run.map(Change::Now));
            }
            Event::Delete(run) => {
                shown = version(&run);
                let run = remove(&mut self.write(), &run);
                self.tell(run.map(Change::Gone));
            }
        }
        self.seen.send_modify(|seen| {
            seen.version = seen.version.max(shown);
            seen.works = works;
        });
    }

    fn tell(&self, change: Option<Change>) {
        if let Some(change) = change {
            // Nobody may be listening.
            let _ = self.changes.send(change);
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Runs> {
        self.runs.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version of a run; the newest that can be where it is no number, which no mirror comes to.
pub fn version<K: Resource>(run: &K) -> u64 {
    run.resource_version()
        .and_then(|text| text.parse().ok())
        .unwrap_or(NEVER)
}

/// Stores what answers need of a run: not its program, which may be large.
fn put(runs: &mut Runs, run: Guarded) -> Option<Arc<SandboxRun>> {
    let Ok(mut run) = run.0 else {
        remove(runs, &run);
        return None;
    };
    run.managed_fields_mut().clear();
    run.annotations_mut().clear();
    run.spec.command = Vec::new();
    run.spec.env = Vec::new();
    run.spec.code = None;
    run.spec.stdin = None;
    let (namespace, name) = (run.namespace().unwrap_or_default(), run.name_any());
    let run = Arc::new(run);
    runs.entry(namespace).or_default().insert(name, run.clone());
    Some(run)
}

fn remove(runs: &mut Runs, run: &Guarded) -> Option<Arc<SandboxRun>> {
    let namespace = run.namespace().unwrap_or_default();
    let own = runs.get_mut(&namespace)?;
    let removed = own.remove(&run.name_any());
    if own.is_empty() {
        runs.remove(&namespace);
    }
    removed
}

#[cfg(test)]
mod tests {
    use kube::{api::ObjectMeta, core::error_boundary::InvalidObject};

    use super::*;

    fn run(name: &str, version: &str) -> Guarded {
        let mut run = SandboxRun::new(
            name,
            serde_json::from_value(serde_json::json!({"code": "print(42)"})).unwrap(),
        );
        run.metadata.namespace = Some("tenant-a".to_owned());
        run.metadata.resource_version = Some(version.to_owned());
        DeserializeGuard(Ok(run))
    }

    fn filled(runs: &[(&str, &str)]) -> Mirror {
        let (mirror, mut filling) = (Mirror::default(), Runs::default());
        mirror.show(Event::Init, &mut filling);
        for (name, version) in runs {
            mirror.show(Event::InitApply(run(name, version)), &mut filling);
        }
        mirror.show(Event::InitDone, &mut filling);
        mirror
    }

    fn version_at(mirror: &Mirror, name: &str, least: u64) -> Option<String> {
        mirror.get("tenant-a", name, least)?.resource_version()
    }

    #[test]
    fn answers_only_what_it_has_come_to() {
        let mirror = filled(&[("one", "10"), ("two", "12")]);
        assert_eq!(
            version_at(&mirror, "one", 12).as_deref(),
            Some("10"),
            "the newest of any run counts"
        );
        assert_eq!(version_at(&mirror, "one", 13), None);
        mirror.show(Event::Apply(run("one", "13")), &mut Runs::default());
        assert_eq!(version_at(&mirror, "one", 13).as_deref(), Some("13"));
        mirror.show(Event::Delete(run("two", "14")), &mut Runs::default());
        assert_eq!(version_at(&mirror, "two", 0), None);
        assert_eq!(version_at(&mirror, "one", 14).as_deref(), Some("13"));
        assert_eq!(version_at(&mirror, "one", NEVER), None);
    }

    #[test]
    fn answers_nothing_before_it_is_filled_and_while_it_fills_again() {
        let (mirror, mut filling) = (Mirror::default(), Runs::default());
        assert_eq!(version_at(&mirror, "one", 0), None);
        mirror.show(Event::Init, &mut filling);
        mirror.show(Event::InitApply(run("one", "10")), &mut filling);
        assert_eq!(version_at(&mirror, "one", 0), None);
        mirror.show(Event::InitDone, &mut filling);
        assert_eq!(version_at(&mirror, "one", 10).as_deref(), Some("10"));
        mirror.show(Event::Init, &mut filling);
        assert_eq!(version_at(&mirror, "one", 0), None);
        mirror.show(Event::InitDone, &mut filling);
        assert_eq!(version_at(&mirror, "one", 0), None, "gone while nobody watched");
    }

    #[test]
    fn keeps_no_program_and_nothing_that_it_cannot_read() {
        let mirror = filled(&[("one", "10")]);
        assert_eq!(mirror.get("tenant-a", "one", 0).unwrap().spec.code, None);
        let metadata = ObjectMeta {
            name: Some("one".to_owned()),
            namespace: Some("tenant-a".to_owned()),
            resource_version: Some("11".to_owned()),
            ..ObjectMeta::default()
        };
        let error = "no such field".to_owned();
        let broken = DeserializeGuard(Err(InvalidObject { error, metadata }));
        mirror.show(Event::Apply(broken), &mut Runs::default());
        assert_eq!(version_at(&mirror, "one", 0), None, "an old state of it would be wrong");
        assert!(mirror.runs.read().unwrap().is_empty());
    }

    #[test]
    fn tells_what_happens_and_when_it_may_have_missed_something() {
        let mirror = filled(&[("one", "10")]);
        let mut changes = mirror.subscribe();
        let mut filling = Runs::default();
        mirror.show(Event::Apply(run("two", "11")), &mut filling);
        mirror.show(Event::Delete(run("one", "12")), &mut filling);
        mirror.show(Event::Init, &mut filling);
        mirror.show(Event::InitDone, &mut filling);
        let told: Vec<String> = std::iter::from_fn(|| changes.try_recv().ok())
            .map(|change| match change {
                Change::Now(run) => format!("{} is", run.name_any()),
                Change::Gone(run) => format!("{} is gone", run.name_any()),
                Change::Missed => "missed".to_owned(),
            })
            .collect();
        assert_eq!(told, ["two is", "one is gone", "missed"]);
    }
}
