//! `GET /v1/me/consents`.

use axum::extract::State;
use domain::ConsentId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::client::values::Scope,
    http::{
        caller::Person,
        error::ApiError,
        parse,
        query::{Paging, Query},
    },
    store::consents,
};

/// Something that the caller agreed to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Consent {
    /// The consent.
    #[schema(format = "uuid")]
    id: String,
    /// The client, as it calls itself.
    client_id: String,
    /// What the client is called; none if it is gone.
    #[schema(example = "Build board")]
    client_name: Option<String>,
    /// The tenant that it is for.
    #[schema(example = "acme")]
    tenant: String,
    /// What the client may do there, as far as the caller may.
    #[schema(example = json!(["runs:read"]))]
    scopes: Vec<&'static str>,
    /// When (RFC 3339).
    created_at: String,
}

/// What the caller agreed to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Consents {
    /// The newest first.
    consents: Vec<Consent>,
    /// What asks for the next page; none on the last.
    next_page_token: Option<String>,
}

/// List what I agreed to that OAuth clients do.
///
/// Of these a client need not ask again.
#[utoipa::path(
    get,
    path = "/v1/me/consents",
    tag = "people",
    params(Paging),
    responses((status = 200, description = "The consents.", body = Consents)),
    security(("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    Person(login): Person,
    Query(which): Query<Paging>,
) -> Result<axum::Json<Consents>, ApiError> {
    let limit = parse::limit(which.limit)?;
    let after = parse::page_token::<ConsentId>(which.page_token.as_deref())?;
    let pool = state.database.pool();
    let mut found = consents::list(pool, login.overseer(), None, after, i64::from(limit) + 1).await?;
    let next_page_token = parse::next_page(&mut found, limit, |consent| consent.id.to_string());
    let mut told = Vec::with_capacity(found.len());
    for consent in found {
        let client = state.standing.find_client(&consent.client_id).await?;
        told.push(Consent {
            id: consent.id.to_string(),
            client_name: client.map(|client| client.metadata.name.clone()),
            client_id: consent.client_id,
            tenant: consent.tenant_name,
            scopes: consent.scopes.into_iter().map(Scope::as_str).collect(),
            created_at: consent.created_at.to_string(),
        });
    }
    Ok(axum::Json(Consents {
        consents: told,
        next_page_token,
    }))
}
