//! What this service brings along for the judging of tokens: the keys that it signs with, and the store that all replicas remember proofs in.

use jiff::Timestamp;
use resource_server::{
    check::{Once, ResourceServer, Service, Spent},
    epoch::Epoch,
    jws::PublicKey,
};

use crate::{
    app::AppState,
    service::replay::{Spending, Why},
    store::StoreError,
};

impl AppState {
    /// Where tokens and proofs are judged.
    pub fn resource_server(&self) -> ResourceServer<'_, Self> {
        ResourceServer {
            issuer: &self.issuer,
            audience: &self.issuer,
            nonces: &self.keys.dpop_nonce,
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
        let spending = Spending {
            thing: Some(once),
            record: None,
            at: now,
        };
        if self.replay.spend(spending).await? {
            return Ok(Spent::First);
        }
        Ok(match self.replay.why(&once, now).await? {
            Why::Used => Spent::Again,
            Why::Forgotten => Spent::Forgotten,
        })
    }
}
