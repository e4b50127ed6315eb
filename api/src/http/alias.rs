//! `/api/v1/…` is `/v1/…`: front ends pass on what is below `/api` as it stands.

use axum::{extract::Request, http::Uri};

/// Where a request was sent to, if that is another name of where it goes.
#[derive(Debug, Clone)]
pub struct SentTo(pub Uri);

/// Sends a request on under the name that the routes have.
pub async fn resolve(mut request: Request) -> Request {
    if let Some(uri) = own(request.uri()) {
        let sent = std::mem::replace(request.uri_mut(), uri);
        request.extensions_mut().insert(SentTo(sent));
    }
    request
}

fn own(uri: &Uri) -> Option<Uri> {
    let path = uri.path_and_query()?.as_str().strip_prefix("/api")?;
    if !path.starts_with("/v1/") {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_the_version_has_another_name() {
        let of = |text: &str| own(&text.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(of("/api/v1/me"), Some("/v1/me".to_owned()));
        assert_eq!(
            of("/api/v1/tenants?limit=1&x=%2F"),
            Some("/v1/tenants?limit=1&x=%2F".to_owned())
        );
        assert_eq!(
            of("http://a.example/api/v1/me"),
            Some("http://a.example/v1/me".to_owned())
        );
        for other in [
            "/v1/me",
            "/api",
            "/api/",
            "/api/v1",
            "/api/oauth/token",
            "/apiv1/me",
            "/api//v1/me",
            "/api/api/v1/me",
            "*",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
