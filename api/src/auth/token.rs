//! Access tokens (RFC 9068).

use domain::{AgentId, AgentKeyId, ClientId, GrantId, OverseerId, RunId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

/// The `typ` of an access token (RFC 9068, section 2.1).
pub const TYPE: &str = "at+jwt";

/// How far a clock may be off.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// The most audiences that are compared.
const AUDIENCES: usize = 8;

/// How many may act one for another: more are no delegation but a chain that nobody oversees.
pub const ACTORS: usize = 3;

/// What a token of ours says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// Who issued the token: our own address.
    pub iss: String,
    /// Whom it is of: the agent, the run, the client, or the person that a client acts for.
    pub sub: String,
    /// For whom it is: one resource.
    pub aud: String,
    /// Its end, in seconds of the epoch.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Its own name, of 128 random bits.
    pub jti: String,
    /// The client that got it: who acts on their own is their own (RFC 9068, section 2.2).
    pub client_id: String,
    /// What it may be used for (RFC 6749, section 3.3).
    pub scope: String,
    /// The tenant.
    pub pinfold_tenant: String,
    /// What whoever shows it must prove besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// What else there is to say of whom it is of.
    #[serde(flatten)]
    pub who: Who,
}

/// A key that a token is bound to (RFC 9449, section 6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirmation {
    /// Its thumbprint (RFC 7638).
    pub jkt: String,
}

/// What a token says of whom it is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Who {
    /// An agent that acts on its own, which proved itself by a key or by its pod.
    Agent {
        /// The agent's owner.
        pinfold_owner: String,
        /// The key that the agent proved.
        #[serde(skip_serializing_if = "Option::is_none")]
        pinfold_key: Option<String>,
        /// The pod that it runs in.
        #[serde(skip_serializing_if = "Option::is_none")]
        pinfold_pod: Option<PodClaim>,
    },
    /// What runs in a sandbox.
    Run {
        /// The run's name.
        pinfold_run: String,
        /// The pod that it runs in.
        pinfold_pod: PodClaim,
    },
    /// An OAuth client that acts on its own.
    Client {
        /// Its registration.
        pinfold_client: String,
        /// Which secret it proved itself by.
        pinfold_secret: String,
    },
    /// A person, for whom an OAuth client acts.
    Grant {
        /// What the person allowed.
        pinfold_grant: String,
    },
    /// A person, for whom an agent acts.
    Delegate {
        /// What the person allowed, and the agent has of it.
        pinfold_grant: String,
        /// The agent, and whom it acts for (RFC 8693, section 4.1).
        act: Act,
        /// The agent's owner.
        pinfold_owner: String,
        /// The key that the agent proved.
        #[serde(skip_serializing_if = "Option::is_none")]
        pinfold_key: Option<String>,
        /// The pod that it runs in.
        #[serde(skip_serializing_if = "Option::is_none")]
        pinfold_pod: Option<PodClaim>,
    },
}

/// Who acts, and for whom they do (RFC 8693, section 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Act {
    /// The agent.
    pub sub: String,
    /// Whom it acts for; none if that is the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Act>>,
}

/// A pod, as a token names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PodClaim {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl From<&PodRef> for PodClaim {
    fn from(pod: &PodRef) -> Self {
        Self {
            name: pod.name.clone(),
            uid: pod.uid.to_string(),
        }
    }
}

/// A pod, by its name and by what no other pod ever has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: Uuid,
}

/// Whom a token is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// An agent's.
    Agent(AgentToken),
    /// A run's.
    Run(RunToken),
    /// An OAuth client's.
    Client(ClientToken),
    /// A person's, in an OAuth client's hands.
    Grant(GrantToken),
}

impl Token {
    /// What its holder's requests are counted by.
    pub fn id(&self) -> &[u8; 16] {
        match self {
            Self::Agent(agent) => agent.agent.as_bytes(),
            Self::Run(run) => run.run.as_bytes(),
            Self::Client(client) => client.client.as_bytes(),
            Self::Grant(grant) => grant.grant.as_bytes(),
        }
    }

    /// The client that got it: who acts on their own is their own.
    pub fn client_id(&self) -> String {
        match self {
            Self::Agent(agent) => agent.agent.to_string(),
            Self::Run(run) => run.run.to_string(),
            Self::Client(client) => client.client_id.clone(),
            Self::Grant(grant) => grant.client_id.clone(),
        }
    }

    /// The tenant that it is for.
    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Agent(agent) => agent.tenant,
            Self::Run(run) => run.tenant,
            Self::Client(client) => client.tenant,
            Self::Grant(grant) => grant.tenant,
        }
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Whom it is of.
    pub token: Token,
    /// The thumbprint of the key that it is bound to.
    pub jkt: Option<String>,
}

/// An agent, as its token names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentToken {
    /// The agent.
    pub agent: AgentId,
    /// What it proved itself with.
    pub proof: AgentProof,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its owner.
    pub owner: OverseerId,
    /// What the token may be used for.
    pub scopes: Vec<String>,
    /// Its end.
    pub expires_at: Timestamp,
}

/// What an agent proved itself with. The token is of no use once that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentProof {
    /// A key of its own.
    Key(AgentKeyId),
    /// The pod that it runs in.
    Pod(PodRef),
}

/// A run, as its token names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunToken {
    /// The run.
    pub run: RunId,
    /// Its name.
    pub name: String,
    /// The pod that it runs in. The token is of no use once that is gone.
    pub pod: PodRef,
    /// Its tenant.
    pub tenant: TenantId,
    /// What the token may be used for.
    pub scopes: Vec<String>,
    /// Its end.
    pub expires_at: Timestamp,
}

/// An OAuth client that acts on its own, as its token names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientToken {
    /// Its registration.
    pub client: ClientId,
    /// What it calls itself by.
    pub client_id: String,
    /// The tenant that registered it.
    pub tenant: TenantId,
    /// Which secret it proved itself by. The token is of no use once that is good no more.
    pub secret: String,
    /// Whether the token is bound to a key.
    pub bound: bool,
    /// What the token may be used for.
    pub scopes: Vec<String>,
    /// Its end.
    pub expires_at: Timestamp,
}

/// A person for whom an OAuth client acts, as its token names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantToken {
    /// What the person allowed. The token is of no use once that has ended.
    pub grant: GrantId,
    /// The person.
    pub overseer: OverseerId,
    /// The client.
    pub client_id: String,
    /// The tenant that it is for.
    pub tenant: TenantId,
    /// The agent that acts, if one does.
    pub actor: Option<Acting>,
    /// Whether the token is bound to a key.
    pub bound: bool,
    /// What the token may be used for.
    pub scopes: Vec<String>,
    /// Its end.
    pub expires_at: Timestamp,
}

impl GrantToken {
    /// The agent that acts, and whom it acts for; nobody, if the client does.
    pub fn actors(&self) -> &[AgentId] {
        self.actor
            .as_ref()
            .map(|actor| actor.chain.as_slice())
            .unwrap_or_default()
    }
}

/// An agent that acts for a person. Those before it are told, and count no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    /// The agent, and whom it acts for, the one that acts now first.
    pub chain: Vec<AgentId>,
    /// What it proved itself with.
    pub proof: AgentProof,
    /// Its owner.
    pub owner: OverseerId,
}

/// Reads claims whose signature was good; nothing unless they are ours, for this audience, and in force.
pub fn read(claims: &Map<String, Value>, issuer: &str, audience: &str, now: Timestamp) -> Option<Read> {
    let jkt = match claims.get("cnf") {
        None => None,
        // A way to confirm that is not known here confirms nothing (RFC 7800, section 3.1).
        Some(Value::Object(cnf)) if cnf.len() == 1 => Some(cnf.get("jkt")?.as_str()?.to_owned()),
        Some(_) => return None,
    };
    let token = token(claims, issuer, audience, now)?;
    Some(Read { token, jkt })
}

fn token(claims: &Map<String, Value>, issuer: &str, audience: &str, now: Timestamp) -> Option<Token> {
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
    let (subject, client_id) = (text("sub")?, text("client_id")?);
    let tenant = text("pinfold_tenant")?.parse().ok()?;
    let scopes = text("scope")?.split(' ').map(str::to_owned).collect();
    if let Some(grant) = claims.get("pinfold_grant") {
        return Some(Token::Grant(GrantToken {
            grant: grant.as_str()?.parse().ok()?,
            overseer: subject.parse().ok()?,
            client_id: client_id.to_owned(),
            tenant,
            bound: claims.contains_key("cnf"),
            actor: match claims.get("act") {
                None => None,
                Some(act) => Some(Acting {
                    chain: chain(act)?,
                    proof: proof(claims)?,
                    owner: text("pinfold_owner")?.parse().ok()?,
                }),
            },
            scopes,
            expires_at,
        }));
    }
    if client_id != subject {
        return None;
    }
    if let Some(name) = claims.get("pinfold_run") {
        return Some(Token::Run(RunToken {
            run: subject.parse().ok()?,
            name: name.as_str()?.to_owned(),
            pod: pod(claims.get("pinfold_pod")?)?,
            tenant,
            scopes,
            expires_at,
        }));
    }
    if let Some(client) = claims.get("pinfold_client") {
        return Some(Token::Client(ClientToken {
            client: client.as_str()?.parse().ok()?,
            client_id: subject.to_owned(),
            tenant,
            secret: text("pinfold_secret")?.to_owned(),
            bound: claims.contains_key("cnf"),
            scopes,
            expires_at,
        }));
    }
    Some(Token::Agent(AgentToken {
        agent: subject.parse().ok()?,
        proof: proof(claims)?,
        tenant,
        owner: text("pinfold_owner")?.parse().ok()?,
        scopes,
        expires_at,
    }))
}

fn proof(claims: &Map<String, Value>) -> Option<AgentProof> {
    match (claims.get("pinfold_key"), claims.get("pinfold_pod")) {
        (Some(key), None) => Some(AgentProof::Key(key.as_str()?.parse().ok()?)),
        (None, Some(claim)) => Some(AgentProof::Pod(pod(claim)?)),
        _ => None,
    }
}

/// Who acts, and whom they act for, no more than act one for another.
fn chain(claim: &Value) -> Option<Vec<AgentId>> {
    let mut actors = Vec::new();
    let mut next = Some(claim);
    while let Some(act) = next {
        if actors.len() == ACTORS {
            return None;
        }
        actors.push(act.get("sub")?.as_str()?.parse().ok()?);
        next = act.get("act");
    }
    Some(actors)
}

fn pod(claim: &Value) -> Option<PodRef> {
    Some(PodRef {
        name: claim.get("name")?.as_str()?.to_owned(),
        uid: Uuid::try_parse(claim.get("uid")?.as_str()?).ok()?,
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
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: AgentId::from_u128(1).to_string(),
            aud: ISSUER.to_owned(),
            exp: 1_800_000_600,
            iat: 1_800_000_000,
            jti: "j".to_owned(),
            client_id: AgentId::from_u128(1).to_string(),
            scope: "self".to_owned(),
            pinfold_tenant: TenantId::from_u128(2).to_string(),
            cnf: None,
            who: Who::Agent {
                pinfold_owner: OverseerId::from_u128(3).to_string(),
                pinfold_key: Some(AgentKeyId::from_u128(4).to_string()),
                pinfold_pod: None,
            },
        };
        serde_json::to_value(claims).unwrap()
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
}
