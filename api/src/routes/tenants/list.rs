//! `GET /v1/tenants`.

use axum::extract::State;
use domain::{OverseerId, TenantId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        caller::Caller,
        error::ApiError,
        parse,
        query::{Paging, Query},
    },
    store::tenants,
};

/// A tenant, and what the caller is in it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantMembership)]
pub struct Seat {
    /// The tenant's id.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000e")]
    id: String,
    /// Its name.
    #[schema(example = "acme")]
    name: String,
    /// `team` or `personal`.
    #[schema(example = "team")]
    kind: &'static str,
    /// Whose limits apply.
    #[schema(example = "standard")]
    plan: String,
    /// `owner`, `admin`, `developer`, `billing` or `viewer`; none for what acts for the tenant itself.
    #[schema(example = "owner")]
    role: Option<&'static str>,
    /// When the tenant was made (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
}

/// The caller's tenants.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantMemberships)]
pub struct Seats {
    /// By name.
    tenants: Vec<Seat>,
    /// What asks for the next page; none on the last.
    next_page_token: Option<String>,
}

/// List my tenants.
#[utoipa::path(
    get,
    path = "/v1/tenants",
    tag = "tenants",
    params(Paging),
    responses((status = 200, description = "The tenants.", body = Seats)),
    security(("access_token" = []), ("api_key" = []), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    Query(which): Query<Paging>,
) -> Result<axum::Json<Seats>, ApiError> {
    let tenants = match caller {
        Caller::Person(login) => {
            let mut seats = of_person(&state, login.overseer()).await?;
            if let Some((issuer, organisation)) = login.organisation() {
                let found = tenants::of_organisation(state.database.pool(), issuer, organisation).await?;
                // Of a member the membership counts.
                let new = found
                    .map(|(_, seat)| Seat::from(seat))
                    .filter(|seat| seats.iter().all(|s| s.id != seat.id));
                seats.extend(new);
            }
            seats
        }
        Caller::Key(key) => match key.tenant {
            None => of_person(&state, key.overseer).await?,
            Some(tenant) => own(&state, tenant).await?,
        },
        Caller::Agent(agent) => own(&state, agent.tenant).await?,
        Caller::Run(run) => own(&state, run.tenant).await?,
        Caller::Client(client) => own(&state, client.tenant).await?,
        Caller::Grant(grant) => {
            let id = grant.tenant.to_string();
            let seats = of_person(&state, grant.overseer).await?.into_iter();
            seats.filter(|seat| seat.id == id).collect()
        }
    };
    let (name, token) = (|seat: &Seat| seat.name.clone(), which.page_token);
    let (tenants, next_page_token) = parse::page(tenants, which.limit, token.as_ref(), name, name)?;
    Ok(axum::Json(Seats {
        tenants,
        next_page_token,
    }))
}

async fn of_person(state: &AppState, overseer: OverseerId) -> Result<Vec<Seat>, ApiError> {
    let seats = tenants::of_overseer(state.database.pool(), overseer).await?;
    Ok(seats.into_iter().map(Seat::from).collect())
}

impl From<tenants::Seat> for Seat {
    fn from(seat: tenants::Seat) -> Self {
        Self {
            id: seat.tenant.to_string(),
            name: seat.name,
            kind: seat.kind.as_str(),
            plan: seat.plan,
            role: Some(seat.role.as_str()),
            created_at: seat.created_at.to_string(),
        }
    }
}

async fn own(state: &AppState, tenant: TenantId) -> Result<Vec<Seat>, ApiError> {
    let mut tx = state.database.tenant(tenant).await?;
    let found = tenants::find(&mut tx, false).await?.filter(|t| !t.deleted);
    Ok(found
        .into_iter()
        .map(|tenant| Seat {
            id: tenant.id.to_string(),
            name: tenant.name,
            kind: tenant.kind.as_str(),
            plan: tenant.plan,
            role: None,
            created_at: tenant.created_at.to_string(),
        })
        .collect())
}
