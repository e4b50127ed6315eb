//! Requests for authorization: whatever is asked, a browser is sent nowhere but to where the client registered, and nothing is asked for that
//! it is not registered for.

use std::sync::LazyLock;

use api::{
    auth::{
        authorization::{self, Flaw},
        client::{Metadata, document},
    },
    routes::oauth::form,
};
use serde_json::json;
use url::Url;

const ISSUER: &str = "https://pinfold.example";
const NAME: &str = "https://app.example/client.json";

static CLIENT: LazyLock<Metadata> = LazyLock::new(|| {
    let document = json!({
        "client_id": NAME, "redirect_uris": ["https://app.example/callback", "http://127.0.0.1/callback"], "scope": "runs:read openid",
        "application_type": "native",
    });
    document::read(NAME, document.to_string().as_bytes()).expect("a client")
});

fn is_registered(place: &str) -> bool {
    let Ok(url) = Url::parse(place) else { return false };
    place == "https://app.example/callback"
        || (url.scheme() == "http" && url.host_str() == Some("127.0.0.1") && url.path() == "/callback")
}

/// The query of a request.
pub fn run(data: &[u8]) {
    let Ok(parameters) = form::parameters(data) else {
        return;
    };
    match authorization::check(&parameters, &CLIENT, ISSUER) {
        Ok(request) => {
            assert!(is_registered(&request.redirect_uri), "{}", request.redirect_uri);
            assert!(request.scopes().iter().all(|scope| CLIENT.scopes.contains(scope)) && !request.scopes.is_empty());
            assert_eq!(parameters.get("state"), request.state.as_ref());
            assert_eq!(
                parameters.get("code_challenge_method").map(String::as_str),
                Some("S256")
            );
            let back = request.grant("code", ISSUER).expect("a way back");
            assert!(is_registered(back.split('?').next().unwrap_or_default()), "{back}");
            let pairs: Vec<(String, String)> = Url::parse(&back).expect("it").query_pairs().into_owned().collect();
            let named = |name: &str| pairs.iter().filter(|(known, _)| known == name).count();
            assert_eq!(
                (named("code"), named("iss"), named("state")),
                (1, 1, usize::from(request.state.is_some()))
            );
        }
        Err(Flaw::Back(back)) => {
            assert!(is_registered(&back.redirect_uri), "{}", back.redirect_uri);
            assert!(back.place(ISSUER).is_some() && !back.description.is_empty());
        }
        Err(Flaw::Here(message)) => assert!(message.starts_with("redirect_uri")),
    }
}
