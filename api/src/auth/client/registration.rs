//! What a client says of itself when it registers itself (RFC 7591, section 3.1).

use resource_server::strict_json;
use serde_json::{Map, Value, json};
use url::Url;

use crate::auth::client::{
    Flaw, Metadata, Written,
    document::{GRANTS, MEMBERS, filled, takes_codes},
    values::{GrantType, Scope},
};

/// How a client is called that says nothing of it, nor names a place of its own.
const UNNAMED: &str = "A program without a name";

/// Reads it. Members that mean nothing here are passed over, and what may be left out is filled in (section 2).
pub fn read(bytes: &[u8]) -> Result<Metadata, Flaw> {
    let mut document =
        strict_json::object(bytes).ok_or_else(|| Flaw::new("body", "write a JSON object, and each member once"))?;
    if !takes_codes(&document) {
        return Err(Flaw::new("response_types", "name code: nothing else is answered"));
    }
    document.retain(|name, _| MEMBERS.contains(&name.as_str()) && name != "client_id");
    let host = first_host(&document).unwrap_or_else(|| UNNAMED.to_owned());
    document.entry("client_name").or_insert_with(|| json!(host));
    filled(&mut document);
    let written: Written = serde_json::from_value(Value::Object(document))
        .map_err(|error| Flaw::new("client metadata", error.to_string()))?;
    let mut metadata = written.check()?;
    // It names what it was told to ask for first (MCP authorization 2026-07-28), and may go on to whatever reads.
    metadata.scopes = Scope::all()
        .filter(|scope| metadata.scopes.contains(scope) || Scope::reading().any(|reading| reading == *scope))
        .collect();
    // Whoever registers itself gets nothing without a person.
    match metadata.grant_types.iter().find(|grant| !GRANTS.contains(grant)) {
        Some(grant) => Err(Flaw::new(
            "grant_types",
            format!(
                "{} is for clients that a tenant registers; name some of {}",
                grant.as_str(),
                GRANTS.map(GrantType::as_str).join(", ")
            ),
        )),
        None => Ok(metadata),
    }
}

fn first_host(document: &Map<String, Value>) -> Option<String> {
    let uri = document.get("redirect_uris")?.as_array()?.first()?.as_str()?;
    Url::parse(uri).ok()?.host_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::client::values::{ApplicationType, AuthMethod};

    fn of(document: &Value) -> Result<Metadata, String> {
        read(document.to_string().as_bytes()).map_err(|flaw| flaw.to_string())
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        let read = of(&json!({
            "redirect_uris": ["http://127.0.0.1/callback"], "token_endpoint_auth_method": "none", "logo_uri": "https://app.example/l",
            "response_types": ["code"], "grant_types": ["authorization_code", "refresh_token", "implicit"],
        }));
        let read = read.unwrap();
        assert_eq!(read.name, "127.0.0.1");
        assert_eq!(read.application_type, ApplicationType::Native);
        assert_eq!(read.auth_method, AuthMethod::None);
        assert_eq!(
            read.grant_types,
            [GrantType::AuthorizationCode, GrantType::RefreshToken]
        );
        let least = of(&json!({"redirect_uris": ["https://app.example/callback"]})).unwrap();
        assert_eq!(least.name, "app.example");
        assert_eq!(least.application_type, ApplicationType::Web);
        assert_eq!(least.auth_method, AuthMethod::ClientSecretBasic);
        assert_eq!(least.grant_types, [GrantType::AuthorizationCode]);
        assert_eq!(least.scopes, Scope::reading().collect::<Vec<_>>());
        let writes =
            of(&json!({"redirect_uris": ["https://app.example/callback"], "scope": "profile runs:write"})).unwrap();
        let more = |scope: &Scope| scope.as_str() == "runs:write" || least.scopes.contains(scope);
        assert_eq!(writes.scopes, Scope::all().filter(more).collect::<Vec<_>>());
        let mixed = json!({"redirect_uris": ["https://app.example/callback"], "grant_types": ["client_credentials", "authorization_code"]});
        assert_eq!(of(&mixed).unwrap().grant_types, [GrantType::AuthorizationCode]);
    }

    #[test]
    fn a_flaw_names_its_member() {
        for (document, wanted) in [
            (json!([]), "body: write a JSON object, and each member once"),
            (
                json!({}),
                "redirect_uris: name at least one; authorization_code needs it",
            ),
            (
                json!({"grant_types": ["client_credentials"]}),
                "grant_types: client_credentials is for clients that a tenant registers; name some of authorization_code, refresh_token, \
                 urn:ietf:params:oauth:grant-type:device_code",
            ),
            (
                json!({"redirect_uris": "https://a.example/"}),
                "client metadata: invalid type: string \"https://a.example/\", expected a sequence",
            ),
            (
                json!({"redirect_uris": ["https://a.example/"], "scope": ["runs:read"]}),
                "client metadata: invalid type: sequence, expected a string",
            ),
        ] {
            assert_eq!(of(&document), Err(wanted.to_owned()), "{document}");
        }
        let implicit = of(&json!({"redirect_uris": ["https://a.example/"], "response_types": ["token"]}));
        assert_eq!(
            implicit,
            Err("response_types: name code: nothing else is answered".to_owned())
        );
        let twice = br#"{"redirect_uris": ["https://a.example/"], "redirect_uris": ["https://b.example/"]}"#;
        assert!(read(twice).is_err());
    }
}
