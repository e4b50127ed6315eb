//! The whole route table. A route mounts through its documentation, so one without any does not mount.

use axum::{Extension, Router, middleware};
use utoipa::{
    Modify, OpenApi as _,
    openapi::{
        OpenApi as OpenApiDocument,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::AppState,
    http::{layers, limits},
    routes,
};

#[derive(utoipa::OpenApi)]
#[openapi(
    modifiers(&Proofs),
    info(
        title = "Pinfold control-plane API",
        description = "People, agents and their resources. Errors are RFC 9457 problem details; those of the token endpoint are RFC 6749's.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "agents", description = "Agents and their proof of who they are"),
        (name = "tokens", description = "Access tokens and the keys that sign them")
    )
)]
struct Document;

/// How a caller proves itself.
struct Proofs;

impl Modify for Proofs {
    fn modify(&self, document: &mut OpenApiDocument) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("access_token", SecurityScheme::Http(bearer));
    }
}

fn table() -> OpenApiRouter<AppState> {
    // Who may call a route without a token, and what counts the calls.
    let registrations = OpenApiRouter::new()
        .routes(routes!(routes::agents::register::register))
        .route_layer(middleware::from_fn(limits::registrations));
    let anonymous = OpenApiRouter::new()
        .routes(routes!(routes::agents::challenge::challenge))
        .routes(routes!(routes::oauth::token::token))
        .routes(routes!(routes::well_known::jwks::jwks))
        .routes(routes!(routes::well_known::openapi::openapi))
        .route_layer(middleware::from_fn(limits::anonymous));
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(registrations)
        .merge(anonymous)
        .routes(routes!(routes::me::get::get))
        .routes(routes!(routes::me::keys::list::list, routes::me::keys::add::add))
        .routes(routes!(routes::me::keys::revoke::revoke))
}

/// The service.
pub fn router(state: AppState) -> Router {
    let (router, _) = table().split_for_parts();
    let limits = Extension(state.limits.clone());
    layers::wrap(router.with_state(state).layer(limits))
}

/// The description of the service (OpenAPI 3.1).
pub fn document() -> OpenApiDocument {
    let (_, document) = table().split_for_parts();
    document
}

#[cfg(test)]
mod tests;
