//! Runs.

use std::{pin::Pin, sync::Arc, time::Duration};

use crds::{labels, sandbox_run::SandboxRun};
use futures::{AsyncBufRead, AsyncBufReadExt as _, Stream, StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt as _,
    api::{ListParams, LogParams, Patch, PatchParams},
};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use crate::cluster::{
    Cluster, ClusterError, Namespace, Page,
    mirror::{Change, version},
    resources, within,
};

/// Who waits for the mirror longer than this asks the cluster itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest piece of a line that is held at once.
const LINE: usize = 64 * 1024;

/// The lines of a log as they come.
pub type LogLines = Pin<Box<dyn Stream<Item = Result<String, ClusterError>> + Send>>;

impl Cluster {
    /// A run by name.
    pub async fn run(&self, namespace: &Namespace, name: &str) -> Result<Option<SandboxRun>, ClusterError> {
        self.get(namespace, name).await
    }

    /// A run by name, no older than a version that somebody wrote: from the mirror if it has come so far.
    pub async fn run_since(
        &self,
        namespace: &Namespace,
        name: &str,
        version: u64,
    ) -> Result<Option<SandboxRun>, ClusterError> {
        match self.mirror.get(&namespace.0, name, version) {
            Some(run) => Ok(Some((*run).clone())),
            None => self.run(namespace, name).await,
        }
    }

    /// What happens to a namespace's runs from now on, until whoever hears goes away.
    pub fn changes(&self, namespace: &Namespace) -> impl Stream<Item = Change> + Send + use<> {
        let namespace = namespace.clone();
        let own = move |change: &Change| match change {
            Change::Now(run) | Change::Gone(run) => run.namespace().as_deref() == Some(&*namespace.0),
            Change::Missed => true,
        };
        let all = stream::unfold(self.mirror.subscribe(), async |mut receive| {
            match receive.recv().await {
                Ok(change) => Some((change, receive)),
                Err(RecvError::Lagged(_)) => Some((Change::Missed, receive)),
                Err(RecvError::Closed) => None,
            }
        });
        all.filter(move |change| std::future::ready(own(change)))
    }

    /// A page of the tenant's runs, by name: stable under inserts, for it is cut from one moment of the store.
    pub async fn list_runs(
        &self,
        namespace: &Namespace,
        limit: u32,
        next: Option<&str>,
        labels: Option<&str>,
    ) -> Result<Page<SandboxRun>, ClusterError> {
        let params = ListParams {
            limit: Some(limit),
            continue_token: next.map(str::to_owned),
            label_selector: labels.map(str::to_owned),
            ..ListParams::default()
        };
        resources::page(&self.runs(namespace), &params).await
    }

    /// Asks for a run's end.
    pub async fn cancel_run(&self, namespace: &Namespace, run: &SandboxRun) -> Result<SandboxRun, ClusterError> {
        let annotations = json!({labels::CHANGE: resources::change_id()});
        let patch = json!({"metadata": {"uid": run.uid(), "annotations": annotations}, "spec": {"cancel": true}});
        let call = self.runs(namespace);
        let name = run.name_any();
        within(
            "cancel a SandboxRun",
            call.patch(&name, &PatchParams::default(), &Patch::Merge(patch)),
        )
        .await
    }

    /// Deletes a run, and with it what it has running; gives the version at which it is gone.
    pub async fn delete_run(&self, namespace: &Namespace, run: &SandboxRun) -> Result<u64, ClusterError> {
        self.delete(namespace, run).await?;
        // The answer to a deletion has no version; its event has.
        let is_gone = async {
            let mut changes = self.mirror.changes();
            loop {
                let seen = *changes.borrow_and_update();
                if seen.reaches(version(run)) && self.same(namespace, run).is_none() {
                    return seen.version;
                }
                // The mirror lives in self.
                let _ = changes.changed().await;
            }
        };
        if let Ok(version) = tokio::time::timeout(PATIENCE, is_gone).await {
            return Ok(version);
        }
        let one = ListParams::default().limit(1);
        let list = within("list SandboxRuns", self.runs(namespace).list_metadata(&one)).await?;
        Ok(list
            .metadata
            .resource_version
            .and_then(|text| text.parse().ok())
            .unwrap_or(u64::MAX))
    }

    /// The run of the same UID, as the mirror has it.
    fn same(&self, namespace: &Namespace, run: &SandboxRun) -> Option<Arc<SandboxRun>> {
        let found = self.mirror.get(&namespace.0, &run.name_any(), version(run))?;
        (found.uid() == run.uid()).then_some(found)
    }

    /// Waits until a run is what `done` wants, or is gone. It is for the caller to set a limit.
    pub async fn wait_run(
        &self,
        namespace: &Namespace,
        mut run: SandboxRun,
        done: impl Fn(&SandboxRun) -> bool + Send,
    ) -> Result<Option<SandboxRun>, ClusterError> {
        let mut changes = self.mirror.changes();
        while !done(&run) {
            let reached = changes.borrow_and_update().reaches(version(&run));
            match self.same(namespace, &run) {
                Some(now) if now.resource_version() != run.resource_version() => {
                    run = (*now).clone();
                    continue;
                }
                Some(_) => {
                    // The mirror lives in self.
                    let _ = changes.changed().await;
                    continue;
                }
                None if reached => {}
                // The mirror is behind, or its watch is broken.
                None if tokio::time::timeout(PATIENCE, changes.changed()).await.is_ok() => continue,
                None => {}
            }
            match self.run(namespace, &run.name_any()).await? {
                Some(now) if now.uid() == run.uid() => run = now,
                _ => return Ok(None),
            }
        }
        Ok(Some(run))
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
        self.of(namespace)
    }
}

/// The lines of a log, whatever bytes they are of. One that is longer than may be held is told in pieces.
fn lines(reader: impl AsyncBufRead + Send + 'static) -> LogLines {
    let reader: Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(reader);
    let pieces = stream::try_unfold(reader, async |mut reader| {
        let mut line = Vec::new();
        loop {
            let held = reader.fill_buf().await?;
            if held.is_empty() {
                return Ok((!line.is_empty()).then_some((line, reader)));
            }
            let room = LINE - line.len();
            let within = &held[..held.len().min(room)];
            let end = within.iter().position(|byte| *byte == b'\n');
            line.extend_from_slice(&within[..end.unwrap_or(within.len())]);
            let used = end.map_or(within.len(), |end| end + 1);
            reader.consume_unpin(used);
            if end.is_some() || line.len() == LINE {
                return Ok(Some((line, reader)));
            }
        }
    });
    pieces
        .map_ok(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned())
        .map_err(|source| ClusterError::new("read a pod's log", kube::Error::ReadEvents(source)))
        .boxed()
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;

    async fn read(bytes: &[u8]) -> Vec<String> {
        lines(Cursor::new(bytes.to_vec())).try_collect().await.unwrap()
    }

    #[tokio::test]
    async fn lines_are_told_one_by_one_whatever_is_in_them() {
        assert_eq!(read(b"").await, Vec::<String>::new());
        assert_eq!(read(b"a\n\nb\r\nc").await, ["a", "", "b", "c"]);
        assert_eq!(
            read(b"caf\xc3\xa9 \xff\xfe\nnext\n").await,
            ["caf\u{e9} \u{fffd}\u{fffd}", "next"]
        );
    }

    /// A program that never ends its line fills nobody's memory.
    #[tokio::test]
    async fn a_long_line_is_told_in_pieces() {
        let told = read(&[&vec![b'x'; 2 * LINE + 7][..], b"\ny\n"].concat()).await;
        let lengths: Vec<usize> = told.iter().map(String::len).collect();
        assert_eq!(lengths, [LINE, LINE, 7, 1]);
    }
}
