//! `GET /docs`: the description of the API as a page on which it can be tried. Everything on it comes from this program.

use std::sync::{Arc, LazyLock};

use axum::{
    extract::Path,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use tracing::error;
use utoipa_swagger_ui::Config;

use crate::{http::error::ApiError, routes::pages::guides};

/// The page's own scripts and requests, and nobody else's. Its styles are partly written into elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page asks for its files beside itself.
pub async fn page() -> Redirect {
    Redirect::permanent("/docs/")
}

/// The page.
pub async fn index() -> Response {
    answer("index.html")
}

/// A guide, or a file of the page.
pub async fn file(Path(name): Path<String>) -> Response {
    guides::show(&name).unwrap_or_else(|| answer(&name))
}

fn answer(name: &str) -> Response {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
        Arc::new(
            Config::from("/openapi.json")
                .try_it_out_enabled(true)
                .with_credentials(true),
        )
    });
    match utoipa_swagger_ui::serve(name, CONFIG.clone()) {
        Ok(Some(found)) => {
            let mut response = found.bytes.into_owned().into_response();
            let headers = response.headers_mut();
            if let Ok(kind) = HeaderValue::from_str(&found.content_type) {
                headers.insert(header::CONTENT_TYPE, kind);
            }
            let fixed: [(HeaderName, &str); 2] = [
                (header::CONTENT_SECURITY_POLICY, POLICY),
                (header::CACHE_CONTROL, "max-age=3600"),
            ];
            for (name, value) in fixed {
                headers.insert(name, HeaderValue::from_static(value));
            }
            if found.gzpipped {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            response
        }
        Ok(None) => ApiError::NotFound.into_response(),
        Err(error) => {
            error!(%error, "the page of the documentation cannot be made");
            ApiError::Internal("the page of the documentation cannot be made".to_owned()).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::TestApp;

    #[tokio::test]
    async fn the_page_and_all_that_it_asks_for_are_served() {
        let app = TestApp::start().await;
        let moved = app.get("/docs", None).await;
        assert_eq!((moved.status.as_u16(), moved.header("location")), (308, Some("/docs/")));
        let page = app.get("/docs/", None).await;
        assert_eq!(
            (page.status.as_u16(), page.header("content-type")),
            (200, Some("text/html"))
        );
        let policy = page.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        let html = page.body.as_str().unwrap_or_default().to_owned();
        let files: Vec<&str> = html
            .split(['"', '\''])
            .filter(|text| [".js", ".css", ".png"].iter().any(|end| text.ends_with(end)))
            .collect();
        assert!(files.len() >= 5, "{html}");
        for file in files {
            let path = format!("/docs/{}", file.trim_start_matches("./"));
            assert_eq!(app.get(&path, None).await.status, 200, "{path}");
        }
        // What it shows is this service's own description.
        let begin = app.get("/docs/swagger-initializer.js", None).await;
        assert!(
            begin.body.as_str().unwrap_or_default().contains("\"/openapi.json\""),
            "{:?}",
            begin.body
        );
        assert_eq!(app.get("/docs/none-of-this-name", None).await.status, 404);
    }
}
