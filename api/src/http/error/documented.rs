//! The problems that routes of one kind have in common, for the documentation: none has to name them, and none forgets one.

use utoipa::openapi::{
    ContentBuilder, OpenApi, PathItem, Ref, RefOr, Response, ResponseBuilder, path::Operation,
    security::SecurityRequirement,
};

/// Where a person proves who they are by a session of ours alone.
const SESSION_ONLY: [&str; 2] = ["/v1/me/password", "/v1/sessions"];

/// What is called with a token, below `/oauth` as it is.
const RESOURCE: &str = "/oauth/userinfo";

/// Adds to every operation what all of its kind answer, and it does not speak of itself. Those below `/oauth` have errors of
/// another shape (RFC 6749, section 5.2).
pub fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        if path.starts_with("/oauth/") && path != RESOURCE {
            continue;
        }
        for (_, operation) in operations(item) {
            let ways = operation.security.get_or_insert_default();
            if let Some(session) = ways.iter().find_map(|way| scopes(way, "session"))
                && !SESSION_ONLY.contains(&path.as_str())
            {
                ways.push(SecurityRequirement::new("outside_token", session));
            }
            for (status, description) in problems(path, operation) {
                let responses = &mut operation.responses.responses;
                responses
                    .entry(status.to_owned())
                    .or_insert_with(|| RefOr::T(problem(description)));
            }
        }
    }
}

/// What a way to prove oneself needs, if it is this one.
pub fn scopes(way: &SecurityRequirement, name: &str) -> Option<Vec<String>> {
    let way = serde_json::to_value(way).ok()?;
    serde_json::from_value(way.get(name)?.clone()).ok()
}

/// What can be done at a path, by its method.
pub fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
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

fn problems(path: &str, operation: &Operation) -> Vec<(&'static str, &'static str)> {
    let open = operation.security.as_deref() == Some(&[SecurityRequirement::default()]);
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    let body = operation.request_body.is_some();
    let once = parameters
        .iter()
        .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "Idempotency-Key"));
    let all = [
        (
            body || !parameters.is_empty(),
            "400",
            "A member, a parameter or a header is wrong; `field` names it.",
        ),
        (!open, "401", "A valid access token, API key or login is needed."),
        (!open, "403", "The caller may not do this."),
        (
            !open && path.contains('{'),
            "404",
            "There is no such thing, or none that the caller may know of.",
        ),
        (
            once,
            "409",
            "The same request is under way (`idempotency_in_progress`).",
        ),
        (body, "413", "The body is too large."),
        (body, "415", "The body is not JSON, or does not say so."),
        (
            once,
            "422",
            "The `Idempotency-Key` was used for another request (`idempotency_key_reused`).",
        ),
        (
            true,
            "429",
            "Too many requests; come again after `Retry-After` seconds.",
        ),
        (
            path.starts_with("/v1/") || path == RESOURCE,
            "503",
            "Come again after `Retry-After` seconds.",
        ),
    ];
    let of_kind = all.into_iter().filter(|(is, ..)| *is);
    of_kind.map(|(_, status, description)| (status, description)).collect()
}

fn problem(description: &str) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
}
