//! Where in the cluster a tenant is.

use domain::TenantId;
use uuid::Uuid;

use crate::{
    cluster::{Cluster, ClusterError, Namespace},
    store::{
        Database, StoreError,
        tenants::{self, Tenant},
    },
};

/// Why it is not known.
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// There is no such tenant.
    #[error("there is no such tenant")]
    NoTenant,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cluster failed, or has no namespace for the tenant.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// A tenant's namespace, as its Tenant's status names it.
pub async fn find(database: &Database, cluster: &Cluster, tenant: TenantId) -> Result<Namespace, NamespaceError> {
    if let Some(namespace) = cluster.known(tenant) {
        return Ok(namespace);
    }
    let mut tx = database.tenant(tenant).await?;
    let row = tenants::find(&mut tx, false).await?.ok_or(NamespaceError::NoTenant)?;
    // No transaction stays open while the cluster is asked.
    drop(tx);
    let resource = match (row.resource, row.resource_error) {
        (Some(resource), _) => resource,
        (None, Some(_)) => return Err(ClusterError::Foreign.into()),
        (None, None) => return Err(ClusterError::NoNamespace.into()),
    };
    let namespace = cluster.namespace(&row.name, resource).await?;
    cluster.remember(tenant, namespace.clone());
    Ok(namespace)
}

/// Whether the row of a tenant knows this very Tenant, and not one that had its name before.
pub async fn is_of(database: &Database, tenant: TenantId, resource: Uuid) -> Result<bool, StoreError> {
    let row = row_of(database, tenant, resource).await?;
    Ok(row.is_some_and(|row| !row.deleted))
}

/// The row of a tenant, if it knows this very Tenant; also of a tenant that has ended.
pub async fn row_of(database: &Database, tenant: TenantId, resource: Uuid) -> Result<Option<Tenant>, StoreError> {
    let mut tx = database.tenant(tenant).await?;
    let row = tenants::find(&mut tx, false).await?;
    Ok(row.filter(|row| row.resource == Some(resource)))
}
