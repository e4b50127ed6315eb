//! What pages are made of besides.

use axum::{
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};

/// The style.
pub async fn style() -> Response {
    file(
        "text/css; charset=utf-8",
        include_str!("../../../templates/pinfold.css"),
    )
}

/// The script, which carries the secret of a link where it is asked for.
pub async fn script() -> Response {
    file(
        "text/javascript; charset=utf-8",
        include_str!("../../../templates/pinfold.js"),
    )
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers: [(HeaderName, &str); 2] = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=3600")];
    (headers, text).into_response()
}
