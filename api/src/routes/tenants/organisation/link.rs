//! `PUT /v1/tenants/{tenant}/organisation`.

use axum::extract::State;

use crate::{
    app::AppState,
    auth::rights::{Role, need},
    http::{
        access::In,
        caller::Caller,
        error::{ApiError, Forbidden, Problem},
        request_id::RequestId,
    },
    routes::tenants::{Organisation, acting, organisation::refused},
    service::organisations,
    store::tenants::Outside,
};

/// Make the tenant the organisation that I act in.
///
/// Send a token of an issuer outside in which you act in the organisation as its `admin`. From then on whoever acts in it is in the tenant
/// what they are there: `admin` an admin, `member` a developer, `developer`, `billing` and `viewer` what the words say, and anybody else a viewer. They become
/// no members: the organisation says who belongs to it, and whoever is a member besides is what the membership says. Another organisation that the tenant was before is forgotten.
#[utoipa::path(
    put,
    path = "/v1/tenants/{tenant}/organisation",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name.")),
    responses(
        (status = 200, description = "The organisation.", body = Organisation),
        (status = 409, description = "The organisation is another tenant (`organisation_taken`), or the tenant is a person's own (`personal_tenant`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("outside_token" = ["tenant:write"]))
)]
pub async fn link(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    access: In<need::TenantWrite>,
) -> Result<axum::Json<Organisation>, ApiError> {
    let acts = match &access.caller {
        Caller::Person(login) => login.organisation(),
        Caller::Agent(_) | Caller::Run(_) | Caller::Client(_) | Caller::Grant(_) | Caller::Key(_) => None,
    };
    let (issuer, organisation) = acts
        .filter(|(_, organisation)| organisation.role == Role::Admin)
        .ok_or(ApiError::Forbidden(Forbidden::OrganisationOnly))?;
    let outside = Outside {
        issuer: issuer.to_owned(),
        id: organisation.id.clone(),
    };
    let by = acting(&access, &request_id)?;
    organisations::set(&state.database, access.tenant, Some(&outside), by, state.clock.now())
        .await
        .map_err(refused)?;
    Ok(axum::Json(outside.into()))
}
