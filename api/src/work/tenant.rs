//! Makes the cluster's Tenant what a tenant's row says.

use domain::TenantId;

use crate::{
    app::AppState,
    cluster::ClusterError,
    service::{cluster_changes, tenants as service},
    store::{jobs::Held, tenants},
    work::JobError,
};

/// Creates the Tenant, or deletes it. The tenant's id is the operation: however often this is done, one is made.
pub async fn apply(state: &AppState, job: &Held) -> Result<(), JobError> {
    let cluster = state
        .cluster
        .as_ref()
        .ok_or_else(|| JobError::Later("there is no cluster to make the tenant in".to_owned()))?;
    let id = TenantId::of_uuid(job.subject);
    let mut tx = state.database.tenant(id).await?;
    let Some(row) = tenants::find(&mut tx, false).await? else {
        return Ok(());
    };
    // No transaction stays open while the cluster is asked.
    drop(tx);
    if row.deleted {
        // A worker that ended between making the Tenant and remembering it left one that no row names, and so did one whose request
        // was done late.
        let unnamed = cluster.find_tenant(&row.name, &id.to_string()).await?;
        for resource in row.resource.into_iter().chain(unnamed) {
            let mut tx = state.database.platform().await?;
            cluster_changes::note_own_deletion(&mut tx, resource, "", state.clock.now()).await?;
            tx.commit().await?;
            if !cluster.delete_tenant(&row.name, resource).await? {
                return Err(JobError::Later("the Tenant is being deleted".to_owned()));
            }
        }
        return Ok(());
    }
    if let Some(resource) = row.resource {
        // Made in the cluster, and linked: what the API makes is marked from the beginning.
        return Ok(cluster.mark_tenant(&row.name, resource, &id.to_string()).await?);
    }
    let made = cluster.create_tenant(&row.name, &row.plan, &id.to_string()).await;
    let mut tx = state.database.tenant(id).await?;
    match made {
        Ok(resource) => {
            tenants::set_resource(&mut tx, Some(resource), None).await?;
            // The row may have ended meanwhile, and another worker have seen to that while this one's request was under way: then what it
            // made would be left.
            if tenants::find(&mut tx, false).await?.is_some_and(|row| row.deleted) {
                service::apply(&mut tx, state.clock.now()).await?;
            }
        }
        Err(error @ ClusterError::Foreign) => tenants::set_resource(&mut tx, None, Some(&error.to_string())).await?,
        Err(error) => return Err(error.into()),
    }
    tx.commit().await?;
    state.bell.ring();
    Ok(())
}
