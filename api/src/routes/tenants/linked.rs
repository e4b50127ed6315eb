//! Tenants that were made with kubectl get an owner here, whoever says so.

use axum::{http::StatusCode, response::Response};
use crds::tenant::Tenant as Resource;
use domain::{OverseerId, TenantName};

use crate::{
    app::AppState,
    cluster,
    http::{error::ApiError, once::Claim},
    routes::tenants::{Tenant, create},
    service::{
        members::By,
        tenants::{self, Creation, MOST},
    },
};

/// Whose which Tenant is to be.
#[derive(Debug)]
pub struct Linking<'a> {
    /// Its name.
    pub name: &'a TenantName,
    /// The Tenant.
    pub resource: &'a Resource,
    /// Who will own it.
    pub owner: OverseerId,
    /// Who says so.
    pub by: By<'a>,
}

/// Links it.
pub async fn link(state: &AppState, linking: Linking<'_>, claim: Claim) -> Result<Response, ApiError> {
    let resource = tenants::Resource {
        name: linking.name,
        plan: &linking.resource.spec.plan,
        uid: cluster::uid(linking.resource)?,
    };
    let now = state.clock.now();
    match tenants::link(&state.database, linking.owner, resource, linking.by, now).await? {
        Creation::Made(tx, tenant) => {
            let made = claim.commit(tx, StatusCode::CREATED, &Tenant::from(*tenant)).await?;
            state.bell.ring();
            Ok(made)
        }
        Creation::Taken => Err(ApiError::Conflict {
            code: "name_taken",
            message: "there is a tenant of this name already".to_owned(),
        }),
        Creation::TooMany if linking.owner == linking.by.overseer => Err(create::too_many()),
        Creation::TooMany => Err(ApiError::invalid(
            "owner",
            format!("this person owns {MOST} tenants; choose somebody else"),
        )),
    }
}
