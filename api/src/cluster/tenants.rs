//! The Tenant resource that stands for a tenant's row.

use std::collections::HashMap;

use crds::{
    labels,
    tenant::{Tenant, TenantSpec},
};
use domain::TenantId;
use jiff::Timestamp;
use kube::{
    Api, Resource, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::json;
use uuid::Uuid;

use crate::cluster::{Cluster, ClusterError, Namespace, Page, resources, within};

/// A Tenant that says which row it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The tenant whose row that is.
    pub account: TenantId,
    /// The Tenant's UID.
    pub uid: Uuid,
    /// When it was made.
    pub made_at: Timestamp,
}

/// Such Tenants by the namespaces that they have.
pub type Places = HashMap<String, Place>;

/// Tenants that are read at once.
const PAGE: u32 = 500;

impl Cluster {
    /// Makes the Tenant of a row, or finds the one that was made for it. One that somebody else made is left alone.
    pub async fn create_tenant(&self, name: &str, plan: &str, operation: &str) -> Result<Uuid, ClusterError> {
        let tenants = self.tenants();
        let mut wanted = Tenant::new(
            name,
            TenantSpec {
                plan: plan.to_owned(),
                limits: None,
                owners: Vec::new(),
                network_policy: None,
                runtime_classes: None,
                suspended: false,
                suspension_reason: None,
                deletion_policy: crds::tenant::DeletionPolicy::default(),
            },
        );
        let annotations = wanted.annotations_mut();
        annotations.insert(labels::OPERATION.to_owned(), operation.to_owned());
        annotations.insert(labels::CHANGE.to_owned(), resources::change_id());
        let made = within("create a Tenant", tenants.create(&PostParams::default(), &wanted)).await;
        let made = match made {
            Err(error) if error.code() == Some(409) => within("read a Tenant", tenants.get(name)).await?,
            other => other?,
        };
        // The first write is a create, never an apply: a Tenant that somebody else made is not taken over.
        if made.annotations().get(labels::OPERATION).map(String::as_str) != Some(operation) {
            return Err(ClusterError::Foreign);
        }
        uid(&made)
    }

    /// The Tenant that an operation made.
    pub async fn find_tenant(&self, name: &str, operation: &str) -> Result<Option<Uuid>, ClusterError> {
        let found = self.tenant(name).await?;
        let is_ours = |t: &Tenant| t.annotations().get(labels::OPERATION).map(String::as_str) == Some(operation);
        found.filter(is_ours).as_ref().map(uid).transpose()
    }

    /// Every Tenant of the cluster, whoever made it.
    pub async fn list_tenants(&self, limit: u32, next: Option<&str>) -> Result<Page<Tenant>, ClusterError> {
        let params = ListParams {
            limit: Some(limit),
            continue_token: next.map(str::to_owned),
            ..ListParams::default()
        };
        resources::page(&self.tenants(), &params).await
    }

    /// A Tenant by name, whoever made it.
    pub async fn tenant(&self, name: &str) -> Result<Option<Tenant>, ClusterError> {
        within("read a Tenant", self.tenants().get_opt(name)).await
    }

    /// Writes on a Tenant which row it stands for; nothing if it is gone.
    pub async fn mark_tenant(&self, name: &str, resource: Uuid, operation: &str) -> Result<(), ClusterError> {
        self.annotate_tenant(name, resource, labels::OPERATION, operation).await
    }

    /// Writes the end of its audit on a Tenant; nothing if it is gone.
    pub async fn note_audit_head(&self, name: &str, resource: Uuid, head: &str) -> Result<(), ClusterError> {
        self.annotate_tenant(name, resource, labels::AUDIT_HEAD, head).await
    }

    /// The ends of audits that are written on Tenants.
    pub async fn audit_heads(&self) -> Result<Vec<String>, ClusterError> {
        let mut heads = Vec::new();
        self.each_tenant(|tenant| heads.extend(tenant.annotations().get(labels::AUDIT_HEAD).cloned()))
            .await?;
        Ok(heads)
    }

    /// The rows that Tenants stand for.
    pub async fn places(&self) -> Result<Places, ClusterError> {
        let mut all = HashMap::new();
        self.each_tenant(|tenant| {
            let namespace = tenant.status.as_ref().and_then(|status| status.namespace.clone());
            let made_at = tenant.creation_timestamp().map(|time| time.0);
            if let (Some(namespace), Some(account), Ok(uid), Some(made_at)) =
                (namespace, account(tenant), uid(tenant), made_at)
            {
                all.insert(namespace, Place { account, uid, made_at });
            }
        })
        .await?;
        Ok(all)
    }

    /// Shows every Tenant of the cluster, page by page.
    async fn each_tenant(&self, mut show: impl FnMut(&Tenant)) -> Result<(), ClusterError> {
        let mut next = None;
        loop {
            let page = self.list_tenants(PAGE, next.as_deref()).await?;
            page.items.iter().for_each(&mut show);
            match page.next {
                Some(token) => next = Some(token),
                None => return Ok(()),
            }
        }
    }

    async fn annotate_tenant(&self, name: &str, resource: Uuid, key: &str, value: &str) -> Result<(), ClusterError> {
        let tenants = self.tenants();
        // With its UID: one that has its name since is another.
        let patch = json!({"metadata": {"uid": resource.to_string(), "annotations": {key: value}}});
        let params = PatchParams::default();
        match within("write on a Tenant", tenants.patch(name, &params, &Patch::Merge(patch))).await {
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Deletes the Tenant that was made for a row, and no other; true when it is gone.
    pub async fn delete_tenant(&self, name: &str, resource: Uuid) -> Result<bool, ClusterError> {
        let tenants = self.tenants();
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(resource.to_string()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        match within("delete a Tenant", tenants.delete(name, &params)).await {
            // 409: one of the same name and another UID, so ours is gone.
            Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(true),
            other => Ok(other?.is_right()),
        }
    }

    /// The namespace of a tenant, as the operator reports it.
    pub async fn namespace(&self, name: &str, resource: Uuid) -> Result<Namespace, ClusterError> {
        let found = self.tenant(name).await?.ok_or(ClusterError::NoNamespace)?;
        if uid(&found)? != resource {
            return Err(ClusterError::Foreign);
        }
        let namespace = found
            .status
            .and_then(|status| status.namespace)
            .ok_or(ClusterError::NoNamespace)?;
        Ok(Namespace(namespace.into()))
    }

    fn tenants(&self) -> Api<Tenant> {
        Api::all(self.client.clone())
    }
}

/// The tenant whose row a Tenant says that it stands for.
pub fn account(tenant: &Tenant) -> Option<TenantId> {
    tenant.annotations().get(labels::OPERATION)?.parse().ok()
}

/// Whether a resource's end was asked for.
pub fn is_ending(resource: &impl Resource) -> bool {
    resource.meta().deletion_timestamp.is_some()
}

/// The UID of a resource.
pub fn uid(resource: &impl Resource) -> Result<Uuid, ClusterError> {
    resource
        .uid()
        .and_then(|text| Uuid::try_parse(&text).ok())
        .ok_or(ClusterError::NoNamespace)
}
