//! `GET /v1/tenants/{tenant}/clients`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::In,
        error::ApiError,
        parse,
        query::{Paging, Query},
    },
    routes::tenants::clients::Client,
    store::clients,
};

/// A page of clients.
#[derive(Debug, Serialize, ToSchema)]
pub struct Clients {
    /// The first to be registered first.
    clients: Vec<Client>,
    /// What asks for the next page; none on the last. Clients that are registered in the meantime come at the end.
    next_page_token: Option<String>,
}

/// List the OAuth clients of a tenant.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/clients",
    tag = "clients",
    params(("tenant" = String, Path, description = "The tenant's name."), Paging),
    responses((status = 200, description = "The clients.", body = Clients)),
    security(("api_key" = ["clients:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::ClientsRead>,
    Query(which): Query<Paging>,
) -> Result<axum::Json<Clients>, ApiError> {
    let limit = parse::limit(which.limit)?;
    let after = parse::page_token(which.page_token.as_deref())?;
    let mut tx = state.database.tenant(access.tenant).await?;
    let mut found = clients::list(&mut tx, after, i64::from(limit) + 1).await?;
    let next_page_token = parse::next_page(&mut found, limit, |client| client.id.to_string());
    Ok(axum::Json(Clients {
        clients: found.into_iter().map(Client::from).collect(),
        next_page_token,
    }))
}
