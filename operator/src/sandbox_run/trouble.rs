//! A trouble that shows nowhere but in a pod's events: the node cannot make a sandbox for it, as when the RuntimeClass
//! exists and its handler does not.
//!
//! The API server reads all events of a namespace to answer for one pod, and in a burst hundreds of pods wait. So it is
//! asked for a namespace and not for a pod, and all pods that wait there share the answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crds::sandbox_run::reason;
use k8s_openapi::api::{core::v1::Pod, events::v1::Event};
use kube::{Api, Client, ResourceExt, api::ListParams};
use tokio::time::Instant;

use crate::{cluster::apply::failure, runtime::Failure, sandbox_run::observe, shared::Shared};

/// The most events that are looked at; of more troubles than this at once, some are told later.
const EVENTS: u32 = 500;

/// What is older than this is of no use to any pod.
const FORGOTTEN: Duration = Duration::from_mins(1);

/// What the events of each namespace said, and when.
#[derive(Debug, Default)]
pub struct Troubles {
    namespaces: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Said>>>>,
}

/// What the events of one namespace said.
#[derive(Debug, Default)]
struct Said {
    at: Option<Instant>,
    /// What they say of each pod, by its UID.
    notes: HashMap<String, String>,
}

/// The trouble that a pod's events tell, if it has waited for its sandbox long enough to be asked after.
pub async fn of(shared: &Shared, pod: &Pod) -> Result<Option<(&'static str, String)>, Failure> {
    if !observe::waits_for_sandbox(pod, shared.clock.now()) {
        return Ok(None);
    }
    let namespace = pod.namespace().unwrap_or_default();
    let note = shared
        .troubles
        .note(
            &shared.client,
            &namespace,
            &pod.uid().unwrap_or_default(),
            observe::sandbox_patience(pod).unsigned_abs(),
        )
        .await?;
    let demands_user_namespace = observe::demands_user_namespace(pod);
    Ok(note.map(|note| (reason_of(&note, demands_user_namespace), note)))
}

impl Troubles {
    /// What the events say of a pod: no older than that.
    async fn note(
        &self,
        client: &Client,
        namespace: &str,
        pod: &str,
        age: Duration,
    ) -> Result<Option<String>, Failure> {
        let said = self.said(namespace);
        // Whoever comes while somebody asks waits for that answer.
        let mut said = said.lock().await;
        if said.at.is_none_or(|at| at.elapsed() > age) {
            said.notes = notes(client, namespace).await?;
            said.at = Some(Instant::now());
        }
        Ok(said.notes.get(pod).cloned())
    }

    fn said(&self, namespace: &str) -> Arc<tokio::sync::Mutex<Said>> {
        let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        namespaces.retain(|_, said| match said.try_lock() {
            Ok(said) => said.at.is_none_or(|at| at.elapsed() < FORGOTTEN),
            Err(_) => true,
        });
        namespaces.entry(namespace.to_owned()).or_default().clone()
    }
}

async fn notes(client: &Client, namespace: &str) -> Result<HashMap<String, String>, Failure> {
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let asked = ListParams::default()
        .fields("regarding.kind=Pod,reason=FailedCreatePodSandBox")
        .limit(EVENTS);
    let list = events
        .list(&asked)
        .await
        .map_err(|error| failure(format!("list events of {namespace}"), error))?;
    let told = |event: Event| Some((event.regarding?.uid?, event.note?));
    Ok(list.items.into_iter().filter_map(told).collect())
}

fn reason_of(note: &str, demands_user_namespace: bool) -> &'static str {
    if demands_user_namespace && (note.contains("user namespace") || note.contains("userns")) {
        reason::USER_NAMESPACE_UNSUPPORTED
    } else if note.contains("runtime handler") || note.contains("no runtime for") {
        reason::RUNTIME_NOT_READY
    } else {
        reason::START_ERROR
    }
}
