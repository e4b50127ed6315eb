//! The whole route table. A route mounts through its documentation, so one without any does not mount.

use axum::{Extension, Router, extract::DefaultBodyLimit, middleware};
use utoipa::{
    Modify, OpenApi as _,
    openapi::{
        OpenApi as OpenApiDocument,
        security::{ApiKey as ApiKeyScheme, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

pub mod access;
mod composed;
mod grants;
pub mod pages;

use crate::{
    app::AppState,
    http::{
        alias, challenges, cors, dpop, error, layers,
        limits::{self, Group},
        shared::Share,
    },
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
        (name = "people", description = "Accounts, logins, and what is a person's own"),
        (name = "tenants", description = "Tenants, their members and their keys"),
        (name = "clients", description = "OAuth clients that tenants register"),
        (name = "runs", description = "Programs, each run once in a sandbox of its own"),
        (name = "audit", description = "What was done, by whom, to what"),
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
        let cookie = ApiKeyValue::with_description(
            "__Host-pinfold-session",
            "A person's login; requests that change something send X-CSRF-Token besides. On plain HTTP, in development, the name is pinfold-session.",
        );
        let key = ApiKeyValue::with_description(
            "X-API-Key",
            "An API key; it may stand in Authorization, as a bearer token, instead.",
        );
        let components = document.components.get_or_insert_default();
        let outside = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "A token of an OpenID Connect issuer, or a Clerk session token, that this service is configured to believe: it proves a person as a login does, without a cookie.",
            ))
            .build();
        components.add_security_scheme("access_token", SecurityScheme::Http(bearer));
        components.add_security_scheme("outside_token", SecurityScheme::Http(outside));
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKeyScheme::Cookie(cookie)));
        let audit = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "What the cluster's API server shows: the setting `cluster.audit_token`.",
            ))
            .build();
        components.add_security_scheme("kubernetes_audit", SecurityScheme::Http(audit));
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKeyScheme::Header(key)));
    }
}

/// What a proof, or something to prove, is needed for.
fn callers() -> OpenApiRouter<AppState> {
    let runs = runs()
        .route_layer(DefaultBodyLimit::max(layers::RUN))
        .route_layer(layers::passing(layers::patient));
    let changing = account()
        .merge(admin())
        .merge(tenants())
        .route_layer(layers::passing(layers::told));
    open()
        .merge(changing)
        .merge(webhooks())
        .route_layer(layers::passing(layers::timely))
        .merge(runs)
        .route_layer(layers::passing(limits::tell))
}

/// What everybody may read.
fn well_known() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(routes::well_known::jwks::jwks))
        .routes(routes!(routes::well_known::oauth_metadata::server))
        .routes(routes!(routes::well_known::oauth_metadata::openid))
        .routes(routes!(routes::well_known::oauth_metadata::resource))
        .routes(routes!(routes::well_known::openapi::openapi))
        .route_layer(layers::passing_with(Group::Anonymous, limits::layer))
        .route_layer(layers::passing(layers::timely))
}

/// Who may call a route without a proof, and what counts the calls.
fn open() -> OpenApiRouter<AppState> {
    let registrations = OpenApiRouter::new()
        .routes(routes!(routes::agents::register::register))
        .route_layer(layers::passing_with(Group::Registrations, limits::layer));
    let logins = OpenApiRouter::new()
        .routes(routes!(routes::sessions::create::create))
        .routes(routes!(routes::sessions::passkey::create))
        .routes(routes!(routes::sign_ups::begin::begin))
        .routes(routes!(routes::sign_ups::complete::complete))
        .routes(routes!(routes::password_resets::ask::ask))
        .routes(routes!(routes::password_resets::complete::complete))
        .route_layer(layers::passing(layers::told))
        .route_layer(layers::passing_with(Group::Logins, limits::layer));
    OpenApiRouter::new()
        .routes(routes!(routes::agents::challenge::challenge))
        .route_layer(layers::passing_with(Group::Anonymous, limits::layer))
        .merge(registrations)
        .merge(logins)
}

/// What OAuth clients call, and prove themselves in their own way.
fn clients() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(routes::oauth::token::token))
        .routes(routes!(routes::oauth::par::push))
        .routes(routes!(routes::oauth::device_authorization::begin))
        .routes(routes!(routes::oauth::introspect::introspect))
        .routes(routes!(routes::oauth::revoke::revoke))
        .route_layer(layers::passing(cors::of_clients))
        .route_layer(layers::passing_with(Group::Anonymous, limits::layer))
        .route_layer(layers::passing(layers::timely))
        .route_layer(layers::passing(limits::tell))
}

/// What pages of OAuth clients call before anybody knows of which, or by a token of theirs.
fn pages_of_clients() -> OpenApiRouter<AppState> {
    let registrations = OpenApiRouter::new()
        .routes(routes!(routes::oauth::register::register))
        .route_layer(layers::passing_with(Group::Registrations, limits::layer));
    OpenApiRouter::new()
        .routes(routes!(routes::oauth::userinfo::get, routes::oauth::userinfo::post))
        .merge(registrations)
        .route_layer(layers::passing(layers::timely))
        .route_layer(layers::passing(limits::tell))
}

/// What other services tell.
fn webhooks() -> OpenApiRouter<AppState> {
    use routes::webhooks::kubernetes_audit;
    OpenApiRouter::new()
        .routes(routes!(kubernetes_audit::receive))
        .route_layer(DefaultBodyLimit::max(kubernetes_audit::LIMIT))
}

/// The caller's own.
fn account() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(routes::sessions::delete::delete))
        .routes(routes!(routes::invitations::accept::accept))
        .routes(routes!(routes::claims::preview::preview))
        .routes(routes!(routes::me::claim_code::create))
        .routes(routes!(routes::me::get::get, routes::me::delete::delete))
        .routes(routes!(routes::me::keys::list::list, routes::me::keys::add::add))
        .routes(routes!(routes::me::keys::revoke::revoke))
        .routes(routes!(routes::me::password::change))
        .routes(routes!(routes::me::passkeys::challenge::begin))
        .routes(routes!(
            routes::me::passkeys::list::list,
            routes::me::passkeys::create::create
        ))
        .routes(routes!(routes::me::passkeys::remove::remove))
        .routes(routes!(routes::me::recovery_codes::renew))
        .routes(routes!(routes::me::totp::begin::begin))
        .routes(routes!(routes::me::totp::confirm::confirm))
        .routes(routes!(routes::me::totp::remove::remove))
        .routes(routes!(routes::me::sessions::list::list))
        .routes(routes!(
            routes::me::sessions::get::get,
            routes::me::sessions::revoke::revoke
        ))
        .routes(routes!(
            routes::me::identities::list::list,
            routes::me::identities::link::link
        ))
        .routes(routes!(routes::me::identities::unlink::unlink))
        .routes(routes!(routes::me::tenants::link::link))
        .routes(routes!(routes::me::consents::list::list))
        .routes(routes!(routes::me::consents::withdraw::withdraw))
        .routes(routes!(routes::me::grants::list::list))
        .routes(routes!(routes::me::grants::revoke::revoke))
        .routes(routes!(
            routes::me::client_blocks::list::list,
            routes::me::client_blocks::create::create
        ))
        .routes(routes!(routes::me::client_blocks::delete::delete))
        .routes(routes!(
            routes::me::api_keys::list::list,
            routes::me::api_keys::create::create
        ))
        .routes(routes!(
            routes::me::api_keys::get::get,
            routes::me::api_keys::update::update,
            routes::me::api_keys::revoke::revoke
        ))
}

/// What those do who run the platform.
fn admin() -> OpenApiRouter<AppState> {
    use routes::admin::{overseers, tenants};
    OpenApiRouter::new()
        .routes(routes!(overseers::list::list))
        .routes(routes!(tenants::list::list))
        .routes(routes!(tenants::link::link))
        .routes(routes!(overseers::get::get))
        .routes(routes!(overseers::block::block))
        .routes(routes!(overseers::unblock::unblock))
}

/// Tenants, and who may do what in them.
fn tenants() -> OpenApiRouter<AppState> {
    use routes::tenants;
    OpenApiRouter::new()
        .routes(routes!(tenants::list::list, tenants::create::create))
        .routes(routes!(
            tenants::get::get,
            tenants::update::update,
            tenants::delete::delete
        ))
        .routes(routes!(
            tenants::organisation::link::link,
            tenants::organisation::unlink::unlink
        ))
        .routes(routes!(tenants::members::list::list))
        .routes(routes!(
            tenants::members::get::get,
            tenants::members::update::update,
            tenants::members::delete::delete
        ))
        .routes(routes!(
            tenants::invitations::list::list,
            tenants::invitations::create::create
        ))
        .routes(routes!(
            tenants::invitations::get::get,
            tenants::invitations::delete::delete
        ))
        .routes(routes!(
            tenants::agents::list::list,
            tenants::agents::register::register
        ))
        .routes(routes!(tenants::agents::claim::claim))
        .routes(routes!(
            tenants::agents::get::get,
            tenants::agents::update::update,
            tenants::agents::delete::delete
        ))
        .routes(routes!(tenants::agents::keys::list))
        .routes(routes!(tenants::agents::keys::revoke))
        .routes(routes!(
            tenants::agents::client_blocks::list::list,
            tenants::agents::client_blocks::create::create
        ))
        .routes(routes!(tenants::agents::client_blocks::delete::delete))
        .routes(routes!(tenants::agents::oversights::list::list))
        .routes(routes!(
            tenants::agents::oversights::grant::grant,
            tenants::agents::oversights::close::close
        ))
        .routes(routes!(
            tenants::api_keys::list::list,
            tenants::api_keys::create::create
        ))
        .routes(routes!(
            tenants::api_keys::get::get,
            tenants::api_keys::update::update,
            tenants::api_keys::revoke::revoke
        ))
        .routes(routes!(tenants::clients::list::list, tenants::clients::create::create))
        .routes(routes!(
            tenants::clients::get::get,
            tenants::clients::update::update,
            tenants::clients::delete::delete
        ))
        .routes(routes!(tenants::clients::secret::renew))
        .routes(routes!(
            tenants::templates::list::list,
            tenants::templates::create::create
        ))
        .routes(routes!(
            tenants::templates::get::get,
            tenants::templates::update::update,
            tenants::templates::delete::delete
        ))
        .routes(routes!(tenants::audit::list::list))
        .routes(routes!(tenants::audit::export::export))
}

/// What runs for a tenant.
fn runs() -> OpenApiRouter<AppState> {
    use routes::tenants::runs;
    OpenApiRouter::new()
        .routes(routes!(runs::list::list, runs::create::create))
        .routes(routes!(runs::get::get, runs::update::update, runs::delete::delete))
        .routes(routes!(runs::cancel::cancel))
        .routes(routes!(runs::log::log))
        .routes(routes!(runs::events::events))
}

/// The service.
pub fn router(state: AppState) -> Router {
    let (callers, _) = callers().split_for_parts();
    let (pages_of_clients, _) = pages_of_clients().split_for_parts();
    let (well_known, _) = well_known().split_for_parts();
    // What a browser asks before it sends a request is answered before the method is looked at.
    let callers = layers::refusing(callers)
        .layer(layers::passing_with(state.clone(), dpop::tell))
        .layer(layers::passing_with(state.clone(), challenges::complete))
        .layer(cors::of(&state.allowed_origins));
    let pages_of_clients = layers::refusing(pages_of_clients)
        .layer(layers::passing_with(state.clone(), dpop::tell))
        .layer(layers::passing_with(state.clone(), challenges::complete))
        .layer(cors::of_anybody());
    let (clients, _) = clients().split_for_parts();
    let clients = layers::refusing(clients)
        .layer(layers::passing_with(state.clone(), dpop::tell))
        .layer(layers::passing(cors::asked_beforehand));
    let well_known = layers::refusing(well_known).layer(cors::public());
    let (limits, metrics) = (Extension(state.limits.clone()), state.metrics.clone());
    let standing = Extension(state.standing.clone());
    let pages = layers::refusing(pages::router(&state));
    let service = layers::wrap(
        callers
            .merge(clients)
            .merge(pages_of_clients)
            .merge(well_known)
            .merge(pages)
            .with_state(state)
            .layer(limits)
            .layer(standing),
        metrics,
    );
    // A router's own layers come after it has found the route.
    Router::new()
        .fallback_service(service)
        .layer((middleware::map_request(alias::resolve), Share))
}

/// The description of the service (OpenAPI 3.1).
pub fn document() -> OpenApiDocument {
    let all = OpenApiRouter::with_openapi(Document::openapi());
    let (_, mut document) = all
        .merge(well_known())
        .merge(clients())
        .merge(callers())
        .merge(pages_of_clients())
        .split_for_parts();
    error::complete(&mut document);
    composed::open(&mut document);
    grants::let_in(&mut document);
    document
}

#[cfg(test)]
mod tests;
