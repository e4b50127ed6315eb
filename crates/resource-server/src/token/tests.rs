use serde_json::json;

use super::*;

const ISSUER: &str = "https://pinfold.example";

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": AgentId::from_u128(1).to_string(), "aud": ISSUER, "exp": 1_800_000_600, "iat": 1_800_000_000, "jti": "j",
        "client_id": AgentId::from_u128(1).to_string(), "scope": "self", "pinfold_tenant": TenantId::from_u128(2).to_string(),
        "pinfold_owner": OverseerId::from_u128(3).to_string(), "pinfold_key": AgentKeyId::from_u128(4).to_string(),
    })
}

fn read_with(change: impl FnOnce(&mut Map<String, Value>)) -> Option<Token> {
    read_bound(change).map(|read| read.token)
}

fn read_bound(change: impl FnOnce(&mut Map<String, Value>)) -> Option<Read> {
    let Value::Object(mut claims) = claims() else {
        unreachable!()
    };
    change(&mut claims);
    read(&claims, ISSUER, ISSUER, now())
}

#[test]
fn a_token_is_bound_to_one_key_or_none() {
    let with = |cnf: Value| read_bound(|claims| drop(claims.insert("cnf".to_owned(), cnf)));
    assert_eq!(read_bound(|_| ()).unwrap().jkt, None);
    assert_eq!(with(json!({"jkt": "key"})).unwrap().jkt.as_deref(), Some("key"));
    for bad in [
        json!({}),
        json!({"jkt": 7}),
        json!({"x5t#S256": "certificate"}),
        json!({"jkt": "key", "x5t#S256": "certificate"}),
        json!("key"),
        Value::Null,
    ] {
        assert_eq!(with(bad.clone()), None, "{bad}");
    }
}

#[test]
fn what_a_client_proves_is_of_its_registration() {
    let read = read_with(|claims| {
        claims.remove("pinfold_key");
        claims.remove("pinfold_owner");
        claims.insert("sub".to_owned(), json!("build-board"));
        claims.insert("client_id".to_owned(), json!("build-board"));
        claims.insert("pinfold_client".to_owned(), json!(ClientId::from_u128(5).to_string()));
        claims.insert("pinfold_secret".to_owned(), json!("0011223344556677"));
    });
    let wanted = ClientToken {
        client: ClientId::from_u128(5),
        client_id: "build-board".to_owned(),
        tenant: TenantId::from_u128(2),
        secret: "0011223344556677".to_owned(),
        bound: false,
        scopes: vec!["self".to_owned()],
        expires_at: Timestamp::from_second(1_800_000_600).unwrap(),
    };
    assert_eq!(read, Some(Token::Client(wanted)));
}

#[test]
fn what_we_say_we_read() {
    let wanted = Token::Agent(AgentToken {
        agent: AgentId::from_u128(1),
        proof: AgentProof::Key(AgentKeyId::from_u128(4)),
        tenant: TenantId::from_u128(2),
        owner: OverseerId::from_u128(3),
        scopes: vec!["self".to_owned()],
        expires_at: Timestamp::from_second(1_800_000_600).unwrap(),
    });
    assert_eq!(read_with(|_| ()), Some(wanted.clone()));
    let several = json!(["https://other.example", ISSUER]);
    assert_eq!(read_with(|c| c["aud"] = several), Some(wanted.clone()));
    assert_eq!(read_with(|c| c["iat"] = json!(1_800_000_005_i64)), Some(wanted));
}

#[test]
fn what_pods_prove_is_of_the_pod() {
    let (uid, wanted) = (
        Uuid::from_u128(9).to_string(),
        PodRef {
            name: "p".to_owned(),
            uid: Uuid::from_u128(9),
        },
    );
    let of_pod = |claims: &mut Map<String, Value>| {
        claims.remove("pinfold_key");
        claims.insert("pinfold_pod".to_owned(), json!({"name": "p", "uid": uid}));
    };
    let Some(Token::Agent(agent)) = read_with(of_pod) else {
        panic!("an agent's token")
    };
    assert_eq!(agent.proof, AgentProof::Pod(wanted.clone()));
    let of_run = |claims: &mut Map<String, Value>| {
        of_pod(claims);
        claims.remove("pinfold_owner");
        claims.insert("pinfold_run".to_owned(), json!("answer"));
    };
    let run = RunToken {
        run: RunId::from_u128(1),
        name: "answer".to_owned(),
        pod: wanted,
        tenant: TenantId::from_u128(2),
        scopes: vec!["self".to_owned()],
        expires_at: Timestamp::from_second(1_800_000_600).unwrap(),
    };
    assert_eq!(read_with(of_run), Some(Token::Run(run)));
    let both = json!({"name": "p", "uid": uid});
    assert_eq!(read_with(|c| drop(c.insert("pinfold_pod".to_owned(), both))), None);
    let without = |name: &str| {
        read_with(|claims| {
            of_run(claims);
            claims.remove(name);
        })
    };
    assert_eq!((without("pinfold_pod"), without("sub")), (None, None));
}

#[test]
fn what_others_say_we_do_not() {
    let cases = [
        ("iss", json!("https://pinfold.example/")),
        ("iss", json!("https://PINFOLD.example")),
        ("iss", json!([ISSUER])),
        ("aud", json!("https://pinfold.example.evil.example")),
        ("aud", json!([])),
        ("aud", json!([ISSUER, ISSUER])),
        ("aud", json!([ISSUER, 1])),
        ("aud", Value::Array(vec![json!(ISSUER); 1000])),
        ("exp", json!(1_800_000_000_i64)),
        ("exp", json!("1800000600")),
        ("exp", json!(1_800_000_600.5)),
        ("exp", json!(-1)),
        ("exp", json!(9_223_372_036_854_775_808_u64)),
        ("exp", json!(i64::MAX)),
        ("exp", Value::Null),
        ("iat", json!(1_800_000_006_i64)),
        ("iat", json!("now")),
        ("nbf", json!(1_800_000_006_i64)),
        ("nbf", json!("later")),
        ("jti", json!("")),
        ("sub", json!("00000000-0000-0000-0000-00000000000A")),
        ("sub", json!("")),
        ("client_id", json!("another")),
        ("pinfold_tenant", json!(2)),
    ];
    for (name, value) in cases {
        let told = format!("{name} = {value}");
        assert_eq!(read_with(|c| drop(c.insert(name.to_owned(), value))), None, "{told}");
    }
    let Value::Object(all) = claims() else { unreachable!() };
    for name in all.keys() {
        assert_eq!(read_with(|c| drop(c.remove(name))), None, "without {name}");
    }
}
