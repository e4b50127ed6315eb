//! Keys that sign our tokens: Ed25519, and P-256 and RSA for clients that read nothing else.

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    error::{KeyRejected, Unspecified},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::json;

use crate::auth::{
    jws::PublicKey,
    random::{NoRandom, random},
};

/// How a token is signed (RFC 7518, section 3.1; RFC 8037, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// RSA with PKCS #1 v1.5 and SHA-256, for ID tokens alone.
    Rs256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// Those that access tokens are signed with (docs/adr/0017-algorithms-of-tokens.md).
    pub const OF_ACCESS_TOKENS: [Self; 2] = [Self::EdDsa, Self::Es256];

    /// As it is stored, and named in headers and requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == text)
    }

    /// Whether access tokens are signed with it.
    pub fn signs_access_tokens(self) -> bool {
        Self::OF_ACCESS_TOKENS.contains(&self)
    }
}

/// Both halves of a key.
#[derive(Debug)]
pub enum Pair {
    /// Of Ed25519.
    Ed25519(Ed25519KeyPair),
    /// Of P-256.
    P256(EcdsaKeyPair),
    /// Of RSA.
    Rsa(RsaKeyPair),
}

/// The cryptography failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptography failed")]
pub struct Failed;

impl From<Unspecified> for Failed {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

impl From<KeyRejected> for Failed {
    fn from(_: KeyRejected) -> Self {
        Self
    }
}

impl From<NoRandom> for Failed {
    fn from(_: NoRandom) -> Self {
        Self
    }
}

/// Makes the private half of a key, as [`Pair::open`] takes it: the seed (RFC 8032, section 5.1.5), or PKCS #8 (RFC 5958). RSA takes a
/// good part of a second.
pub fn generate(algorithm: Algorithm) -> Result<Vec<u8>, Failed> {
    Ok(match algorithm {
        Algorithm::EdDsa => random::<32>()?.to_vec(),
        Algorithm::Es256 => {
            let random = SystemRandom::new();
            let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
            made.as_ref().to_vec()
        }
        Algorithm::Rs256 => {
            let made: Pkcs8V1Der<'_> = RsaKeyPair::generate(KeySize::Rsa2048)?.as_der()?;
            made.as_ref().to_vec()
        }
    })
}

impl Pair {
    /// The key of a private half.
    pub fn open(algorithm: Algorithm, private: &[u8]) -> Result<Self, Failed> {
        Ok(match algorithm {
            Algorithm::EdDsa => Self::Ed25519(Ed25519KeyPair::from_seed_unchecked(private)?),
            Algorithm::Es256 => Self::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private)?),
            Algorithm::Rs256 => Self::Rsa(RsaKeyPair::from_pkcs8(private)?),
        })
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::P256(_) => Algorithm::Es256,
            Self::Rsa(_) => Algorithm::Rs256,
        }
    }

    /// Its public half.
    pub fn public(&self) -> Result<PublicKey, Failed> {
        Ok(match self {
            Self::Ed25519(pair) => PublicKey::Ed25519(pair.public_key().as_ref().try_into().map_err(|_| Failed)?),
            Self::P256(pair) => PublicKey::P256(pair.public_key().as_ref().try_into().map_err(|_| Failed)?),
            Self::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = pair.public_key().into();
                PublicKey::rsa(n, e).ok_or(Failed)?
            }
        })
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failed> {
        let random = SystemRandom::new();
        Ok(match self {
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::P256(pair) => pair.sign(&random, message)?.as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                signature
            }
        })
    }
}

/// Signs claims as a compact JWS (RFC 7515, section 7.1).
pub fn sign(type_: &str, key_id: &str, pair: &Pair, claims: &impl Serialize) -> Result<String, Failed> {
    let header = json!({"alg": pair.algorithm().as_str(), "kid": key_id, "typ": type_});
    let claims = serde_json::to_vec(claims).map_err(|_| Failed)?;
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = pair.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::auth::jws::parse;

    const TYPE: &str = "at+jwt";

    #[test]
    fn what_is_signed_with_a_key_is_accepted_with_that_key() {
        let claims = json!({"sub": "a"});
        let mut tokens = Vec::new();
        for algorithm in Algorithm::ALL {
            let pair = Pair::open(algorithm, &generate(algorithm).unwrap()).unwrap();
            assert_eq!(pair.algorithm(), algorithm);
            let token = sign(TYPE, "k1", &pair, &claims).unwrap();
            tokens.push((token, pair.public().unwrap()));
        }
        for (place, (token, _)) in tokens.iter().enumerate() {
            let parsed = parse(token).unwrap();
            assert_eq!(parsed.key_id(), Some("k1"));
            let read = |(_, key): &(String, PublicKey)| parsed.verify(TYPE, key).map(Value::Object);
            let mut wanted = vec![None, None, None];
            wanted[place] = Some(claims.clone());
            assert_eq!(tokens.iter().map(read).collect::<Vec<_>>(), wanted);
        }
    }

    #[test]
    fn a_private_half_is_of_one_algorithm() {
        for of in Algorithm::ALL {
            let private = generate(of).unwrap();
            let opens = Algorithm::ALL.map(|algorithm| Pair::open(algorithm, &private).is_ok());
            assert_eq!(opens, Algorithm::ALL.map(|algorithm| algorithm == of));
        }
    }
}
