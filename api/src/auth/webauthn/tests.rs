use serde_json::{Value, json};

use super::*;
use crate::{
    auth::{jws::decode, opaque::Opaque},
    testing::{ISSUER, TestPasskey},
};

fn party() -> RelyingParty {
    RelyingParty::new(ISSUER, []).unwrap()
}

fn challenge_text() -> String {
    Opaque::new([7; 32]).text()
}

fn bytes(value: &Value) -> Vec<u8> {
    decode(value.as_str().unwrap()).unwrap()
}

/// What a new passkey says to a challenge.
fn attested(passkey: &mut TestPasskey) -> Result<Registered, Unbelieved> {
    let given = passkey.register(&json!({"challenge": challenge_text(), "user": {"id": "x"}}));
    registered(&bytes(&given["response"]["attestationObject"]), &party())
}

#[test]
fn a_passkey_of_either_curve_registers_and_answers() {
    for mut passkey in [TestPasskey::p256(), TestPasskey::ed25519()] {
        let made = attested(&mut passkey).unwrap();
        let wanted = Registered {
            id: passkey.id.clone(),
            key: passkey.cose(),
            counter: 0,
            backed_up: false,
        };
        assert_eq!(made, wanted);
        let given = passkey.answer(&json!({"challenge": challenge_text()}));
        let part = |name: &str| bytes(&given["response"][name]);
        let (data, client_data, signature) = (part("authenticatorData"), part("clientDataJSON"), part("signature"));
        let answer = Answer {
            authenticator_data: &data,
            client_data: &client_data,
            signature: &signature,
        };
        let counted = Asserted {
            counter: 1,
            backed_up: false,
        };
        assert_eq!(asserted(answer, &party(), &made.key, 0), Ok(counted));
        // It was seen already with this count.
        assert_eq!(asserted(answer, &party(), &made.key, 1), Err(Unbelieved::Copied));
        let other = TestPasskey::p256().cose();
        assert_eq!(asserted(answer, &party(), &other, 0), Err(Unbelieved::Signature));
        for i in 0..data.len() {
            let mut changed = data.clone();
            changed[i] ^= 0x20;
            let answer = Answer {
                authenticator_data: &changed,
                ..answer
            };
            assert!(
                asserted(answer, &party(), &made.key, 0).is_err(),
                "byte {i} of the data"
            );
        }
    }
}

#[test]
fn one_that_does_not_count_says_zero_each_time() {
    let passkey = TestPasskey::ed25519();
    let data = passkey.data(passkey.flags);
    let client_data = passkey.client_data(&json!(challenge_text()));
    let hash = digest(&SHA256, &client_data);
    let signature = passkey.sign(&[&data, hash.as_ref()].concat());
    let answer = Answer {
        authenticator_data: &data,
        client_data: &client_data,
        signature: &signature,
    };
    let uncounted = Asserted {
        counter: 0,
        backed_up: false,
    };
    assert_eq!(asserted(answer, &party(), &passkey.cose(), 0), Ok(uncounted));
    // It counted before.
    assert_eq!(asserted(answer, &party(), &passkey.cose(), 5), Err(Unbelieved::Copied));
}

#[test]
fn what_the_authenticator_says_must_be_for_us_and_of_somebody() {
    let of = |change: fn(&mut TestPasskey)| {
        let mut passkey = TestPasskey::p256();
        change(&mut passkey);
        attested(&mut passkey).map(|made| made.backed_up)
    };
    assert_eq!(of(|_| {}), Ok(false));
    assert_eq!(
        of(|passkey| passkey.rp_id = "evil.example".to_owned()),
        Err(Unbelieved::Elsewhere)
    );
    assert_eq!(
        of(|passkey| passkey.flags = 0b0100),
        Err(Unbelieved::Absent),
        "nobody touched it"
    );
    assert_eq!(of(|passkey| passkey.flags |= 0b0001_1000), Ok(true));
    assert_eq!(
        of(|passkey| passkey.flags |= 0b0001_0000),
        Err(Unbelieved::Data),
        "kept elsewhere, though it cannot be"
    );
    assert_eq!(
        of(|passkey| passkey.flags |= 0b1000_0000),
        Err(Unbelieved::Data),
        "no extensions follow"
    );
    assert_eq!(of(|passkey| passkey.id.clear()), Err(Unbelieved::Data), "no name");
    assert_eq!(of(|passkey| passkey.id = vec![1; 1023]), Ok(false));
    assert_eq!(
        of(|passkey| passkey.id = vec![1; 1024]),
        Err(Unbelieved::Data),
        "too long a name"
    );
}

#[test]
fn data_that_end_early_or_late_are_not_read() {
    let passkey = TestPasskey::p256();
    let whole = passkey.made();
    for length in 0..whole.len() {
        assert!(
            AuthenticatorData::read(&whole[..length], &party()).is_err(),
            "{length} bytes"
        );
    }
    let longer = [&whole[..], &[0]].concat();
    assert_eq!(AuthenticatorData::read(&longer, &party()), Err(Unbelieved::Data));
    // In use there is no credential, and in a registration there is one.
    let bare = passkey.data(passkey.flags);
    assert!(AuthenticatorData::read(&bare, &party()).unwrap().credential.is_none());
    assert!(AuthenticatorData::read(&whole, &party()).unwrap().credential.is_some());
}

#[test]
fn keys_of_other_algorithms_and_forms_are_none() {
    use minicbor::Encoder;
    let key = |members: &[(i64, i64)], parts: &[(i64, usize)]| {
        let mut bytes = Vec::new();
        let mut written = Encoder::new(&mut bytes);
        written.map((members.len() + parts.len()) as u64).unwrap();
        for (label, value) in members {
            written.i64(*label).unwrap().i64(*value).unwrap();
        }
        for (label, length) in parts {
            written.i64(*label).unwrap().bytes(&vec![1; *length]).unwrap();
        }
        CredentialKey::read(&bytes).is_some()
    };
    let p256 = [(1, 2), (3, -7), (-1, 1)];
    assert!(key(&p256, &[(-2, 32), (-3, 32)]));
    assert!(key(&[(1, 1), (3, -8), (-1, 6)], &[(-2, 32)]));
    assert!(key(&[(1, 3), (3, -257)], &[(-1, 256), (-2, 3)]));
    for (members, parts, why) in [
        (&[(1, 2), (3, -35), (-1, 2)][..], &[(-2, 48), (-3, 48)][..], "P-384"),
        (&[(1, 2), (3, -7), (-1, 2)], &[(-2, 32), (-3, 32)], "another curve"),
        (&[(1, 2), (3, -8), (-1, 6)], &[(-2, 32)], "another kind"),
        (&[(1, 3), (3, -37)], &[(-1, 256), (-2, 3)], "PSS"),
        (&[(1, 3), (3, -257)], &[(-1, 255), (-2, 3)], "a short modulus"),
        (&[(1, 3), (3, -257)], &[(-1, 256), (-2, 0)], "no exponent"),
        (&p256, &[(-2, 32)], "half a point"),
        (&p256, &[(-2, 31), (-3, 32)], "a short coordinate"),
        (
            &[(1, 2), (3, -7), (-1, 1), (3, -7)],
            &[(-2, 32), (-3, 32)],
            "a member twice",
        ),
        (&[(1, 2), (-1, 1)], &[(-2, 32), (-3, 32)], "no algorithm"),
    ] {
        assert!(!key(members, parts), "{why}");
    }
    assert!(CredentialKey::read(&[]).is_none());
    assert!(
        CredentialKey::read(&[TestPasskey::p256().cose(), vec![0]].concat()).is_none(),
        "something follows"
    );
}

#[test]
fn a_challenge_counts_for_its_ceremony_on_a_page_of_ours() {
    let text = challenge_text();
    let wanted = Some(Opaque::new([7; 32]));
    let good = json!({"type": "webauthn.get", "challenge": text, "origin": ISSUER});
    let with = |name: &str, value: Value| {
        let mut said = good.clone();
        said[name] = value;
        challenge(said.to_string().as_bytes(), Ceremony::Get, &party())
    };
    assert_eq!(with("crossOrigin", json!(false)), wanted);
    assert_eq!(with("other_keys_can_be_added_here", json!("do not compare")), wanted);
    assert_eq!(challenge(good.to_string().as_bytes(), Ceremony::Create, &party()), None);
    for (name, value) in [
        ("type", json!("webauthn.create")),
        ("type", json!(7)),
        ("origin", json!("https://evil.example")),
        ("origin", json!(format!("{ISSUER}/"))),
        ("crossOrigin", json!(true)),
        ("topOrigin", json!(ISSUER)),
        ("challenge", json!(format!("{text}="))),
        ("challenge", json!("short")),
    ] {
        let told = format!("{name} = {value}");
        assert_eq!(with(name, value), None, "{told}");
    }
    let twice = format!(r#"{{"type":"webauthn.get","challenge":"{text}","origin":"{ISSUER}","origin":"{ISSUER}"}}"#);
    assert_eq!(challenge(twice.as_bytes(), Ceremony::Get, &party()), None);
    assert_eq!(challenge(b"{", Ceremony::Get, &party()), None);
}
