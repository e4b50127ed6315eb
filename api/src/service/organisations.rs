//! Which organisation of an issuer outside a tenant is.

use domain::TenantId;
use jiff::Timestamp;
use serde_json::json;

use crate::{
    service::members::By,
    store::{
        Database, StoreError,
        audit::{self, Event},
        tenants::{self, Kind, Outside},
    },
};

/// Why the tenant stays what it is.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The organisation is another tenant.
    #[error("the organisation is another tenant")]
    Taken,
    /// The tenant is a person's own.
    #[error("the tenant is a person's own")]
    Personal,
    /// The tenant has ended.
    #[error("not found")]
    NotFound,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a tenant an organisation, or none any more. The same again changes nothing.
pub async fn set(
    database: &Database,
    tenant: TenantId,
    organisation: Option<&Outside>,
    by: By<'_>,
    now: Timestamp,
) -> Result<(), Refused> {
    let mut tx = database.tenant(tenant).await?;
    let found = tenants::find(&mut tx, true).await?.filter(|t| !t.deleted);
    let found = found.ok_or(Refused::NotFound)?;
    if found.kind != Kind::Team {
        return Err(Refused::Personal);
    }
    if found.organisation.as_ref() == organisation {
        return Ok(());
    }
    if !tenants::set_organisation(&mut tx, organisation).await? {
        return Err(Refused::Taken);
    }
    let event = Event {
        at: now,
        actor: by.actor,
        action: "tenant.organisation",
        target: tenant.uuid(),
        request_id: by.request_id,
        detail: match organisation {
            Some(outside) => json!({"issuer": outside.issuer, "organisation": outside.id}),
            None => json!({}),
        },
    };
    audit::append(&mut tx, &event).await?;
    Ok(tx.commit().await?)
}
