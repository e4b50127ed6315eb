//! Runs.

use std::pin::Pin;

use crds::{labels, sandbox_run::SandboxRun};
use futures::{AsyncBufRead, AsyncBufReadExt as _, Stream, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt as _,
    api::{
        DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams, Preconditions, WatchEvent, WatchParams,
    },
    core::ObjectList,
};
use serde_json::json;

use crate::cluster::{Cluster, ClusterError, Namespace, OnBehalf, within};

/// The longest that the API server keeps a watch open, in seconds.
const WATCH: u32 = 290;

/// Runs, and where the next ones are found.
#[derive(Debug, Clone)]
pub struct Page {
    /// The runs, by name.
    pub runs: Vec<SandboxRun>,
    /// What asks for the next ones.
    pub next: Option<String>,
}

/// The lines of a log as they come.
pub type LogLines = Pin<Box<dyn Stream<Item = Result<String, ClusterError>> + Send>>;

impl Cluster {
    /// Makes a run.
    pub async fn create_run(
        &self,
        namespace: &Namespace,
        run: &SandboxRun,
        by: OnBehalf<'_>,
    ) -> Result<SandboxRun, ClusterError> {
        let mut run = run.clone();
        let annotations = run.annotations_mut();
        annotations.insert(labels::PRINCIPAL.to_owned(), by.principal.to_owned());
        annotations.insert(labels::REQUEST_ID.to_owned(), by.request_id.to_owned());
        within(
            "create a SandboxRun",
            self.runs(namespace).create(&PostParams::default(), &run),
        )
        .await
    }

    /// Makes a run, or finds the one that the same principal made in the same request.
    pub async fn create_run_unless_made(
        &self,
        namespace: &Namespace,
        run: &SandboxRun,
        by: OnBehalf<'_>,
    ) -> Result<SandboxRun, ClusterError> {
        // Refused because it is there, or because it took the last place that the quota has.
        let refused = match self.create_run(namespace, run, by).await {
            Err(error) => error,
            made => return made,
        };
        let found = self.run(namespace, &run.name_any()).await?;
        let is_ours = |found: &SandboxRun| {
            let annotation = |key: &str| found.annotations().get(key).map(String::as_str);
            annotation(labels::PRINCIPAL) == Some(by.principal) && annotation(labels::REQUEST_ID) == Some(by.request_id)
        };
        found.filter(is_ours).ok_or(refused)
    }

    /// A run by name.
    pub async fn run(&self, namespace: &Namespace, name: &str) -> Result<Option<SandboxRun>, ClusterError> {
        within("read a SandboxRun", self.runs(namespace).get_opt(name)).await
    }

    /// A page of the tenant's runs, by name: stable under inserts, for it is cut from one moment of the store.
    pub async fn list_runs(
        &self,
        namespace: &Namespace,
        limit: u32,
        next: Option<&str>,
        labels: Option<&str>,
    ) -> Result<Page, ClusterError> {
        let params = ListParams {
            limit: Some(limit),
            continue_token: next.map(str::to_owned),
            label_selector: labels.map(str::to_owned),
            ..ListParams::default()
        };
        let listed = within("list SandboxRuns", self.runs(namespace).list(&params)).await;
        let list: ObjectList<SandboxRun> = listed.map_err(|error| match error.status() {
            Some(said) if said.code == 410 || said.code == 400 && said.message.contains("continue") => {
                ClusterError::PageToken
            }
            Some(said) if said.code == 400 && labels.is_some() => ClusterError::Selector(said.message.clone()),
            _ => error,
        })?;
        Ok(Page {
            next: list.metadata.continue_.filter(|token| !token.is_empty()),
            runs: list.items,
        })
    }

    /// Asks for a run's end.
    pub async fn cancel_run(&self, namespace: &Namespace, run: &SandboxRun) -> Result<SandboxRun, ClusterError> {
        let patch = json!({"metadata": {"uid": run.uid()}, "spec": {"cancel": true}});
        let call = self.runs(namespace);
        let name = run.name_any();
        within(
            "cancel a SandboxRun",
            call.patch(&name, &PatchParams::default(), &Patch::Merge(patch)),
        )
        .await
    }

    /// Deletes a run, and with it what it has running.
    pub async fn delete_run(&self, namespace: &Namespace, run: &SandboxRun) -> Result<(), ClusterError> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: run.uid(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let call = self.runs(namespace);
        let name = run.name_any();
        match within("delete a SandboxRun", call.delete(&name, &params)).await {
            Err(error) if error.code() == Some(404) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Waits until a run is what `done` wants, or is gone. It is for the caller to set a limit.
    pub async fn wait_run(
        &self,
        namespace: &Namespace,
        mut run: SandboxRun,
        done: impl Fn(&SandboxRun) -> bool + Send,
    ) -> Result<Option<SandboxRun>, ClusterError> {
        let params = WatchParams::default()
            .fields(&format!("metadata.name={}", run.name_any()))
            .timeout(WATCH);
        loop {
            if done(&run) {
                return Ok(Some(run));
            }
            let version = run.resource_version().unwrap_or_default();
            let watch = self.runs(namespace);
            let mut events = watch
                .watch(&params, &version)
                .await
                .map_err(|source| ClusterError::new("watch a SandboxRun", source))?
                .boxed();
            // Until the watch ends, which says nothing of the run.
            while let Ok(Some(event)) = events.try_next().await {
                match event {
                    WatchEvent::Added(new) | WatchEvent::Modified(new) if new.uid() == run.uid() => run = new,
                    WatchEvent::Deleted(old) if old.uid() == run.uid() => return Ok(None),
                    WatchEvent::Error(_) => break,
                    _ => continue,
                }
                if done(&run) {
                    return Ok(Some(run));
                }
            }
            match self.run(namespace, &run.name_any()).await? {
                Some(new) if new.uid() == run.uid() => run = new,
                _ => return Ok(None),
            }
        }
    }

    /// The lines that a run's program writes, from its pod's log; followed until it ends.
    pub async fn run_log(
        &self,
        namespace: &Namespace,
        run: &SandboxRun,
        follow: bool,
        tail: Option<i64>,
    ) -> Result<Option<LogLines>, ClusterError> {
        let Some(pod) = run.status.as_ref().and_then(|status| status.pod_name.clone()) else {
            return Ok(None);
        };
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &namespace.0);
        let params = LogParams {
            follow,
            tail_lines: tail,
            ..LogParams::default()
        };
        let reader = match within("read a pod's log", pods.log_stream(&pod, &params)).await {
            Ok(reader) => reader,
            // The pod is gone, or its container has not started.
            Err(error) if matches!(error.code(), Some(400 | 404)) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(lines(reader)))
    }

    fn runs(&self, namespace: &Namespace) -> Api<SandboxRun> {
        Api::namespaced(self.client.clone(), &namespace.0)
    }
}

fn lines(reader: impl AsyncBufRead + Send + 'static) -> LogLines {
    let reader: Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(reader);
    reader
        .lines()
        .map_err(|source| ClusterError::new("read a pod's log", kube::Error::ReadEvents(source)))
        .boxed()
}
