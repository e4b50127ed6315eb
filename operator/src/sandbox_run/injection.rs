//! Finds out how `sandboxd` comes into sandboxes on this cluster, runtime by runtime.
//!
//! Image volumes are specified as not executable, yet some runtimes execute from them. So a canary pod tries, in
//! the operator's own namespace: under the nodes' own runtime at the start, under another as soon as a run asks for
//! its RuntimeClass. What it shows is kept in a ConfigMap until the image changes.

mod canary;
mod known;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::api::node::v1::RuntimeClass;
use kube::ResourceExt;
use telemetry::logging::chain;
use tokio::{sync::Notify, time::Instant};
use tracing::{info, warn};

pub use canary::withdraw;

use crate::{config::InjectionMode, sandbox_run::build::Injected, shared::Shared};

/// The nodes' own runtime, among the handlers of RuntimeClasses.
const OWN: &str = "";

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// What was found out.
#[derive(Debug)]
pub struct Injection {
    /// What the platform file says for all runtimes.
    decided: Option<Injected>,
    state: Mutex<State>,
    /// There is another runtime to try, or a RuntimeClass is another.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// By handler.
    found: BTreeMap<String, Injected>,
    /// What a canary is to try yet, by handler.
    open: BTreeMap<String, Open>,
    /// Whether a canary is under way.
    trying: bool,
}

#[derive(Debug)]
struct Open {
    /// The RuntimeClass that leads to this runtime; none leads to the nodes' own.
    class: Option<String>,
    due: Instant,
    wait: Duration,
}

impl Open {
    fn new(class: Option<String>) -> Self {
        Self {
            class,
            due: Instant::now(),
            wait: FIRST_WAIT,
        }
    }
}

impl Injection {
    /// Takes what the platform file says; `auto` is found out later.
    pub fn new(mode: InjectionMode) -> Self {
        Self {
            decided: match mode {
                InjectionMode::Auto => None,
                InjectionMode::ImageVolume => Some(Injected::ImageVolume),
                InjectionMode::InitContainer => Some(Injected::InitContainer),
            },
            state: Mutex::new(State {
                found: BTreeMap::new(),
                open: BTreeMap::from([(OWN.to_owned(), Open::new(None))]),
                trying: false,
            }),
            changed: Notify::new(),
        }
    }

    /// How `sandboxd` comes into a sandbox of this RuntimeClass; nothing while the nodes' own runtime is being tried.
    /// The init container works everywhere, so no run waits for the trial of another runtime, which may have no node.
    pub fn under(&self, class: Option<&RuntimeClass>) -> Option<Injected> {
        if self.decided.is_some() {
            return self.decided;
        }
        let mut state = self.state();
        if let Some(found) = state.found.get(class.map_or(OWN, |class| &class.handler)) {
            return Some(*found);
        }
        let class = class?;
        state
            .open
            .entry(class.handler.clone())
            .or_insert_with(|| Open::new(Some(class.name_any())));
        self.changed.notify_one();
        Some(Injected::InitContainer)
    }

    /// A RuntimeClass has come, gone or changed.
    pub fn classes_changed(&self) {
        self.changed.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next trial: its handler and its RuntimeClass.
    async fn due(&self) -> (String, Option<String>) {
        loop {
            let next = {
                let state = self.state();
                let next = state.open.iter().min_by_key(|(_, open)| open.due);
                next.map(|(handler, open)| (open.due, handler.clone(), open.class.clone()))
            };
            match next {
                Some((due, handler, class)) if due <= Instant::now() => return (handler, class),
                Some((due, ..)) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(due) => {}
                        () = self.changed.notified() => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
    }

    fn take(&self, handler: String, found: Injected) {
        let mut state = self.state();
        state.open.remove(&handler);
        state.found.insert(handler, found);
    }

    fn forget(&self, handler: &str) {
        let mut state = self.state();
        state.open.remove(handler);
        state.found.remove(handler);
    }

    fn postpone(&self, handler: &str) {
        if let Some(open) = self.state().open.get_mut(handler) {
            open.due = Instant::now() + open.wait;
            open.wait = (open.wait * 2).min(LONGEST_WAIT);
        }
    }
}

/// Finds out, if the platform file leaves it open. Runs while this process leads.
pub async fn find_out(shared: Arc<Shared>) {
    let injection = &shared.injection;
    if injection.decided.is_some() {
        return;
    }
    while let Err(error) = known::recall(&shared).await {
        warn!(error = %chain(&error), "what earlier canaries showed could not be read; it is tried again");
        tokio::time::sleep(FIRST_WAIT).await;
    }
    wake(&shared);
    loop {
        let (handler, class) = injection.due().await;
        if !leads_to(&shared, class.as_deref(), &handler) {
            injection.forget(&handler);
            continue;
        }
        injection.state().trying = true;
        let shown = tokio::select! {
            shown = canary::executes(&shared, class.as_deref()) => Some(shown),
            () = gone(&shared, class.as_deref(), &handler) => None,
        };
        if shown.is_none() {
            withdraw(&shared).await;
        }
        injection.state().trying = false;
        match shown {
            None => continue,
            Some(Ok(Some(executed))) => {
                let found = if executed {
                    Injected::ImageVolume
                } else {
                    Injected::InitContainer
                };
                info!(class, ?found, "how sandboxd comes into sandboxes is known");
                let waited_for = handler == OWN;
                injection.take(handler, found);
                if waited_for {
                    wake(&shared);
                }
                if let Err(error) = known::remember(&shared).await {
                    warn!(error = %chain(&error), "what the canary showed could not be kept; the next leader tries anew");
                }
                continue;
            }
            Some(Ok(None)) => {
                warn!(
                    class,
                    "the canary pod did not get to run; init containers are used until one has"
                );
                injection.state().found.insert(handler.clone(), Injected::InitContainer);
                if handler == OWN {
                    wake(&shared);
                }
            }
            Some(Err(error)) => {
                warn!(class, error = %chain(&error), "the canary pod could not be used; it is tried again");
            }
        }
        injection.postpone(&handler);
    }
}

fn leads_to(shared: &Shared, class: Option<&str>, handler: &str) -> bool {
    class.is_none_or(|class| {
        let class = shared.caches.runtime_classes.get("", class);
        class.is_some_and(|class| class.handler == handler)
    })
}

/// Waits until the RuntimeClass leads to this runtime no more.
async fn gone(shared: &Shared, class: Option<&str>, handler: &str) {
    while leads_to(shared, class, handler) {
        shared.injection.changed.notified().await;
    }
}

/// Runs that waited for the verdict on the nodes' own runtime go on; no run waits for another.
fn wake(shared: &Shared) {
    for run in shared.caches.runs.all() {
        if !super::is_finished(&run) {
            shared.queues.runs.add(super::key(&run));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, handler: &str) -> RuntimeClass {
        serde_json::from_value(serde_json::json!({"metadata": {"name": name}, "handler": handler})).unwrap()
    }

    fn open(injection: &Injection) -> Vec<(String, Option<String>)> {
        let state = injection.state();
        let open = state.open.iter();
        open.map(|(handler, open)| (handler.clone(), open.class.clone()))
            .collect()
    }

    #[tokio::test]
    async fn what_the_platform_file_says_holds_for_every_runtime() {
        let injection = Injection::new(InjectionMode::ImageVolume);
        assert_eq!(injection.under(None), Some(Injected::ImageVolume));
        assert_eq!(injection.under(Some(&class("k", "kata"))), Some(Injected::ImageVolume));
    }

    #[tokio::test]
    async fn a_runtime_that_was_not_tried_copies_and_is_tried_once() {
        let injection = Injection::new(InjectionMode::Auto);
        assert_eq!(injection.under(None), None, "the nodes' own is waited for");
        assert_eq!(
            injection.under(Some(&class("k", "kata"))),
            Some(Injected::InitContainer)
        );
        assert_eq!(
            injection.under(Some(&class("other", "kata"))),
            Some(Injected::InitContainer)
        );
        let own = (OWN.to_owned(), None);
        assert_eq!(
            open(&injection),
            [own.clone(), ("kata".to_owned(), Some("k".to_owned()))]
        );
        assert_eq!(injection.due().await, own, "it was there first");

        injection.take(OWN.to_owned(), Injected::ImageVolume);
        assert_eq!(injection.under(None), Some(Injected::ImageVolume));
        assert_eq!(
            injection.under(Some(&class("k", "kata"))),
            Some(Injected::InitContainer)
        );
        injection.take("kata".to_owned(), Injected::ImageVolume);
        assert_eq!(injection.under(Some(&class("k", "kata"))), Some(Injected::ImageVolume));
        assert_eq!(open(&injection), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trial_that_showed_nothing_comes_again_later_and_later() {
        let injection = Injection::new(InjectionMode::Auto);
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            injection.due().await;
            let before = Instant::now();
            injection.postpone(OWN);
            injection.due().await;
            assert_eq!(before.elapsed(), Duration::from_secs(wait));
        }
    }

    #[tokio::test]
    async fn a_class_that_went_takes_what_was_assumed_with_it() {
        let injection = Injection::new(InjectionMode::Auto);
        injection.under(Some(&class("k", "kata")));
        injection
            .state()
            .found
            .insert("kata".to_owned(), Injected::InitContainer);
        injection.forget("kata");
        assert_eq!(open(&injection), [(OWN.to_owned(), None)]);
        injection.under(Some(&class("k", "kata")));
        assert_eq!(open(&injection).len(), 2);
    }
}
