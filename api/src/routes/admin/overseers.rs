//! `/v1/admin/overseers`: people, for those who run the platform.

use axum::{http::StatusCode, response::Response};
use domain::OverseerId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{caller::Login, error::ApiError, once::Claim},
    service::{blocks, members::By},
    store::accounts::Person,
};

pub mod block;
pub mod get;
pub mod list;
pub mod unblock;

#[cfg(test)]
mod tests;

/// A person, as those see them who run the platform.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overseer {
    /// The person's id.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000d")]
    id: String,
    /// The address, if one is known: who is known by an issuer outside has none.
    #[schema(example = "ada@example.com", format = "email")]
    email: Option<String>,
    /// The name.
    #[schema(example = "Ada Lovelace")]
    name: String,
    /// When the account was opened (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
    /// Whether they run the platform.
    platform_admin: bool,
    /// Whether they are shut out.
    blocked: bool,
}

impl From<Person> for Overseer {
    fn from(person: Person) -> Self {
        Self {
            id: person.id.to_string(),
            email: person.email,
            name: person.name,
            created_at: person.created_at.to_string(),
            platform_admin: person.platform_admin,
            blocked: person.blocked,
        }
    }
}

/// Blocks a person or lets them in again, and answers the person as they are then.
async fn set_blocked(
    state: &AppState,
    login: &Login,
    request_id: &str,
    overseer: OverseerId,
    blocked: bool,
    claim: Claim,
) -> Result<Response, ApiError> {
    let by = By::person(login.overseer(), request_id);
    let person = blocks::set(&state.database, overseer, blocked, by, state.clock.now()).await?;
    let (tx, person) = person.ok_or(ApiError::NotFound)?;
    claim.commit(tx, StatusCode::OK, &Overseer::from(person)).await
}
