//! The problems of routes, for their documentation.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder},
};

/// The problems that a route for callers may answer besides its own, for its documentation.
#[derive(Debug)]
pub struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let all = [
            ("400", "A member, a parameter or a header is wrong; `field` names it."),
            ("401", "A valid access token, API key or login is needed."),
            ("403", "The caller may not do this."),
            ("404", "There is no such thing, or none that the caller may know of."),
            ("429", "Too many requests; come again after `Retry-After` seconds."),
            ("503", "Come again after `Retry-After` seconds."),
        ];
        all.map(|(status, description)| (status.to_owned(), RefOr::T(problem(description))))
            .into()
    }
}

/// The problems of a route that anybody may call.
#[derive(Debug)]
pub struct OpenRefusals;

impl IntoResponses for OpenRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let mut all = Refusals::responses();
        for status in ["401", "403", "404"] {
            all.remove(status);
        }
        all
    }
}

fn problem(description: &str) -> utoipa::openapi::Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
}
