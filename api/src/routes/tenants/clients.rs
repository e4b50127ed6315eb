//! `/v1/tenants/{tenant}/clients`: OAuth clients that a tenant registered.

use domain::ClientId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{
        client::{Flaw, Metadata, Written, secret::Secret, values::Scope},
        rights::Needs,
    },
    http::{
        access::In,
        error::{ApiError, Forbidden},
    },
    service,
    store::{TenantTransaction, clients},
};

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod secret;
pub mod update;

#[cfg(test)]
mod tests;

/// An OAuth client.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "RFC 6749 calls it so")]
pub struct Client {
    /// Its id, which paths name it by.
    #[schema(example = "0198c5b4-5a0e-7000-8000-000000000010")]
    id: String,
    /// What it calls itself by (RFC 6749, section 2.2): the same, unless it was brought in from another system.
    #[schema(example = "0198c5b4-5a0e-7000-8000-000000000010")]
    client_id: String,
    /// What was registered of it.
    #[serde(flatten)]
    metadata: Written,
    /// Who registered it; nobody, if it did itself (`/oauth/register`).
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000d")]
    overseer_id: Option<String>,
    /// When (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
    /// When its secret was made (RFC 3339); none if it has none.
    #[schema(example = "2027-01-15T08:00:00Z")]
    secret_created_at: Option<String>,
    /// Until when the secret before is good as well (RFC 3339).
    previous_secret_expires_at: Option<String>,
}

impl From<clients::Client> for Client {
    fn from(client: clients::Client) -> Self {
        Self {
            id: client.id.to_string(),
            client_id: client.client_id,
            metadata: client.metadata.into(),
            overseer_id: client.created_by.map(|by| by.to_string()),
            created_at: client.created_at.to_string(),
            secret_created_at: client.secret_created_at.map(|at| at.to_string()),
            previous_secret_expires_at: client.previous_secret_expires_at.map(|at| at.to_string()),
        }
    }
}

/// A client whose secret was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = ClientWithSecret)]
pub struct Made {
    /// The secret, if that is what proves the client. It is shown this once: keep it like a password.
    #[schema(example = "pfs_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s")]
    client_secret: Option<String>,
    /// What is known of it.
    #[serde(flatten)]
    client: Client,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Made {
    fn new(client: clients::Client, secret: Option<&Secret>) -> Self {
        Self {
            client_secret: secret.map(|secret| secret.text().to_owned()),
            client: client.into(),
        }
    }
}

impl From<Flaw> for ApiError {
    fn from(flaw: Flaw) -> Self {
        Self::Invalid {
            field: flaw.field,
            message: flaw.message,
        }
    }
}

/// Nobody gives a client a right that they do not have, nor takes over one that has more: whoever changes how it proves itself acts as it.
fn ensure_grantable<R: Needs>(access: &In<R>, metadata: &Metadata) -> Result<(), ApiError> {
    let rights = access.rights();
    let lacks = |scope: &Scope| matches!(scope, Scope::Right(right) if !rights.contains(right));
    if metadata.scopes.iter().any(lacks) {
        return Err(ApiError::Forbidden(Forbidden::Grant));
    }
    Ok(())
}

/// A client that nobody else changes until the transaction ends, for a caller who may give all that it has.
async fn hold<R: Needs>(
    state: &AppState,
    access: &In<R>,
    id: ClientId,
) -> Result<(TenantTransaction, clients::Client), ApiError> {
    let mut tx = state.database.tenant(access.tenant).await?;
    service::tenants::lock(&mut tx).await?;
    let client = clients::get(&mut tx, id).await?.ok_or(ApiError::NotFound)?;
    ensure_grantable(access, &client.metadata)?;
    Ok((tx, client))
}
