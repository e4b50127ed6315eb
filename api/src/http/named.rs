//! The tenant that a path names.

use axum::{
    extract::{FromRequestParts as _, RawPathParams},
    http::request::Parts,
};
use domain::TenantName;

use crate::{app::AppState, store::tenants::Named};

/// The tenant of the name that the path has, where it was read together with who the caller is.
#[derive(Debug, Clone, Copy, Default)]
pub enum Beside {
    /// It was not.
    #[default]
    NotAsked,
    /// There it is, if there is one.
    Asked(Option<Named>),
}

/// The name of a tenant that the path has; a name that cannot be one is no tenant's.
pub async fn named(parts: &mut Parts, state: &AppState) -> Option<TenantName> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    let (_, text) = params.iter().find(|(name, _)| *name == "tenant")?;
    TenantName::parse(text).ok()
}
