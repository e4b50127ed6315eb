use std::net::TcpListener;

use axum::http::HeaderName;

use super::*;

fn headers(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
    let lines = lines.iter().cloned();
    lines
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .collect()
}

/// Case 52, as far as it goes without a network: tests/api/documents.rs has the rest.
#[tokio::test]
async fn nothing_on_this_machine_is_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let fetch = Fetch::new().unwrap();
    let (address, away) = ("the address is none that is fetched", "the server cannot be reached");
    for (place, wanted) in [
        ("http://localhost:PORT/c", address),
        ("http://app.example:PORT/c", address),
        ("ftp://localhost:PORT/c", address),
        ("/c", address),
        ("localhost:PORT", address),
        ("https://127.0.0.1:PORT/c", address),
        ("https://127.9.9.9:PORT/c", address),
        ("https://0.0.0.0:PORT/c", address),
        ("https://10.0.0.1:PORT/c", address),
        ("https://93.184.215.14:PORT/c", address),
        ("https://[::1]:PORT/c", address),
        ("https://[::]:PORT/c", address),
        ("https://[::ffff:127.0.0.1]:PORT/c", address),
        ("https://[2606:4700::1111]:PORT/c", address),
        // What resolves to it, by a name or by one of the other ways to write an address.
        ("https://localhost:PORT/c", away),
        ("https://LOCALHOST:PORT/c", away),
        ("https://u:p@localhost:PORT/c", away),
        ("https://127.1:PORT/c", away),
        ("https://2130706433:PORT/c", away),
        ("https://0x7f.0.0.1:PORT/c", away),
        ("https://0177.0.0.1:PORT/c", away),
        ("https://0:PORT/c", away),
    ] {
        let place = place.replace("PORT", &port.to_string());
        let refused = fetch.get(&place, 1024).await.unwrap_err();
        assert_eq!(refused.to_string(), wanted, "{place}");
    }
    assert_eq!(
        listener.accept().map_err(|error| error.kind()).unwrap_err(),
        io::ErrorKind::WouldBlock
    );
}

#[test]
fn only_json_as_it_is_is_plain() {
    for (kind, wanted) in [
        ("application/json", true),
        ("application/json; charset=utf-8", true),
        ("Application/JSON ;charset=utf-8", true),
        ("application/jwk-set+json", true),
        ("application/problem+json;v=1", true),
        ("text/json", false),
        ("text/html", false),
        ("text/html; application/json", false),
        ("text/plain+json", false),
        ("application/json, text/html", false),
        ("application/jsonp", false),
        ("application/octet-stream", false),
        ("json", false),
        ("", false),
    ] {
        assert_eq!(
            is_plain_json(&headers(&[(header::CONTENT_TYPE, kind)])),
            wanted,
            "{kind}"
        );
    }
    assert!(!is_plain_json(&HeaderMap::new()));
    for encoding in ["gzip", "br", "identity", ""] {
        let json = (header::CONTENT_TYPE, "application/json");
        assert!(
            !is_plain_json(&headers(&[json, (header::CONTENT_ENCODING, encoding)])),
            "{encoding}"
        );
    }
}

#[test]
fn how_long_it_may_be_kept_is_said_in_one_of_many_ways() {
    for (lines, wanted) in [
        (&["max-age=60"][..], Some(60)),
        (&["public, max-age=60, must-revalidate"], Some(60)),
        (&["public,max-age=60"], Some(60)),
        (&["Max-Age=60"], Some(60)),
        (&["public", "max-age=60"], Some(60)),
        (&["max-age=0"], Some(0)),
        (&["max-age=1000000000"], Some(1_000_000_000)),
        (&["no-store"], Some(0)),
        (&["No-Store"], Some(0)),
        (&["no-cache, max-age=60"], Some(0)),
        (&["max-age=60, no-store"], Some(0)),
        (&["max-age=60", "no-store"], Some(0)),
        (&["s-maxage=60"], None),
        (&["max-age"], None),
        (&["max-age="], None),
        (&["max-age=-1"], None),
        (&["max-age=1.5"], None),
        (&["max-age=soon"], None),
        (&["max-age=99999999999999999999"], None),
        (&["private"], None),
        (&[""], None),
        (&[], None),
    ] {
        let lines = lines.iter().map(|line| (header::CACHE_CONTROL, *line));
        let found = max_age(&headers(&lines.collect::<Vec<_>>()));
        assert_eq!(found.map(|age| age.as_secs()), wanted);
    }
}
