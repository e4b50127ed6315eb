//! AU-01 for pages.

use axum::http::Method;

use super::*;
use crate::testing::{ISSUER, TestApp, TestPerson};

/// Where somebody is led, or the status.
async fn seen(app: &TestApp, method: &Method, path: &str, person: Option<&TestPerson>, n: usize) -> (u16, String) {
    let path = path
        .replace("{passkey}", "0198c5b4-5a0e-7000-8000-00000000000a")
        .replace("{tenant}", "acme")
        .replace("{*file}", "errors");
    let mut request = axum::http::Request::builder()
        .method(method)
        .uri(&path)
        // Forms are counted by the address, and taken from our own pages alone.
        .header("x-forwarded-for", format!("203.0.113.{n}"))
        .header("origin", ISSUER)
        .header("content-type", "application/x-www-form-urlencoded");
    let mut form = String::new();
    if let Some(person) = person {
        request = request.header("cookie", &person.cookie);
        form = format!("csrf_token={}", person.csrf);
    }
    let answer = app.send(request.body(form.into()).unwrap()).await;
    let place = answer.header("location").unwrap_or_default().to_owned();
    (answer.status.as_u16(), place)
}

#[tokio::test]
async fn each_page_is_seen_by_whom_it_is_for() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let all = [(Method::GET, shown()), (Method::POST, sent())];
    let all = all
        .iter()
        .flat_map(|(method, pages)| pages.iter().map(move |page| (method, page)));
    for (n, (method, page)) in all.enumerate() {
        let (status, place) = seen(&app, method, page.path, None, n).await;
        let led = status == 303 && place.starts_with("/login");
        assert_eq!(led, page.who == Who::Person, "{method} {}: {status} {place}", page.path);
        // The person is let in; the form lacks what it is for.
        if page.path != "/logout" && page.path != "/login" {
            let (status, place) = seen(&app, method, page.path, Some(&ada), n).await;
            assert!(
                status != 401 && !place.starts_with("/login"),
                "{method} {}: {status} {place}",
                page.path
            );
        }
    }
}
