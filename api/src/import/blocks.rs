//! Clients that may do nothing in somebody's name.

use domain::OverseerId;

use super::{Job, Outcome, REQUEST, agents::Placed};
use crate::{
    service::{client_blocks, members::By},
    store::{Scope, StoreError},
};

/// In whose name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    /// A person's.
    Overseer(OverseerId),
    /// An agent's.
    Agent(Placed),
}

/// Blocks a client. One that is blocked stays so.
pub(super) async fn bring_in(job: Job<'_>, client_id: &str, of: Option<Of>) -> Result<Outcome, StoreError> {
    let by = |overseer| By::person(overseer, REQUEST);
    match of {
        None if job.dry => Ok(Outcome::New),
        None => Ok(Outcome::Refused("whoever blocks it was refused".to_owned())),
        Some(Of::Overseer(overseer)) => {
            let mut tx = job.database.platform().await?;
            let blocked = client_blocks::block_for_person(&mut tx, client_id, by(overseer), job.now).await?;
            outcome(job, tx, blocked).await
        }
        Some(Of::Agent(placed)) => {
            let mut tx = job.database.tenant(placed.tenant).await?;
            let by = by(placed.owner);
            let blocked = client_blocks::block_for_agent(&mut tx, client_id, placed.agent, by, job.now).await?;
            outcome(job, tx, blocked).await
        }
    }
}

async fn outcome(job: Job<'_>, tx: impl Scope, blocked: bool) -> Result<Outcome, StoreError> {
    if !blocked {
        return Ok(Outcome::Known);
    }
    if !job.dry {
        tx.commit().await?;
    }
    Ok(Outcome::New)
}
