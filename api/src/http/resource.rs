//! What this service brings along for the judging of tokens: the keys that it signs with, and the store that all replicas remember proofs in.

use jiff::Timestamp;
use resource_server::{
    check::{Once, ResourceServer, Service, Spent},
    epoch::Epoch,
    jws::PublicKey,
};

use crate::{app::AppState, service::replay::Why, store::StoreError};

impl AppState {
    /// Where tokens and proofs are judged.
    pub fn resource_server(&self) -> ResourceServer<'_, Self> {
        ResourceServer {
            issuer: &self.issuer,
            audience: &self.issuer,
            nonces: &self.keys.dpop_nonce,
            known: &self.known,
            service: self,
        }
    }
}

impl Service for AppState {
    type Error = StoreError;

    fn key(&self, id: &str) -> Option<PublicKey> {
        self.keyring.verifying(id)
    }

    async fn epoch(&self, now: Timestamp) -> Result<Epoch, StoreError> {
        self.replay.epoch(now).await
    }

    async fn spend(&self, once: Once, now: Timestamp) -> Result<Spent, StoreError> {
        Ok(match self.replay.use_up(once, None, now).await? {
            Ok(()) => Spent::First,
            Err(Why::Used) => Spent::Again,
            Err(Why::Forgotten) => Spent::Forgotten,
        })
    }
}
