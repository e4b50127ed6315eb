//! Events: one for each change that a user may want to know of, sent apart from the pass that found it.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client, Resource,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use telemetry::logging::chain;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::cluster::lease::Leadership;

/// How many events may wait; more are dropped and logged, they repeat what the status says.
const ROOM: usize = 256;

/// Sends events in the background.
#[derive(Debug, Clone)]
pub struct Events {
    sender: mpsc::Sender<(Event, ObjectReference)>,
}

impl Events {
    /// Starts the background task.
    pub fn start(client: Client, instance: &str, leadership: Leadership) -> Self {
        let (sender, mut receiver) = mpsc::channel::<(Event, ObjectReference)>(ROOM);
        let recorder = Recorder::new(
            client,
            Reporter {
                controller: "pinfold.dev/operator".to_owned(),
                instance: Some(instance.to_owned()),
            },
        );
        tokio::spawn(async move {
            while let Some((event, about)) = receiver.recv().await {
                if !leadership.is_held() {
                    continue;
                }
                if let Err(error) = recorder.publish(&event, &about).await {
                    debug!(error = %chain(&error), reason = event.reason, "event was not published");
                }
            }
        });
        Self { sender }
    }

    /// Something went as it should.
    pub fn normal<K: Resource<DynamicType = ()>>(&self, about: &K, action: &str, reason: &str, note: &str) {
        self.send(EventType::Normal, about.object_ref(&()), action, reason, note);
    }

    /// Something needs somebody's attention.
    pub fn warning<K: Resource<DynamicType = ()>>(&self, about: &K, action: &str, reason: &str, note: &str) {
        self.send(EventType::Warning, about.object_ref(&()), action, reason, note);
    }

    /// The same about an object that is known by reference only.
    pub fn warning_about(&self, about: ObjectReference, action: &str, reason: &str, note: &str) {
        self.send(EventType::Warning, about, action, reason, note);
    }

    fn send(&self, type_: EventType, about: ObjectReference, action: &str, reason: &str, note: &str) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: (!note.is_empty()).then(|| crds::condition::clip(note)),
            action: action.to_owned(),
            secondary: None,
        };
        if self.sender.try_send((event, about)).is_err() {
            warn!(reason, "event dropped: too many wait to be sent");
        }
    }
}
