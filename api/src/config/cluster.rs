//! The cluster that tenants run in.

use std::path::{Path, PathBuf};

use crate::{
    auth::opaque::sha256,
    config::{
        auth::SHORTEST_SECRET,
        problems::Problems,
        settings::{AUDIT_TOKEN, KUBECONFIG, TEMPLATES_NAMESPACE},
        source::Source,
    },
};

/// What every pod has that may talk to its cluster.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The cluster that tenants run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// How it is reached.
    pub access: Access,
    /// Where the templates are that come with the platform.
    pub templates_namespace: String,
    /// SHA-256 of what the cluster's API server shows when it tells who changed what; nothing if it does not.
    pub audit_token: Option<[u8; 32]>,
}

/// How the cluster is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// There is none: the routes that need one say so.
    None,
    /// As the one in which this service is a pod.
    Inside,
    /// As a file says.
    Kubeconfig(PathBuf),
}

impl Cluster {
    pub(super) fn read(source: &Source, problems: &mut Problems) -> Self {
        let access = match source.text(&KUBECONFIG) {
            Some(path) if Path::new(&path).is_file() => Access::Kubeconfig(path.into()),
            Some(path) => {
                problems.with(&KUBECONFIG, format!("{path:?} is not a file"));
                Access::None
            }
            None if Path::new(TOKEN).is_file() => Access::Inside,
            None => Access::None,
        };
        let templates_namespace = source.text(&TEMPLATES_NAMESPACE).unwrap_or_default();
        let in_names = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if !(1..=63).contains(&templates_namespace.len()) || !templates_namespace.bytes().all(in_names) {
            problems.with(
                &TEMPLATES_NAMESPACE,
                format!("{templates_namespace:?} is no name of a namespace"),
            );
        }
        let audit_token = source.text(&AUDIT_TOKEN).map(|token| {
            if token.len() < SHORTEST_SECRET {
                problems.with(&AUDIT_TOKEN, format!("is shorter than {SHORTEST_SECRET} bytes"));
            }
            sha256(token.as_bytes())
        });
        Self {
            access,
            templates_namespace,
            audit_token,
        }
    }
}
