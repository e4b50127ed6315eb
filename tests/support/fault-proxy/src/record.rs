//! What went through the proxy.

use std::time::Duration;

use crate::{RequestInfo, Verb};

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position among all requests, from 1.
    pub sequence: u64,
    /// When it came, since the proxy's start.
    pub at: Duration,
    /// What it asked for.
    pub request: RequestInfo,
    /// SHA-256 of the body, in hexadecimal.
    pub body_sha256: String,
    /// What the API server answered; `None` if it was not asked or has not answered yet.
    pub answered: Option<u16>,
    /// What the client was told; `None` if its connection was closed or it still waits.
    pub told: Option<u16>,
}

impl Record {
    /// Whether this request made an object.
    pub fn created(&self) -> bool {
        matches!(self.request.verb, Verb::Create | Verb::Patch)
            && self.request.subresource.is_none()
            && self.answered == Some(201)
    }

    /// Whether this request deleted an object.
    pub fn deleted(&self) -> bool {
        matches!(self.request.verb, Verb::Delete | Verb::DeleteCollection) && self.answered.is_some_and(|c| c < 300)
    }
}
