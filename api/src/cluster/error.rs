//! What can go wrong with the cluster.

use kube::core::Status;

/// Why something was not read or written in the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The client cannot be made.
    #[error("the cluster's address cannot be used: {0}")]
    Configuration(String),
    /// The API server refused.
    #[error("the API server would not {attempt}: {}", .status.message)]
    Refused {
        /// What was tried.
        attempt: &'static str,
        /// What it said.
        status: Box<Status>,
    },
    /// The API server could not be asked.
    #[error("could not {attempt}")]
    Call {
        /// What was tried.
        attempt: &'static str,
        /// Why it failed.
        #[source]
        source: Box<kube::Error>,
    },
    /// There was no answer in time.
    #[error("no answer in time: could not {0}")]
    Deadline(&'static str),
    /// What asks for the next page is none, or has ended.
    #[error("the page token cannot be used")]
    PageToken,
    /// What selects by labels cannot be read.
    #[error("{0}")]
    Selector(String),
    /// A version is no number.
    #[error("the API server's resource versions are no numbers; Kubernetes 1.35 or later is needed")]
    Version,
    /// The tenant has no namespace yet.
    #[error("the tenant has no namespace yet")]
    NoNamespace,
    /// An object has the name and is not the one that was made for the row.
    #[error("a Tenant of this name is in the cluster already and was not made by this service")]
    Foreign,
}

impl ClusterError {
    pub(super) fn new(attempt: &'static str, source: kube::Error) -> Self {
        match source {
            kube::Error::Api(status) => Self::Refused { attempt, status },
            other => Self::Call {
                attempt,
                source: Box::new(other),
            },
        }
    }

    /// What the API server said, if it did.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Refused { status, .. } => Some(status),
            _ => None,
        }
    }

    /// Whether the API server said no, and not that it could not tell: then nothing was done.
    pub fn is_certain(&self) -> bool {
        self.code()
            .is_some_and(|code| (400..500).contains(&code) && code != 408 && code != 429)
    }

    /// The HTTP status of the API server's refusal.
    pub fn code(&self) -> Option<u16> {
        self.status().map(|status| status.code)
    }
}
