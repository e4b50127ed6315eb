//! The cluster that tenants run in.

use std::path::{Path, PathBuf};

use crate::config::{problems::Problems, settings::KUBECONFIG, source::Source};

/// What every pod has that may talk to its cluster.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The cluster that tenants run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cluster {
    /// None: the routes that need one say so.
    None,
    /// The one in which this service is a pod.
    Inside,
    /// The one that a file names.
    Kubeconfig(PathBuf),
}

impl Cluster {
    pub(super) fn read(source: &Source, problems: &mut Problems) -> Self {
        match source.text(&KUBECONFIG) {
            Some(path) if Path::new(&path).is_file() => Self::Kubeconfig(path.into()),
            Some(path) => {
                problems.with(&KUBECONFIG, format!("{path:?} is not a file"));
                Self::None
            }
            None if Path::new(TOKEN).is_file() => Self::Inside,
            None => Self::None,
        }
    }
}
