//! OAuth clients as they are registered: client metadata (RFC 7591, section 2) with what RFC 8252, RFC 9700 and OpenID Connect Dynamic Client
//! Registration 1.0 demand of it.

use std::{collections::BTreeSet, fmt};

use resource_server::jwk;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::auth::{
    client::values::{ApplicationType, AuthMethod, GrantType, Scope},
    jwk_set,
    signing::Algorithm,
};

pub mod assertion;
pub mod document;
pub mod registration;
pub mod secret;
mod uri;
pub mod values;

pub use uri::check_fetched;

#[cfg(test)]
mod tests;

/// The most redirect URIs of a client.
const MOST_URIS: usize = 20;

/// The most keys of a client.
const MOST_KEYS: usize = 16;

/// Client metadata as it is written: names and values of RFC 7591, section 2, unless another source is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClientMetadata, example = json!({"client_name": "Build board", "redirect_uris": ["https://board.example.com/callback"], "scope": "runs:read runs:write"}))]
pub struct Written {
    /// What people are shown when they are asked to consent: 1 to 100 characters, none of them a control character.
    #[schema(example = "Build board", min_length = 1, max_length = 100)]
    client_name: String,
    /// `web`, or `native`: it runs on a person's machine (OpenID Connect Dynamic Client Registration 1.0, section 2; RFC 8252). Default: `web`.
    #[serde(default = "default_application_type")]
    #[schema(example = "web")]
    application_type: String,
    /// How the client proves itself: `client_secret_basic`, `client_secret_post`, `private_key_jwt`, or `none` for one that keeps no secret.
    /// Default: `client_secret_basic`.
    #[serde(default = "default_auth_method")]
    #[schema(example = "client_secret_basic")]
    token_endpoint_auth_method: String,
    /// How it gets tokens: `authorization_code`, `refresh_token`, `client_credentials`, `urn:ietf:params:oauth:grant-type:device_code`,
    /// `urn:ietf:params:oauth:grant-type:token-exchange`, `urn:ietf:params:oauth:grant-type:jwt-bearer`. Default: `authorization_code`.
    #[serde(default = "default_grant_types")]
    #[schema(example = json!(["authorization_code", "refresh_token"]), min_items = 1)]
    grant_types: Vec<String>,
    /// Where a person's browser is sent back to, with `authorization_code` and only then; compared as they stand. `https`; for `native`
    /// also `http` to a loopback address, whose port may be any (RFC 8252, section 7.3), and schemes that are a domain name in reverse (section 7.1).
    #[serde(default)]
    #[schema(example = json!(["https://board.example.com/callback"]), max_items = 20)]
    redirect_uris: Vec<String>,
    /// What it may ask for: rights of docs/auth.md and `openid`, with spaces between them (RFC 6749, section 3.3). Nobody gives a client a right that
    /// they do not have.
    #[schema(example = "runs:read runs:write")]
    scope: String,
    /// With `private_key_jwt`, unless there is a `jwks_uri`: the client's public keys, Ed25519 or P-256, as a JWK Set (RFC 7517, section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    jwks: Option<Value>,
    /// With `private_key_jwt`, unless there are `jwks`: where the client publishes them; `https`, and a name instead of an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "https://board.example.com/jwks.json", max_length = 2000)]
    jwks_uri: Option<String>,
    /// Whether it gets only tokens that are bound to a key of its own (RFC 9449, section 5.2). Default: false.
    #[serde(default)]
    dpop_bound_access_tokens: bool,
    /// How its access tokens are signed: `EdDSA`, or `ES256` for services that read nothing else. Default: `EdDSA`.
    #[serde(default = "default_algorithm")]
    #[schema(example = "EdDSA")]
    access_token_signed_response_alg: String,
    /// How its ID tokens are signed: `EdDSA`, `ES256` or `RS256` (OpenID Connect Dynamic Client Registration 1.0, section 2). Default: `EdDSA`.
    #[serde(default = "default_algorithm")]
    #[schema(example = "EdDSA")]
    id_token_signed_response_alg: String,
}

fn default_application_type() -> String {
    ApplicationType::Web.as_str().to_owned()
}

fn default_auth_method() -> String {
    AuthMethod::ClientSecretBasic.as_str().to_owned()
}

fn default_grant_types() -> Vec<String> {
    vec![GrantType::AuthorizationCode.as_str().to_owned()]
}

fn default_algorithm() -> String {
    Algorithm::EdDsa.as_str().to_owned()
}

/// Client metadata that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// What people are shown.
    pub name: String,
    /// Where it runs.
    pub application_type: ApplicationType,
    /// How it proves itself.
    pub auth_method: AuthMethod,
    /// How it gets tokens.
    pub grant_types: Vec<GrantType>,
    /// Where a person's browser is sent back to.
    pub redirect_uris: Vec<String>,
    /// What it may ask for.
    pub scopes: Vec<Scope>,
    /// Its keys.
    pub keys: Keys,
    /// Whether it gets only tokens that are bound to a key of its own.
    pub dpop_bound: bool,
    /// How its access tokens are signed.
    pub access_token_algorithm: Algorithm,
    /// How its ID tokens are signed.
    pub id_token_algorithm: Algorithm,
}

/// The public keys of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// It has none.
    None,
    /// As a JWK Set.
    Set(Map<String, Value>),
    /// Where the client publishes them.
    Uri(String),
}

/// What is wrong with client metadata, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The member.
    pub field: String,
    /// What is wrong and what to do about it.
    pub message: String,
}

impl Flaw {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl Written {
    /// Checks it, member by member and as a whole.
    pub fn check(self) -> Result<Metadata, Flaw> {
        domain::display_name::check(&self.client_name).map_err(|error| Flaw::new("client_name", error.to_string()))?;
        let application_type = one_of(
            "application_type",
            &self.application_type,
            ApplicationType::parse(&self.application_type),
            ApplicationType::ALL,
            ApplicationType::as_str,
        )?;
        let auth_method = one_of(
            "token_endpoint_auth_method",
            &self.token_endpoint_auth_method,
            AuthMethod::parse(&self.token_endpoint_auth_method),
            AuthMethod::ALL,
            AuthMethod::as_str,
        )?;
        let grant_types = grant_types(&self.grant_types, auth_method)?;
        let access_token_algorithm = one_of(
            "access_token_signed_response_alg",
            &self.access_token_signed_response_alg,
            Algorithm::parse(&self.access_token_signed_response_alg).filter(|a| a.signs_access_tokens()),
            Algorithm::OF_ACCESS_TOKENS,
            Algorithm::as_str,
        )?;
        let id_token_algorithm = one_of(
            "id_token_signed_response_alg",
            &self.id_token_signed_response_alg,
            Algorithm::parse(&self.id_token_signed_response_alg),
            Algorithm::ALL,
            Algorithm::as_str,
        )?;
        let with_code = grant_types.contains(&GrantType::AuthorizationCode);
        redirect_uris(&self.redirect_uris, application_type, with_code)?;
        Ok(Metadata {
            keys: keys(self.jwks, self.jwks_uri, auth_method)?,
            name: self.client_name,
            application_type,
            auth_method,
            grant_types,
            redirect_uris: self.redirect_uris,
            scopes: scopes(&self.scope)?,
            dpop_bound: self.dpop_bound_access_tokens,
            access_token_algorithm,
            id_token_algorithm,
        })
    }
}

impl From<Metadata> for Written {
    fn from(metadata: Metadata) -> Self {
        let scopes: Vec<&str> = metadata.scopes.iter().map(|scope| scope.as_str()).collect();
        let (jwks, jwks_uri) = match metadata.keys {
            Keys::None => (None, None),
            Keys::Set(set) => (Some(Value::Object(set)), None),
            Keys::Uri(uri) => (None, Some(uri)),
        };
        Self {
            client_name: metadata.name,
            application_type: metadata.application_type.as_str().to_owned(),
            token_endpoint_auth_method: metadata.auth_method.as_str().to_owned(),
            grant_types: metadata.grant_types.iter().map(|g| g.as_str().to_owned()).collect(),
            redirect_uris: metadata.redirect_uris,
            scope: scopes.join(" "),
            jwks,
            jwks_uri,
            dpop_bound_access_tokens: metadata.dpop_bound,
            access_token_signed_response_alg: metadata.access_token_algorithm.as_str().to_owned(),
            id_token_signed_response_alg: metadata.id_token_algorithm.as_str().to_owned(),
        }
    }
}

/// The value that was found for a text, or what could have been written.
fn one_of<T, const N: usize>(
    field: &str,
    text: &str,
    found: Option<T>,
    all: [T; N],
    name: impl Fn(T) -> &'static str,
) -> Result<T, Flaw> {
    found.ok_or_else(|| Flaw::new(field, format!("{text:?} is none of {}", all.map(name).join(", "))))
}

fn grant_types(texts: &[String], auth_method: AuthMethod) -> Result<Vec<GrantType>, Flaw> {
    let mut grants = BTreeSet::new();
    for (place, text) in texts.iter().enumerate() {
        let field = format!("grant_types[{place}]");
        let grant = one_of(&field, text, GrantType::parse(text), GrantType::ALL, GrantType::as_str)?;
        if auth_method == AuthMethod::None && grant.needs_proof() {
            let message =
                "a client that keeps no secret cannot prove itself: choose another token_endpoint_auth_method";
            return Err(Flaw::new(field, message));
        }
        grants.insert(grant);
    }
    let refreshed = [GrantType::AuthorizationCode, GrantType::DeviceCode];
    if grants.is_empty() {
        return Err(Flaw::new("grant_types", "name at least one, as authorization_code"));
    }
    if grants.contains(&GrantType::RefreshToken) && !refreshed.iter().any(|grant| grants.contains(grant)) {
        let message =
            "a refresh token comes with authorization_code or urn:ietf:params:oauth:grant-type:device_code: name one";
        return Err(Flaw::new("grant_types", message));
    }
    Ok(grants.into_iter().collect())
}

fn redirect_uris(uris: &[String], application_type: ApplicationType, with_code: bool) -> Result<(), Flaw> {
    const FIELD: &str = "redirect_uris";
    match (with_code, uris.len()) {
        (true, 0) => return Err(Flaw::new(FIELD, "name at least one; authorization_code needs it")),
        (false, 1..) => {
            let message = "there is nobody to send back without authorization_code: leave them out";
            return Err(Flaw::new(FIELD, message));
        }
        (_, count) if count > MOST_URIS => return Err(Flaw::new(FIELD, format!("name at most {MOST_URIS}"))),
        _ => {}
    }
    for (place, text) in uris.iter().enumerate() {
        let flaw = |message| Flaw::new(format!("{FIELD}[{place}]"), message);
        uri::check_redirect(text, application_type).map_err(flaw)?;
        if uris[..place].contains(text) {
            return Err(flaw(format!("{text} comes twice")));
        }
    }
    Ok(())
}

fn scopes(text: &str) -> Result<Vec<Scope>, Flaw> {
    const FIELD: &str = "scope";
    let mut scopes = BTreeSet::new();
    for name in text.split(' ').filter(|name| !name.is_empty()) {
        let scope = Scope::parse(name)
            .ok_or_else(|| Flaw::new(FIELD, format!("{name:?} is no scope; docs/auth.md lists them")))?;
        scopes.insert(scope);
    }
    if scopes.is_empty() {
        return Err(Flaw::new(FIELD, "name at least one, as runs:read"));
    }
    Ok(scopes.into_iter().collect())
}

fn keys(set: Option<Value>, uri: Option<String>, auth_method: AuthMethod) -> Result<Keys, Flaw> {
    let proves = auth_method == AuthMethod::PrivateKeyJwt;
    let needless = |field| {
        Flaw::new(
            field,
            "keys are for the token_endpoint_auth_method private_key_jwt: leave them out",
        )
    };
    match (set, uri) {
        (Some(_), _) if !proves => Err(needless("jwks")),
        (_, Some(_)) if !proves => Err(needless("jwks_uri")),
        (Some(_), Some(_)) => Err(Flaw::new("jwks_uri", "write jwks or jwks_uri, not both")),
        (None, None) if proves => Err(Flaw::new("jwks", "private_key_jwt needs jwks or a jwks_uri")),
        (None, None) => Ok(Keys::None),
        (Some(set), None) => key_set(set).map(Keys::Set),
        (None, Some(text)) => match uri::check_fetched(&text) {
            Ok(()) => Ok(Keys::Uri(text)),
            Err(message) => Err(Flaw::new("jwks_uri", message)),
        },
    }
}

fn key_set(set: Value) -> Result<Map<String, Value>, Flaw> {
    let keys = match set {
        Value::Object(mut set) => set.remove("keys"),
        _ => None,
    };
    let mut keys = match keys {
        Some(Value::Array(keys)) if (1..=MOST_KEYS).contains(&keys.len()) => keys,
        _ => {
            let message = format!("write a JWK Set with 1 to {MOST_KEYS} keys: {{\"keys\": [...]}}");
            return Err(Flaw::new("jwks", message));
        }
    };
    let mut ids = BTreeSet::new();
    for (place, key) in keys.iter_mut().enumerate() {
        let field = format!("jwks.keys[{place}]");
        let Some((id, public)) = key.as_object().and_then(jwk_set::elliptic) else {
            let message = "write a public key that signs, Ed25519 or P-256, with no private member and a kid of 1 to 128 bytes, if any";
            return Err(Flaw::new(field, message));
        };
        if id.chars().any(char::is_control) || !ids.insert(id.clone()) {
            let message = "write a name that no other key has, without control characters";
            return Err(Flaw::new(format!("{field}.kid"), message));
        }
        // Other members mean nothing to us (RFC 7517, section 4).
        let mut kept = jwk::written(&public);
        kept.insert("kid".to_owned(), Value::String(id));
        *key = Value::Object(kept);
    }
    Ok(Map::from_iter([("keys".to_owned(), Value::Array(keys))]))
}
