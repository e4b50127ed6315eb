//! `/v1/tenants`: tenants, and what belongs to one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    auth::rights::Needs,
    http::{access::In, error::ApiError},
    service::members::By,
    store::tenants,
};

pub mod agents;
pub mod api_keys;
pub mod audit;
pub mod clients;
pub mod create;
pub mod delete;
pub mod get;
pub mod invitations;
pub mod linked;
pub mod list;
pub mod members;
pub mod organisation;
pub mod resources;
pub mod runs;
pub mod sandbox;
pub mod templates;
pub mod update;

#[cfg(test)]
pub(crate) mod tests;

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tenant {
    /// Its id.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000e")]
    id: String,
    /// Its name, which paths name it by, and its resource in the cluster.
    #[schema(example = "acme")]
    name: String,
    /// What people call it, if they call it something else than its name.
    #[schema(example = "Acme Research")]
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// `team`, or `personal`: the one that each person has.
    #[schema(example = "team")]
    kind: &'static str,
    /// Whose limits apply.
    #[schema(example = "standard")]
    plan: String,
    /// When it was made (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
    /// What became of it in the cluster.
    resource: Resource,
    /// The organisation that it is to an issuer outside, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    organisation: Option<Organisation>,
}

/// What is written of a tenant.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Writable {
    #[serde(default)]
    display_name: Option<String>,
}

impl Tenant {
    fn writable(&self) -> Writable {
        Writable {
            display_name: self.display_name.clone(),
        }
    }
}

/// An organisation of an issuer outside.
#[derive(Debug, Serialize, ToSchema)]
pub struct Organisation {
    /// The issuer.
    #[schema(example = "https://clerk.example.com")]
    issuer: String,
    /// The issuer's id of it.
    #[schema(example = "org_2ab")]
    id: String,
}

impl From<tenants::Outside> for Organisation {
    fn from(outside: tenants::Outside) -> Self {
        Self {
            issuer: outside.issuer,
            id: outside.id,
        }
    }
}

/// What became of a tenant in the cluster.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantResource)]
pub struct Resource {
    /// `pending` until it is made, `created`, or `failed`.
    #[schema(example = "created")]
    state: &'static str,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Who changes something in a tenant.
pub fn acting<'a, R: Needs>(access: &In<R>, request_id: &'a str) -> Result<By<'a>, ApiError> {
    Ok(By {
        actor: access.caller.actor(),
        ..By::person(access.caller.overseer()?, request_id)
    })
}

impl From<tenants::Tenant> for Tenant {
    fn from(tenant: tenants::Tenant) -> Self {
        let state = match (&tenant.resource, &tenant.resource_error) {
            (Some(_), _) => "created",
            (None, Some(_)) => "failed",
            (None, None) => "pending",
        };
        Self {
            id: tenant.id.to_string(),
            name: tenant.name,
            display_name: tenant.display_name,
            kind: tenant.kind.as_str(),
            plan: tenant.plan,
            created_at: tenant.created_at.to_string(),
            resource: Resource {
                state,
                message: tenant.resource_error,
            },
            organisation: tenant.organisation.map(Organisation::from),
        }
    }
}
