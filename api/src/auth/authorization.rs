//! Requests for authorization (RFC 6749, section 4.1.1, with what OAuth 2.1, RFC 7636, RFC 8707, RFC 9449 and OpenID Connect Core 1.0 add):
//! checked against what was registered of the client, before anybody is asked anything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::auth::{
    client::{
        Metadata, document,
        values::{ApplicationType, GrantType, Scope},
    },
    jws, pkce,
};

/// The longest `state`, in bytes. It is the client's, and comes back as it is.
const LONGEST_STATE: usize = 4096;

/// The longest `nonce`, in bytes.
const LONGEST_NONCE: usize = 1024;

/// What may come more than once, and means so (RFC 8707, section 2).
pub const RESOURCE: &str = "resource";

/// The parameters of a request, each of which came once.
pub type Parameters = BTreeMap<String, String>;

/// A request that a person can be asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Where the browser goes back to.
    pub redirect_uri: String,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// What the client wants back as it is.
    pub state: Option<String>,
    /// SHA-256 of what the client is to show besides the code, as it came.
    pub code_challenge: String,
    /// The key that the code is to be bound to.
    pub dpop_jkt: Option<String>,
    /// What the client wants to find in an ID token.
    pub nonce: Option<String>,
    /// How the person is to be asked.
    pub prompt: Prompt,
    /// How many seconds ago the person must have logged in at most.
    pub max_age: Option<u32>,
}

/// How a person is to be asked (OpenID Connect Core 1.0, section 3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// As far as is needed.
    #[default]
    AsNeeded,
    /// Not at all.
    None,
    /// For the consent in any case.
    Consent,
    /// For a login in any case.
    Login,
    /// For both in any case.
    LoginAndConsent,
}

/// Why nobody is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// Where to send the browser is not known for sure: the person is told, and nobody else (RFC 6749, section 4.1.2.1).
    Here(String),
    /// The client is told.
    Back(Back),
}

/// An error that goes back to the client by the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// Where to.
    pub redirect_uri: String,
    /// What the client wants back as it is.
    pub state: Option<String>,
    /// The RFC's code.
    pub code: &'static str,
    /// What is wrong and what to do about it.
    pub description: String,
}

/// The parts of a request that were read so far.
struct Reading<'a> {
    parameters: &'a Parameters,
    redirect_uri: String,
    state: Option<String>,
}

impl Reading<'_> {
    fn flaw(&self, code: &'static str, description: impl Into<String>) -> Flaw {
        Flaw::Back(Back {
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
            code,
            description: description.into(),
        })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// Checks a request against what was registered of the client that it names.
pub fn check(parameters: &Parameters, metadata: &Metadata, issuer: &str) -> Result<Request, Flaw> {
    let redirect_uri = redirect_uri(parameters.get("redirect_uri"), metadata).map_err(Flaw::Here)?;
    let state = parameters.get("state").cloned();
    let too_long = state.as_ref().is_some_and(|state| state.len() > LONGEST_STATE);
    let reading = Reading {
        parameters,
        redirect_uri,
        state: state.filter(|_| !too_long),
    };
    if too_long {
        return Err(reading.flaw("invalid_request", format!("state: write at most {LONGEST_STATE} bytes")));
    }
    ways(&reading, metadata)?;
    let code_challenge = code_challenge(&reading)?;
    let scopes = scopes(&reading, metadata)?;
    target(&reading, issuer)?;
    let dpop_jkt = reading.get("dpop_jkt").map(str::to_owned);
    if dpop_jkt.as_deref().is_some_and(|jkt| !is_thumbprint(jkt)) {
        return Err(reading.flaw(
            "invalid_request",
            "dpop_jkt: write the SHA-256 thumbprint of a key (RFC 7638), 43 characters of base64url",
        ));
    }
    let nonce = reading.get("nonce").map(str::to_owned);
    if nonce.as_ref().is_some_and(|nonce| nonce.len() > LONGEST_NONCE) {
        return Err(reading.flaw("invalid_request", format!("nonce: write at most {LONGEST_NONCE} bytes")));
    }
    let prompt = prompt(&reading)?;
    let max_age = match reading.get("max_age").map(str::parse) {
        None => None,
        Some(Ok(seconds)) => Some(seconds),
        Some(Err(_)) => return Err(reading.flaw("invalid_request", "max_age: write a number of seconds")),
    };
    Ok(Request {
        redirect_uri: reading.redirect_uri,
        scopes,
        state: reading.state,
        code_challenge,
        dpop_jkt,
        nonce,
        prompt,
        max_age,
    })
}

/// What the token is to be for (RFC 8707): there is one resource.
fn target(reading: &Reading<'_>, issuer: &str) -> Result<(), Flaw> {
    let client_id = reading.get("client_id").unwrap_or_default();
    names_resource(client_id, reading.parameters, issuer).map_err(|message| reading.flaw("invalid_target", message))?;
    match reading.get(RESOURCE) {
        Some(resource) if resource.trim_end_matches('/') != issuer => {
            Err(reading.flaw("invalid_target", format!("resource: write {issuer}")))
        }
        _ => Ok(()),
    }
}

/// Whether a client says what the token is to be for that has to: one that describes itself (MCP authorization 2026-07-28).
pub fn names_resource(client_id: &str, parameters: &Parameters, issuer: &str) -> Result<(), String> {
    if document::is_name(client_id) && !parameters.contains_key(RESOURCE) {
        return Err(format!("resource is missing: write {issuer}"));
    }
    Ok(())
}

/// Whether what was asked for is still what the client may ask for: it may have changed since.
pub fn still_fits(asked: &Request, metadata: &Metadata) -> bool {
    redirect_uri(Some(&asked.redirect_uri), metadata).is_ok()
        && metadata.grant_types.contains(&GrantType::AuthorizationCode)
        && asked.scopes().iter().all(|scope| metadata.scopes.contains(scope))
}

/// Whether a text is the SHA-256 thumbprint of a key.
pub fn is_thumbprint(text: &str) -> bool {
    text.len() == 43 && jws::decode(text).is_some()
}

/// Of the ways to answer there is one.
fn ways(reading: &Reading<'_>, metadata: &Metadata) -> Result<(), Flaw> {
    for (name, code) in [
        ("request", "request_not_supported"),
        ("registration", "registration_not_supported"),
    ] {
        if reading.get(name).is_some() {
            return Err(reading.flaw(code, format!("{name}: leave it out; write its members as parameters")));
        }
    }
    match reading.get("response_type") {
        Some("code") => {}
        Some(_) => return Err(reading.flaw("unsupported_response_type", "response_type: write code")),
        None => return Err(reading.flaw("invalid_request", "response_type is missing: write code")),
    }
    if reading.get("response_mode").is_some_and(|mode| mode != "query") {
        return Err(reading.flaw("invalid_request", "response_mode: leave it out, or write query"));
    }
    if !metadata.grant_types.contains(&GrantType::AuthorizationCode) {
        return Err(reading.flaw(
            "unauthorized_client",
            "the client is not registered for authorization_code; name it in its grant_types",
        ));
    }
    Ok(())
}

fn code_challenge(reading: &Reading<'_>) -> Result<String, Flaw> {
    let Some(challenge) = reading.get("code_challenge") else {
        return Err(reading.flaw("invalid_request", "code_challenge is missing (RFC 7636)"));
    };
    // Left out it would be `plain` (section 4.3), which shows nothing to anybody who reads along.
    if reading.get("code_challenge_method") != Some(pkce::METHOD) {
        return Err(reading.flaw("invalid_request", "code_challenge_method: write S256"));
    }
    if pkce::challenge(challenge).is_none() {
        return Err(reading.flaw(
            "invalid_request",
            "code_challenge: write SHA-256 of the verifier, 43 characters of base64url",
        ));
    }
    Ok(challenge.to_owned())
}

fn scopes(reading: &Reading<'_>, metadata: &Metadata) -> Result<Vec<String>, Flaw> {
    let asked = asked_scopes(reading.get("scope"), metadata);
    let asked = asked.map_err(|message| reading.flaw("invalid_scope", message))?;
    Ok(Scope::names(&asked))
}

/// What is asked for, which the client must be registered for; without, all rights that it is registered for. Names of what is no scope here are passed
/// over (OpenID Connect Core 1.0, section 3.1.2.1): clients ask many services for the same.
pub fn asked_scopes(text: Option<&str>, metadata: &Metadata) -> Result<Vec<Scope>, &'static str> {
    let Some(text) = text else {
        let rights = metadata.scopes.iter().filter(|scope| matches!(scope, Scope::Right(_)));
        let rights: Vec<Scope> = rights.copied().collect();
        return if rights.is_empty() {
            Err("scope is missing")
        } else {
            Ok(rights)
        };
    };
    let mut scopes = Vec::new();
    let wanted = "scope: name some of those that the client is registered for, with one space between them";
    for name in text.split(' ') {
        match Scope::parse(name) {
            Some(scope) if scopes.contains(&scope) => {}
            Some(scope) if metadata.scopes.contains(&scope) => scopes.push(scope),
            None if !name.is_empty() => {}
            Some(_) | None => return Err(wanted),
        }
    }
    if scopes.is_empty() {
        return Err(wanted);
    }
    Ok(scopes)
}

fn prompt(reading: &Reading<'_>) -> Result<Prompt, Flaw> {
    let Some(text) = reading.get("prompt") else {
        return Ok(Prompt::AsNeeded);
    };
    let mut found = Prompt::AsNeeded;
    let mut words = text.split(' ').peekable();
    if words.peek() == Some(&"none") && words.clone().count() == 1 {
        return Ok(Prompt::None);
    }
    for word in words {
        found = match (word, found) {
            ("login", Prompt::AsNeeded | Prompt::Login) => Prompt::Login,
            ("login", _) | ("consent" | "select_account", Prompt::Login | Prompt::LoginAndConsent) => {
                Prompt::LoginAndConsent
            }
            ("consent" | "select_account", _) => Prompt::Consent,
            _ => {
                return Err(reading.flaw(
                    "invalid_request",
                    "prompt: write login, consent, select_account, or none alone",
                ));
            }
        };
    }
    Ok(found)
}

/// Where the browser goes back to: registered, character by character (RFC 9700, section 2.1); of a program on the person's own machine any
/// port of a loopback address (RFC 8252, section 7.3). It may be left out where there is one.
fn redirect_uri(asked: Option<&String>, metadata: &Metadata) -> Result<String, String> {
    match (asked, metadata.redirect_uris.as_slice()) {
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err("redirect_uri is missing".to_owned()),
        (Some(asked), registered) => {
            let same = |known: &String| known == asked || is_same_but_port(known, asked, metadata.application_type);
            if registered.iter().any(same) {
                Ok(asked.clone())
            } else {
                Err("redirect_uri: it is none that the client registered".to_owned())
            }
        }
    }
}

fn is_same_but_port(known: &str, asked: &str, application_type: ApplicationType) -> bool {
    if application_type != ApplicationType::Native {
        return false;
    }
    LOOPBACK.iter().any(|base| {
        let rest = |text: &str| -> Option<String> {
            let rest = text.strip_prefix(base)?;
            let Some(after) = rest.strip_prefix(':') else {
                return Some(rest.to_owned());
            };
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            let (port, rest) = after.split_at(digits);
            port.parse::<u16>().ok().map(|_| rest.to_owned())
        };
        // What stands behind the address begins a path, and nothing that another host could be.
        match (rest(known), rest(asked)) {
            (Some(known), Some(asked)) => known == asked && (known.is_empty() || known.starts_with(['/', '?'])),
            _ => false,
        }
    })
}

/// Addresses of a machine itself. A name is not among them: what it stands for is not ours to say.
const LOOPBACK: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// Where the browser is sent with an answer.
pub fn answer(redirect_uri: &str, parameters: &[(&str, &str)]) -> Option<String> {
    let mut url = Url::parse(redirect_uri).ok()?;
    url.query_pairs_mut().extend_pairs(parameters);
    Some(url.into())
}

impl Back {
    /// Where the browser is sent with the error; every answer says who gives it (RFC 9207).
    pub fn place(&self, issuer: &str) -> Option<String> {
        let mut parameters = vec![("error", self.code), ("error_description", self.description.as_str())];
        parameters.extend(self.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", issuer));
        answer(&self.redirect_uri, &parameters)
    }
}

impl Request {
    /// What is asked for, as this release knows it.
    pub fn scopes(&self) -> Vec<Scope> {
        Scope::parse_all(&self.scopes)
    }

    /// An error that answers it.
    pub fn refuse(&self, code: &'static str, description: impl Into<String>) -> Back {
        Back {
            redirect_uri: self.redirect_uri.clone(),
            state: self.state.clone(),
            code,
            description: description.into(),
        }
    }

    /// Where the browser is sent with a code.
    pub fn grant(&self, code: &str, issuer: &str) -> Option<String> {
        let mut parameters = vec![("code", code)];
        parameters.extend(self.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", issuer));
        answer(&self.redirect_uri, &parameters)
    }
}

#[cfg(test)]
mod tests;
