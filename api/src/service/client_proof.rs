//! Which OAuth client it is that asks (RFC 6749, section 2.3).

use std::{fmt, sync::Arc};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;

use crate::{
    auth::{
        client::{
            Keys,
            assertion::{self, Assertion},
            values::AuthMethod,
        },
        hex,
        opaque::sha256,
    },
    documents::Documents,
    service::standing::Standing,
    store::{
        Database, StoreError, assertions,
        clients::{self, Named},
    },
};

/// Where a client showed a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In the header (RFC 6749, section 2.3.1).
    Header,
    /// In the body.
    Body,
}

/// What a client shows.
#[derive(Clone, PartialEq, Eq)]
pub enum Shown {
    /// What it calls itself by, and nothing else.
    Name(String),
    /// Its secret, and where that stood.
    Secret(String, String, Where),
    /// What it signed, which says what it calls itself by.
    Assertion(String),
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name(_) => "Name(..)",
            Self::Secret(..) => "Secret(..)",
            Self::Assertion(_) => "Assertion(..)",
        })
    }
}

/// What proved a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Nothing: it keeps no secret.
    Nothing,
    /// A secret, as that is stored.
    Secret([u8; 32]),
    /// A key, of this thumbprint.
    Key(String),
}

/// A client that is who it says.
#[derive(Debug, Clone)]
pub struct Proved {
    /// The client.
    pub client: Arc<Named>,
    /// What proved it.
    pub by: By,
}

/// What clients are judged with.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The database.
    pub database: &'a Database,
    /// What is known of clients.
    pub standing: &'a Standing,
    /// What clients publish of themselves.
    pub documents: &'a Documents,
    /// For whom an assertion must be.
    pub issuer: &'a str,
}

impl By {
    /// What a token says of it: the token ends with it.
    pub fn fingerprint(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Secret(hash) => of_secret(hash),
            Self::Key(thumbprint) => thumbprint.clone(),
        }
    }
}

/// What a token says of the secret that it was got by.
pub fn of_secret(hash: &[u8; 32]) -> String {
    hex::encode(&sha256(hash)[..8])
}

impl Judge<'_> {
    /// The client, if what it shows proves it; an assertion is spent. Why not is not told, and takes as long: it would tell which clients
    /// there are.
    pub async fn prove(self, shown: &Shown, now: Timestamp) -> Result<Option<Proved>, StoreError> {
        match shown {
            Shown::Name(client_id) => {
                let is_public =
                    async |client: &Named| Ok((client.metadata.auth_method == AuthMethod::None).then_some(By::Nothing));
                self.known(client_id, is_public).await
            }
            Shown::Secret(client_id, secret, place) => {
                let proves = async |client: &Named| Ok(by_secret(client, secret, *place, now));
                self.known(client_id, proves).await
            }
            Shown::Assertion(text) => match assertion::read(text) {
                Some(read) => {
                    let proves = async |client: &Named| self.by_assertion(client, &read, now).await;
                    self.known(&read.client_id, proves).await
                }
                None => Ok(None),
            },
        }
    }

    async fn known(
        self,
        client_id: &str,
        judge: impl AsyncFnOnce(&Named) -> Result<Option<By>, StoreError>,
    ) -> Result<Option<Proved>, StoreError> {
        let is_remembered = self.standing.remembers_client(client_id);
        let Some(client) = self.standing.find_client(client_id).await? else {
            return Ok(None);
        };
        let by = judge(&client).await?;
        if by.is_none() && is_remembered {
            // The database was asked for one that there is not.
            clients::find(self.database.pool(), client_id).await?;
        }
        Ok(by.map(|by| Proved { client, by }))
    }

    async fn by_assertion(
        self,
        client: &Named,
        assertion: &Assertion<'_>,
        now: Timestamp,
    ) -> Result<Option<By>, StoreError> {
        if client.metadata.auth_method != AuthMethod::PrivateKeyJwt {
            return Ok(None);
        }
        let proved = match &client.metadata.keys {
            Keys::None => None,
            Keys::Set(set) => assertion.judge(set, self.issuer, now),
            Keys::Uri(place) => match self.documents.keys(place, |set| assertion.is_signed_by(set)).await? {
                Some(set) => assertion.judge(&set, self.issuer, now),
                None => None,
            },
        };
        let Some(proved) = proved else { return Ok(None) };
        let first = assertions::spend(self.database.pool(), &proved.digest, proved.forget_at).await?;
        Ok(first.then_some(By::Key(proved.thumbprint)))
    }
}

fn by_secret(client: &Named, secret: &str, place: Where, now: Timestamp) -> Option<By> {
    let given = sha256(secret.as_bytes());
    let method = match place {
        Where::Header => AuthMethod::ClientSecretBasic,
        Where::Body => AuthMethod::ClientSecretPost,
    };
    let is = |hash: [u8; 32]| verify_slices_are_equal(&hash, &given).is_ok();
    let proves = !secret.is_empty() && client.metadata.auth_method == method && client.secrets(now).any(is);
    proves.then_some(By::Secret(given))
}
