//! Client-ID metadata documents (draft-ietf-oauth-client-id-metadata-document; MCP authorization 2026-07-28): a client's name is where it
//! describes itself.

use resource_server::strict_json;
use serde_json::{Map, Value, json};
use url::{Host, Url};

use crate::auth::client::{
    Metadata, Written,
    values::{AuthMethod, GrantType, Scope},
};

/// The longest name, in bytes.
const LONGEST: usize = 2000;

/// Members of a document that mean something here.
pub(super) const MEMBERS: [&str; 12] = [
    "client_name",
    "application_type",
    "token_endpoint_auth_method",
    "grant_types",
    "redirect_uris",
    "scope",
    "jwks",
    "jwks_uri",
    "dpop_bound_access_tokens",
    "access_token_signed_response_alg",
    "id_token_signed_response_alg",
    "client_id",
];

/// How a client gets tokens that nobody here registered: by people who let it in.
pub(super) const GRANTS: [GrantType; 3] = [
    GrantType::AuthorizationCode,
    GrantType::RefreshToken,
    GrantType::DeviceCode,
];

/// Whether a client's name is where a description may be: `https`, a host that is a name, a path, and nothing that is read in two ways.
pub fn is_name(client_id: &str) -> bool {
    let Ok(url) = Url::parse(client_id) else {
        return false;
    };
    let by_name = matches!(url.host(), Some(Host::Domain(name)) if name != "localhost" && name.contains('.'));
    url.scheme() == "https"
        && by_name
        && client_id.len() <= LONGEST
        && url.path() != "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        // Dot segments, a default port and capitals are gone from what is parsed.
        && url.as_str() == client_id
}

/// What a client says of itself; nothing, if the document is another's, or of a client that cannot be let in.
pub fn read(client_id: &str, bytes: &[u8]) -> Option<Metadata> {
    let mut document = strict_json::object(bytes)?;
    if document.get("client_id").and_then(Value::as_str) != Some(client_id) {
        return None;
    }
    // What is published is no secret.
    if ["client_secret", "client_secret_expires_at"]
        .iter()
        .any(|name| document.contains_key(*name))
    {
        return None;
    }
    if !takes_codes(&document) {
        return None;
    }
    document.retain(|name, _| MEMBERS.contains(&name.as_str()) && name != "client_id");
    let host = Url::parse(client_id)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned));
    let mut fill = |name: &str, value: Value| {
        document.entry(name.to_owned()).or_insert(value);
    };
    fill("client_name", json!(host.unwrap_or_default()));
    fill("token_endpoint_auth_method", json!("none"));
    filled(&mut document);
    let written: Written = serde_json::from_value(Value::Object(document)).ok()?;
    let metadata = written.check().ok()?;
    let fits = metadata.grant_types.iter().all(|grant| GRANTS.contains(grant));
    let proves = matches!(metadata.auth_method, AuthMethod::None | AuthMethod::PrivateKeyJwt);
    (fits && proves).then_some(metadata)
}

/// What whoever describes itself may leave out.
pub(super) fn filled(document: &mut Map<String, Value>) {
    // A program describes itself to many services, and names scopes of others, too. Whoever names none of ours may ask for what reads.
    let scope = document.entry("scope").or_insert_with(|| json!(""));
    if let Some(named) = scope.as_str() {
        let ours: Vec<Scope> = named.split(' ').filter_map(Scope::parse).collect();
        let ours = if ours.is_empty() {
            Scope::reading().collect()
        } else {
            ours
        };
        *scope = json!(Scope::joined(&ours));
    }
    // Whoever wants to be sent back to a loopback address runs on a person's machine.
    let uris = document.get("redirect_uris").and_then(Value::as_array);
    let is_native = uris.is_some_and(|uris| {
        uris.iter()
            .filter_map(Value::as_str)
            .any(|uri| !uri.starts_with("https://"))
    });
    document
        .entry("application_type")
        .or_insert_with(|| json!(if is_native { "native" } else { "web" }));
    // Grants that such clients are not served with are not asked for, beside those that are.
    if let Some(grants) = document.get_mut("grant_types").and_then(Value::as_array_mut) {
        let is_served = |grant: &Value| {
            let known = grant.as_str().and_then(GrantType::parse);
            known.is_some_and(|known| GRANTS.contains(&known))
        };
        if grants.iter().any(is_served) {
            grants.retain(is_served);
        }
    }
}

/// Whether it can do with codes, which are all that is answered (RFC 7591, section 2).
pub(super) fn takes_codes(document: &Map<String, Value>) -> bool {
    match document.get("response_types") {
        None => true,
        Some(Value::Array(types)) => types.is_empty() || types.iter().any(|type_| type_ == "code"),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "https://app.example/client.json";

    fn of(members: Value) -> Option<Metadata> {
        let mut document =
            json!({"client_id": ID, "client_name": "App", "redirect_uris": ["https://app.example/callback"]});
        crate::http::merge::merge(&mut document, members);
        read(ID, document.to_string().as_bytes())
    }

    #[test]
    fn a_name_is_where_a_description_may_be() {
        for good in [
            ID,
            "https://app.example/a/b",
            "https://app.example:8443/client",
            "https://xn--bcher-kva.example/c",
        ] {
            assert!(is_name(good), "{good}");
        }
        for bad in [
            "http://app.example/client.json",
            "https://app.example",
            "https://app.example/",
            "https://app.example/client.json?x=1",
            "https://app.example/client.json#x",
            "https://u@app.example/client.json",
            "https://u:p@app.example/client.json",
            "https://app.example/../client.json",
            "https://app.example/a/./client.json",
            "https://app.example/a/%2e%2e/client.json",
            "https://app.example:443/client.json",
            "https://APP.example/client.json",
            "HTTPS://app.example/client.json",
            "https://localhost/client.json",
            "https://intranet/client.json",
            "https://127.0.0.1/client.json",
            "https://127.1/client.json",
            "https://2130706433/client.json",
            "https://0x7f.0.0.1/client.json",
            "https://0177.0.0.1/client.json",
            "https://[::1]/client.json",
            "https://[::ffff:127.0.0.1]/client.json",
            "ftp://app.example/client.json",
            "urn:ietf:app",
            "app",
            "",
        ] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(!is_name(&format!("https://app.example/{}", "a".repeat(2000))));
    }

    #[test]
    fn what_is_left_out_is_filled() {
        let metadata = of(json!({})).unwrap();
        assert_eq!(metadata.auth_method, AuthMethod::None);
        assert_eq!(metadata.scopes, Scope::reading().collect::<Vec<_>>());
        assert_eq!(metadata.grant_types, [GrantType::AuthorizationCode]);
        let metadata = of(json!({"client_name": null, "redirect_uris": ["http://127.0.0.1/cb"], "logo_uri": "https://x.example/", "response_types": ["code", "token"], "grant_types": ["authorization_code", "refresh_token", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer"]})).unwrap();
        assert_eq!(metadata.name, "app.example");
        assert_eq!(
            metadata.grant_types,
            [GrantType::AuthorizationCode, GrantType::RefreshToken]
        );
        let elsewhere = of(json!({"scope": "profile offline_access"})).unwrap();
        assert_eq!(elsewhere.scopes, metadata.scopes);
        let named = of(json!({"scope": "profile runs:write runs:read offline_access"})).unwrap();
        assert_eq!(Scope::names(&named.scopes), ["runs:read", "runs:write"]);
    }

    /// Case 53.
    #[test]
    fn what_is_no_description_of_this_client_is_none() {
        for bad in [
            json!({"client_id": "https://other.example/client.json"}),
            json!({"client_id": null}),
            json!({"client_secret": "x"}),
            json!({"token_endpoint_auth_method": "client_secret_basic"}),
            json!({"token_endpoint_auth_method": "client_secret_post"}),
            json!({"token_endpoint_auth_method": "private_key_jwt"}),
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}}),
            json!({"redirect_uris": null}),
            json!({"redirect_uris": []}),
            json!({"redirect_uris": ["javascript:alert(1)"]}),
            json!({"redirect_uris": ["http://app.example/callback"]}),
            json!({"client_name": "\u{202e}ppA"}),
            json!({"client_name": "a\nb"}),
            json!({"scope": ["runs:read"]}),
            json!({"grant_types": ["client_credentials"], "redirect_uris": null}),
            json!({"grant_types": "authorization_code"}),
            json!({"response_types": ["token"]}),
            json!({"response_types": "code"}),
        ] {
            assert_eq!(of(bad.clone()), None, "{bad}");
        }
        assert_eq!(read(ID, b"[]"), None);
        let twice = format!(r#"{{"client_id":"{ID}","client_id":"{ID}","redirect_uris":["https://app.example/cb"]}}"#);
        assert_eq!(read(ID, twice.as_bytes()), None);
    }
}
