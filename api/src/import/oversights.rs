//! Who oversees an agent: by leave of its owner, as a member of the owner's tenant.

use domain::OverseerId;

use super::{Job, Outcome, REQUEST, agents::Placed};
use crate::{
    auth::{
        oversight::{Asker, Edge, Relation},
        rights::Role,
    },
    service::{
        members::{self, By},
        oversight::{self, Refused},
    },
};

/// Gives somebody a relation to an agent, and the seat without which it would be worth nothing.
pub(super) async fn bring_in(
    job: Job<'_>,
    relation: Relation,
    agent: Option<Placed>,
    overseer: Option<OverseerId>,
) -> Result<Outcome, Refused> {
    let (Some(placed), Some(overseer)) = (agent, overseer) else {
        return Ok(if job.dry {
            Outcome::New
        } else {
            Outcome::Refused("its agent or its overseer was refused".to_owned())
        });
    };
    if overseer == placed.owner {
        // The owner is that without an edge.
        return Ok(Outcome::Known);
    }
    let asker = Asker {
        overseer: placed.owner,
        role: Some(Role::Owner),
    };
    let by = By::person(placed.owner, REQUEST);
    let enter = || oversight::enter(job.database, placed.tenant, placed.agent, asker, Relation::Owner);
    // No transaction stays open while others are made.
    let edges = enter().await?.edges;
    let same = |edge: &Edge| edge.overseer == overseer && edge.granted_by == placed.owner && edge.relation == relation;
    if edges.iter().any(same) {
        return Ok(Outcome::Known);
    }
    if job.dry {
        return Ok(Outcome::New);
    }
    let role = match relation {
        Relation::Viewer => Role::Viewer,
        Relation::Delegate | Relation::Owner => Role::Developer,
    };
    members::seat(job.database, placed.tenant, overseer, role, by, job.now).await?;
    oversight::grant(enter().await?, overseer, relation, by, job.now).await?;
    Ok(Outcome::New)
}
