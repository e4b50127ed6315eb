//! kubectl as the administrator of a cluster.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::Cluster;
use crate::command::Run;
use crate::stage::Stage;

const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone)]
pub(crate) struct Kubectl {
    program: PathBuf,
    /// What comes before every command: how the program becomes kubectl, then the cluster and the user.
    first: Vec<String>,
}

impl Kubectl {
    pub(crate) fn new(kube: &Path, cluster: &Cluster) -> Self {
        let kubeconfig = cluster.kubeconfig("admin");
        Self {
            program: kube.to_owned(),
            first: vec!["kubectl".to_owned(), format!("--kubeconfig={}", kubeconfig.display())],
        }
    }

    /// A context of the user's own kubeconfig.
    pub(crate) fn foreign(kube: &Path, context: &str) -> Self {
        Self {
            program: kube.to_owned(),
            first: vec!["kubectl".to_owned(), format!("--context={context}")],
        }
    }

    /// The same with the kubectl that is on the PATH.
    pub(crate) fn of_user(context: &str) -> Self {
        Self {
            program: "kubectl".into(),
            first: vec![format!("--context={context}")],
        }
    }

    pub(crate) fn run(&self, stage: &Stage) -> Run {
        stage.run(&self.program).args(&self.first)
    }

    pub(crate) fn silent(&self) -> Run {
        Run::new(&self.program).args(&self.first)
    }

    pub(crate) fn apply(&self, stage: &Stage, manifest: &str) -> Result<()> {
        self.run(stage)
            .args(["apply", "--server-side", "--force-conflicts", "-f", "-"])
            .input(manifest)
            .run()
    }
}

/// Repeats a question until the answer is yes. `trouble` ends the wait early when it can no longer come.
pub(crate) fn wait_for(
    what: &str,
    deadline: Duration,
    trouble: impl Fn() -> Option<String>,
    mut ask: impl FnMut() -> bool,
) -> Result<()> {
    let end = Instant::now() + deadline;
    while !ask() {
        if let Some(trouble) = trouble() {
            bail!("{trouble}");
        }
        if Instant::now() > end {
            bail!("{what} did not happen within {} s", deadline.as_secs());
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}
