//! The public key of a credential (`COSE_Key`; RFC 9053, section 7; RFC 8230, section 4).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use minicbor::{Decoder, data::Type};

use crate::auth::jws::PublicKey;

/// What is offered to authenticators, the best first: `EdDSA`, `ES256`, and `RS256` for those of older computers (IANA, COSE algorithms).
pub const ALGORITHMS: [i64; 3] = [-8, -7, -257];

/// A key with the one algorithm that it is used with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CredentialKey(PublicKey);

/// The members of a key, by their labels.
#[derive(Default)]
struct Members<'a> {
    kind: Option<i64>,
    algorithm: Option<i64>,
    curve: Option<i64>,
    minus_1: Option<&'a [u8]>,
    minus_2: Option<&'a [u8]>,
    minus_3: Option<&'a [u8]>,
}

impl CredentialKey {
    /// Reads a key of an algorithm that was offered.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let members = Members::read(bytes)?;
        let key = match (members.kind?, members.algorithm?) {
            // OKP on Ed25519: -1 the curve, -2 the point.
            (1, -8) if members.curve == Some(6) => PublicKey::Ed25519(members.minus_2?.try_into().ok()?),
            // EC2 on P-256: -1 the curve, -2 and -3 the coordinates.
            (2, -7) if members.curve == Some(1) => {
                let (x, y): ([u8; 32], [u8; 32]) =
                    (members.minus_2?.try_into().ok()?, members.minus_3?.try_into().ok()?);
                PublicKey::P256([&[4], &x[..], &y[..]].concat().try_into().ok()?)
            }
            // RSA: -1 the modulus, -2 the exponent.
            (3, -257) => PublicKey::rsa(members.minus_1?.to_owned(), members.minus_2?.to_owned())?,
            _ => return None,
        };
        Some(Self(key))
    }

    /// Whether this key signed a message. A signature on P-256 is in ASN.1 here (Web Authentication, section 6.5.5).
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            PublicKey::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
                .verify(message, signature)
                .is_ok(),
            other => other.verify(message, signature),
        }
    }
}

impl<'a> Members<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Decoder::new(bytes);
        let mut members = Self::default();
        for _ in 0..reader.map().ok()?? {
            let label = reader.i64().ok()?;
            let is_bytes = reader.datatype().ok()? == Type::Bytes;
            let twice = match label {
                1 => members.kind.replace(reader.i64().ok()?).is_some(),
                3 => members.algorithm.replace(reader.i64().ok()?).is_some(),
                -1 if !is_bytes => members.curve.replace(reader.i64().ok()?).is_some(),
                -1 => members.minus_1.replace(reader.bytes().ok()?).is_some(),
                -2 => members.minus_2.replace(reader.bytes().ok()?).is_some(),
                -3 => members.minus_3.replace(reader.bytes().ok()?).is_some(),
                _ => {
                    reader.skip().ok()?;
                    false
                }
            };
            if twice {
                return None;
            }
        }
        (reader.position() == bytes.len()).then_some(members)
    }
}
