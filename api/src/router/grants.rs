//! Where an OAuth client acts for a person: wherever an API key of theirs does, in the one tenant that it was let into.

use serde_json::Value;
use utoipa::openapi::{
    OpenApi, PathItem,
    path::Operation,
    security::{AuthorizationCode, Flow, OAuth2, Scopes, SecurityRequirement, SecurityScheme},
};

use crate::auth::client::values::Scope;

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
    let scopes = Scope::all().map(|scope| (scope.as_str(), scope.about()));
    let flow = AuthorizationCode::new("/oauth/authorize", "/oauth/token", scopes.collect::<Scopes>());
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
        let like = all.iter().find_map(|way| match serde_json::to_value(way) {
            Ok(Value::Object(way)) => way.get(LIKE).cloned(),
            _ => None,
        });
        if let Some(Value::Array(scopes)) = like {
            let scopes = scopes.iter().filter_map(Value::as_str).map(str::to_owned);
            all.push(SecurityRequirement::new(NAME, scopes));
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let all = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("patch", &mut item.patch),
        ("delete", &mut item.delete),
    ];
    all.into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}
