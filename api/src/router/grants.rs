//! Where an OAuth client acts for a person: wherever an API key of theirs does, in the one tenant that it was let into.

use utoipa::openapi::{
    OpenApi,
    security::{AuthorizationCode, Flow, OAuth2, Scopes, SecurityRequirement, SecurityScheme},
};

use crate::{
    auth::client::values::Scope,
    http::error::{operations, scopes},
};

/// The name of the proof in the description.
pub const NAME: &str = "oauth";

/// But for what makes that which outlives a consent.
const NOT: [(&str, &str); 5] = [
    ("/v1/tenants/{tenant}/api-keys", "post"),
    ("/v1/tenants/{tenant}/clients", "post"),
    ("/v1/tenants/{tenant}/clients/{client}", "patch"),
    ("/v1/tenants/{tenant}/clients/{client}/secret", "post"),
    ("/v1/tenants/{tenant}/agents", "post"),
];

/// The proof of the same kind.
const LIKE: &str = "api_key";

/// Says so in the description.
pub(super) fn let_in(document: &mut OpenApi) {
    let known = Scope::all().map(|scope| (scope.as_str(), scope.about()));
    let flow = AuthorizationCode::new("/oauth/authorize", "/oauth/token", known.collect::<Scopes>());
    let components = document.components.get_or_insert_default();
    let scheme = OAuth2::with_description(
        [Flow::AuthorizationCode(flow)],
        "An access token that a person's consent gave, for one tenant; see docs/oauth.md.",
    );
    components.add_security_scheme(NAME, SecurityScheme::OAuth2(scheme));
    let all = document.paths.paths.iter_mut();
    let all = all
        .flat_map(|(path, item)| operations(item).map(move |(method, operation)| (path.as_str(), method, operation)));
    for (path, method, operation) in all {
        if NOT.contains(&(path, method)) {
            continue;
        }
        let all = operation.security.get_or_insert_default();
        if let Some(scopes) = all.iter().find_map(|way| scopes(way, LIKE)) {
            all.push(SecurityRequirement::new(NAME, scopes));
        }
    }
}
