//! Access tokens (RFC 9068).

use domain::{AgentId, AgentKeyId, OverseerId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};

/// The `typ` of an access token (RFC 9068, section 2.1).
pub const TYPE: &str = "at+jwt";

/// How far a clock may be off.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// The most audiences that are compared.
const AUDIENCES: usize = 8;

/// The claims of an agent that acts on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentClaims {
    /// Who issued the token: our own address.
    pub iss: String,
    /// The agent.
    pub sub: String,
    /// For whom it is: one resource.
    pub aud: String,
    /// Its end, in seconds of the epoch.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Its own name, of 128 random bits.
    pub jti: String,
    /// The client: an agent is its own (RFC 9068, section 2.2).
    pub client_id: String,
    /// What it may be used for (RFC 6749, section 3.3).
    pub scope: String,
    /// The agent's tenant.
    pub pinfold_tenant: String,
    /// The agent's owner.
    pub pinfold_owner: String,
    /// The key that the agent proved.
    pub pinfold_key: String,
}

/// An agent, as its token names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentToken {
    /// The agent.
    pub agent: AgentId,
    /// The key that it proved.
    pub key: AgentKeyId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its owner.
    pub owner: OverseerId,
    /// What the token may be used for.
    pub scopes: Vec<String>,
    /// Its end.
    pub expires_at: Timestamp,
}

/// Reads claims whose signature was good; nothing unless they are ours, for this audience, and in force.
pub fn read(claims: &Map<String, Value>, issuer: &str, audience: &str, now: Timestamp) -> Option<AgentToken> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss")? != issuer || !is_for(claims.get("aud")?, audience) {
        return None;
    }
    let expires_at = moment(claims.get("exp")?)?;
    let issued_at = moment(claims.get("iat")?)?;
    let not_before = claims.get("nbf").map_or(Some(issued_at), moment)?;
    let soon = now.checked_add(SKEW).ok()?;
    if now >= expires_at || issued_at > soon || not_before > soon || text("jti")?.is_empty() {
        return None;
    }
    let agent: AgentId = text("sub")?.parse().ok()?;
    if text("client_id")? != text("sub")? {
        return None;
    }
    Some(AgentToken {
        agent,
        key: text("pinfold_key")?.parse().ok()?,
        tenant: text("pinfold_tenant")?.parse().ok()?,
        owner: text("pinfold_owner")?.parse().ok()?,
        scopes: text("scope")?.split(' ').map(str::to_owned).collect(),
        expires_at,
    })
}

/// RFC 7519, section 4.1.3: one audience or a list of them, each once.
pub fn is_for(claim: &Value, audience: &str) -> bool {
    match claim {
        Value::String(one) => one == audience,
        Value::Array(many) if many.len() <= AUDIENCES => {
            many.iter().all(Value::is_string) && many.iter().filter(|one| *one == audience).count() == 1
        }
        _ => false,
    }
}

/// A whole number of seconds. RFC 7519 lets dates be fractions; ours never are, and a text is none.
pub fn moment(claim: &Value) -> Option<Timestamp> {
    Timestamp::from_second(claim.as_i64().filter(|seconds| *seconds > 0)?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://pinfold.example";

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn claims() -> Value {
        let claims = AgentClaims {
            iss: ISSUER.to_owned(),
            sub: AgentId::from_u128(1).to_string(),
            aud: ISSUER.to_owned(),
            exp: 1_800_000_600,
            iat: 1_800_000_000,
            jti: "j".to_owned(),
            client_id: AgentId::from_u128(1).to_string(),
            scope: "self".to_owned(),
            pinfold_tenant: TenantId::from_u128(2).to_string(),
            pinfold_owner: OverseerId::from_u128(3).to_string(),
            pinfold_key: AgentKeyId::from_u128(4).to_string(),
        };
        serde_json::to_value(claims).unwrap()
    }

    fn read_with(change: impl FnOnce(&mut Map<String, Value>)) -> Option<AgentToken> {
        let Value::Object(mut claims) = claims() else {
            unreachable!()
        };
        change(&mut claims);
        read(&claims, ISSUER, ISSUER, now())
    }

    #[test]
    fn what_we_say_we_read() {
        let wanted = AgentToken {
            agent: AgentId::from_u128(1),
            key: AgentKeyId::from_u128(4),
            tenant: TenantId::from_u128(2),
            owner: OverseerId::from_u128(3),
            scopes: vec!["self".to_owned()],
            expires_at: Timestamp::from_second(1_800_000_600).unwrap(),
        };
        assert_eq!(read_with(|_| ()), Some(wanted.clone()));
        let several = json!(["https://other.example", ISSUER]);
        assert_eq!(read_with(|c| c["aud"] = several), Some(wanted.clone()));
        assert_eq!(read_with(|c| c["iat"] = json!(1_800_000_005_i64)), Some(wanted));
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
}
