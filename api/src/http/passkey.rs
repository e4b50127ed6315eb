//! Passkeys as browsers' scripts know them: the JSON of Web Authentication, sections 5.1.8 to 5.1.10. What is given here goes as it
//! is into `PublicKeyCredential.parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON`, and what `toJSON` of the
//! credential gives comes back.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::OverseerId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{
        jws,
        webauthn::{ALGORITHMS, RelyingParty},
    },
    http::error::ApiError,
    service::passkeys::{Asked, LIFETIME},
    store::accounts::Person,
};

/// A kind of credential; there is one.
const KIND: &str = "public-key";

/// What a browser is asked for who is to use a passkey (`PublicKeyCredentialRequestOptionsJSON`).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyRequest {
    /// What is to be signed.
    challenge: String,
    /// Whom the passkey is for.
    #[schema(example = "pinfold.example")]
    rp_id: String,
    /// How long it can be answered, in milliseconds.
    #[schema(example = 300_000)]
    timeout: i64,
    /// Whether the authenticator is to find out who touches it: as it can.
    #[schema(example = "preferred")]
    user_verification: &'static str,
    /// The passkeys that count.
    allow_credentials: Vec<Credential>,
}

/// A passkey, to a browser (`PublicKeyCredentialDescriptorJSON`).
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = PasskeyCredential)]
pub struct Credential {
    /// The authenticator's name of it, base64url.
    id: String,
    /// `public-key`.
    #[schema(example = "public-key")]
    r#type: &'static str,
}

/// What a browser is asked for who is to make a passkey (`PublicKeyCredentialCreationOptionsJSON`).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyCreation {
    /// Whom the passkey is for.
    rp: Party,
    /// Whose it is.
    user: User,
    /// What is to be signed.
    challenge: String,
    /// Algorithms of keys, the best first (IANA, COSE algorithms).
    pub_key_cred_params: Vec<Parameter>,
    /// How long it can be answered, in milliseconds.
    #[schema(example = 300_000)]
    timeout: i64,
    /// The passkeys that there are: an authenticator has one for an account.
    exclude_credentials: Vec<Credential>,
    /// What the authenticator is to be able to do.
    authenticator_selection: Selection,
    /// Whether it is asked who made the authenticator: no.
    #[schema(example = "none")]
    attestation: &'static str,
}

/// The service, to a browser.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PasskeyParty)]
pub struct Party {
    /// The host of the service's address.
    #[schema(example = "pinfold.example")]
    id: String,
    /// What people know it by.
    #[schema(example = "Pinfold")]
    name: &'static str,
}

/// A person, to an authenticator.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PasskeyUser)]
pub struct User {
    /// The account's id, base64url.
    id: String,
    /// The address, or the name of who has none.
    #[schema(example = "ada@example.com")]
    name: String,
    /// The name.
    #[schema(example = "Ada Lovelace")]
    display_name: String,
}

/// An algorithm, to a browser.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PasskeyParameter)]
pub struct Parameter {
    /// `public-key`.
    #[schema(example = "public-key")]
    r#type: &'static str,
    /// The algorithm.
    #[schema(example = -8)]
    alg: i64,
}

/// What an authenticator is to be able to do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PasskeySelection)]
pub struct Selection {
    /// Whether it is to find the passkey without its id: as it can.
    #[schema(example = "preferred")]
    resident_key: &'static str,
    /// Whether it is to find out who touches it: as it can.
    #[schema(example = "preferred")]
    user_verification: &'static str,
}

/// A new passkey, as a browser gives it (`RegistrationResponseJSON`). Members that are not named here are passed over.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PasskeyRegistration {
    /// What authenticator and browser say.
    pub response: Attested,
}

/// What authenticator and browser say of a new passkey.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PasskeyAttestation)]
pub struct Attested {
    /// What the browser says: JSON, base64url.
    #[serde(rename = "clientDataJSON")]
    #[schema(value_type = String, max_length = 8192)]
    pub client_data_json: Bytes,
    /// What the authenticator says: CBOR, base64url.
    #[schema(value_type = String, max_length = 32768)]
    pub attestation_object: Bytes,
}

/// A passkey in use, as a browser gives it (`AuthenticationResponseJSON`). Members that are not named here are passed over.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PasskeyAssertion {
    /// The authenticator's name of the passkey, base64url.
    #[schema(value_type = String, example = "oS3iNqkVjJkN5RTG0kHhBg", max_length = 1364)]
    pub id: Bytes,
    /// What authenticator and browser say.
    pub response: Asserted,
}

/// What authenticator and browser say of a passkey in use.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PasskeyAnswer)]
pub struct Asserted {
    /// What the browser says: JSON, base64url.
    #[serde(rename = "clientDataJSON")]
    #[schema(value_type = String, max_length = 8192)]
    pub client_data_json: Bytes,
    /// What the authenticator says, base64url.
    #[schema(value_type = String, max_length = 8192)]
    pub authenticator_data: Bytes,
    /// The signature over both, base64url.
    #[schema(value_type = String, max_length = 2048)]
    pub signature: Bytes,
    /// Whose passkey it is, base64url: the account's id, if the authenticator says so.
    #[schema(value_type = Option<String>, max_length = 88)]
    pub user_handle: Option<Bytes>,
}

/// Bytes in base64url without padding.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Bytes(pub Vec<u8>);

impl TryFrom<String> for Bytes {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        jws::decode(&text).map(Self).ok_or("write base64url without padding")
    }
}

impl PasskeyRequest {
    /// Asks for one of a person's passkeys.
    pub fn new(asked: &Asked, party: &RelyingParty) -> Self {
        Self {
            challenge: asked.challenge.text(),
            rp_id: party.id.clone(),
            timeout: milliseconds(),
            user_verification: "preferred",
            allow_credentials: credentials(asked),
        }
    }
}

impl PasskeyCreation {
    /// Asks for a new passkey of a person.
    pub fn new(asked: &Asked, party: &RelyingParty, person: Person) -> Self {
        Self {
            rp: Party {
                id: party.id.clone(),
                name: "Pinfold",
            },
            user: User {
                id: handle(person.id),
                name: person.email.unwrap_or_else(|| person.name.clone()),
                display_name: person.name,
            },
            challenge: asked.challenge.text(),
            pub_key_cred_params: ALGORITHMS.map(|alg| Parameter { r#type: KIND, alg }).into(),
            timeout: milliseconds(),
            exclude_credentials: credentials(asked),
            authenticator_selection: Selection {
                resident_key: "preferred",
                user_verification: "preferred",
            },
            attestation: "none",
        }
    }
}

/// Whom passkeys are for, without which there are none.
pub fn party(state: &AppState) -> Result<&RelyingParty, ApiError> {
    state.relying_party.as_deref().ok_or_else(|| ApiError::Conflict {
        code: "passkeys_unavailable",
        message: "passkeys are for a name, and this service's address (http.service_url) has a number".to_owned(),
    })
}

/// The account, as authenticators keep it.
fn handle(overseer: OverseerId) -> String {
    URL_SAFE_NO_PAD.encode(overseer.as_bytes())
}

fn milliseconds() -> i64 {
    LIFETIME.as_secs() * 1000
}

fn credentials(asked: &Asked) -> Vec<Credential> {
    let all = asked.credentials.iter();
    all.map(|id| Credential {
        id: URL_SAFE_NO_PAD.encode(id),
        r#type: KIND,
    })
    .collect()
}
