//! Whatever a test is answered, the document must say that the operation answers it.

use std::sync::LazyLock;

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::router;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(router::document()).expect("the document"));

/// Fails if the status is not among those of the operation.
pub fn check(method: &Method, path: &str, status: StatusCode) {
    let Some(operation) = operation(method, path) else {
        return;
    };
    let responses = operation["responses"].as_object().expect("responses");
    // One's own faults are no part of a description.
    let known = responses.contains_key(status.as_str()) || status == StatusCode::INTERNAL_SERVER_ERROR;
    assert!(
        known,
        "{method} {path} answers {status}, which its description does not say"
    );
}

fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object()?;
    // A name is nearer than a parameter.
    let (_, item) = paths
        .iter()
        .filter(|(template, _)| matches(template, path))
        .min_by_key(|(template, _)| template.matches('{').count())?;
    item.get(method.as_str().to_lowercase())
}

fn matches(template: &str, path: &str) -> bool {
    let (wanted, there) = (template.split('/'), path.split('/'));
    wanted.clone().count() == there.clone().count()
        && wanted
            .zip(there)
            .all(|(wanted, there)| wanted.starts_with('{') || wanted == there)
}

/// Fails if the body is a problem whose type leads to nothing.
pub fn explained(body: &Value) {
    let errors = include_str!("../../../docs/errors.md");
    if let Some(name) = body["type"]
        .as_str()
        .and_then(|place| place.strip_prefix("/docs/errors#"))
    {
        assert!(
            errors.contains(&format!("<a id=\"{name}\"></a>")),
            "docs/errors.md does not have {name}"
        );
    }
}
