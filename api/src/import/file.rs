//! The file: a line for each thing, checked together before anything is stored.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use domain::EmailAddress;
use serde::Deserialize;

use crate::{
    auth::{
        client::{Metadata, Written},
        hex, jwk, jws,
        oversight::Relation,
        password,
    },
    http::parse,
};

/// The most problems that are told.
const TOLD: usize = 50;

/// What a file has, each with the number of its line.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) people: Vec<(usize, Person)>,
    pub(super) agents: Vec<(usize, Agent)>,
    pub(super) oversights: Vec<(usize, Oversight)>,
    pub(super) clients: Vec<(usize, Client)>,
    pub(super) blocks: Vec<(usize, Block)>,
}

/// A person.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) email: EmailAddress,
    pub(super) name: String,
    pub(super) hash: Option<String>,
    pub(super) platform_admin: bool,
    pub(super) blocked: bool,
}

/// An agent.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) keys: Vec<[u8; 32]>,
}

/// A relation.
#[derive(Debug)]
pub(super) struct Oversight {
    pub(super) agent: String,
    pub(super) overseer: String,
    pub(super) relation: Relation,
}

/// An OAuth client.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "RFC 6749 calls it so")]
pub(super) struct Client {
    pub(super) client_id: String,
    pub(super) owner: String,
    pub(super) secret_hash: Option<[u8; 32]>,
    pub(super) metadata: Metadata,
}

/// A client that may do nothing in somebody's name.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) client_id: String,
    pub(super) of: Blocker,
}

/// In whose name a client may do nothing.
#[derive(Debug)]
pub(super) enum Blocker {
    /// A person's.
    Overseer(String),
    /// An agent's.
    Agent(String),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Overseer {
        id: String,
        email: String,
        name: String,
        password_hash: Option<String>,
        #[serde(default)]
        platform_admin: bool,
        #[serde(default)]
        blocked: bool,
    },
    Agent {
        id: String,
        owner: String,
        name: String,
        public_keys: Vec<String>,
    },
    Oversight {
        agent: String,
        overseer: String,
        relation: String,
    },
    Client {
        client_id: String,
        owner: String,
        client_secret_sha256: Option<String>,
        metadata: Box<Written>,
    },
    ClientBlock {
        client_id: String,
        overseer: Option<String>,
        agent: Option<String>,
    },
}

/// What was seen so far.
#[derive(Debug, Default)]
struct Seen {
    people: BTreeSet<String>,
    emails: BTreeSet<String>,
    agents: BTreeSet<String>,
    thumbprints: BTreeSet<String>,
    clients: BTreeSet<String>,
}

/// Reads a file; everything that is wrong with it is one error.
pub(super) fn read(text: &str) -> Result<Contents> {
    let mut contents = Contents::default();
    let mut seen = Seen::default();
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        if let Err(problem) = take(number, line, &mut contents, &mut seen) {
            problems.push((number, problem));
        }
    }
    problems.extend(dangling(&contents, &seen));
    problems.sort();
    if problems.is_empty() {
        return Ok(contents);
    }
    let count = problems.len();
    let told: Vec<String> = problems
        .into_iter()
        .take(TOLD)
        .map(|(line, problem)| format!("  line {line}: {problem}"))
        .collect();
    bail!("nothing is stored: {count} lines cannot be used\n{}", told.join("\n"));
}

fn take(number: usize, line: &str, contents: &mut Contents, seen: &mut Seen) -> Result<(), String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    match line {
        Line::Overseer {
            id,
            email,
            name,
            password_hash,
            platform_admin,
            blocked,
        } => {
            let email = EmailAddress::parse(&email).map_err(|error| format!("email: {error}"))?;
            checked_name(&name)?;
            if password_hash.as_deref().is_some_and(|hash| !password::is_known(hash)) {
                return Err("password_hash: it is neither bcrypt nor Argon2id in the PHC string format".to_owned());
            }
            once(&mut seen.people, "id", &id)?;
            once(&mut seen.emails, "email", email.key())?;
            let person = Person {
                id,
                email,
                name,
                hash: password_hash,
                platform_admin,
                blocked,
            };
            contents.people.push((number, person));
        }
        Line::Agent {
            id,
            owner,
            name,
            public_keys,
        } => {
            checked_name(&name)?;
            let keys = public_keys
                .iter()
                .map(|text| key(text))
                .collect::<Result<Vec<_>, _>>()?;
            if keys.is_empty() {
                return Err("public_keys: name at least one".to_owned());
            }
            once(&mut seen.agents, "id", &id)?;
            for key in &keys {
                once(&mut seen.thumbprints, "public_keys", &jwk::thumbprint(key))?;
            }
            let agent = Agent { id, owner, name, keys };
            contents.agents.push((number, agent));
        }
        Line::Oversight {
            agent,
            overseer,
            relation,
        } => {
            let relation = Relation::parse(&relation).ok_or("relation: write owner, delegate or viewer")?;
            let oversight = Oversight {
                agent,
                overseer,
                relation,
            };
            contents.oversights.push((number, oversight));
        }
        Line::Client {
            client_id,
            owner,
            client_secret_sha256,
            metadata,
        } => {
            let client = client(client_id, owner, client_secret_sha256.as_deref(), *metadata)?;
            once(&mut seen.clients, "client_id", &client.client_id)?;
            contents.clients.push((number, client));
        }
        Line::ClientBlock {
            client_id,
            overseer,
            agent,
        } => {
            let of = match (overseer, agent) {
                (Some(overseer), None) => Blocker::Overseer(overseer),
                (None, Some(agent)) => Blocker::Agent(agent),
                _ => return Err("overseer: write overseer or agent, one of them".to_owned()),
            };
            contents.blocks.push((number, Block { client_id, of }));
        }
    }
    Ok(())
}

fn checked_name(name: &str) -> Result<(), String> {
    parse::name("name", name).map(drop).map_err(|error| error.to_string())
}

fn key(text: &str) -> Result<[u8; 32], String> {
    let bytes = jws::decode(text).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| format!("public_keys: {text:?} is not 32 bytes in base64url without padding"))
}

/// SHA-256 of nothing.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The longest name of a client.
const LONGEST_CLIENT_ID: usize = 255;

fn client(client_id: String, owner: String, secret_hash: Option<&str>, metadata: Written) -> Result<Client, String> {
    let visible = client_id.bytes().all(|b| b.is_ascii_graphic());
    if !(1..=LONGEST_CLIENT_ID).contains(&client_id.len()) || !visible {
        return Err(format!(
            "client_id: write 1 to {LONGEST_CLIENT_ID} visible ASCII characters"
        ));
    }
    if client_id.starts_with("https://") {
        return Err("client_id: a client of such a name describes itself there; it needs no registration".to_owned());
    }
    let metadata = metadata.check().map_err(|flaw| format!("metadata.{flaw}"))?;
    let secret_hash = match secret_hash {
        None => None,
        Some(EMPTY) => return Err("client_secret_sha256: it is that of an empty secret; leave it out".to_owned()),
        Some(_) if !metadata.auth_method.has_secret() => {
            return Err("client_secret_sha256: the client proves itself otherwise; leave it out".to_owned());
        }
        Some(text) => Some(hex::decode(text).ok_or("client_secret_sha256: write 64 lower-case hexadecimal digits")?),
    };
    Ok(Client {
        client_id,
        owner,
        secret_hash,
        metadata,
    })
}

fn once(seen: &mut BTreeSet<String>, field: &str, value: &str) -> Result<(), String> {
    if seen.insert(value.to_owned()) {
        Ok(())
    } else {
        Err(format!("{field}: {value:?} comes twice"))
    }
}

/// Names of things that no line of the file is.
fn dangling(contents: &Contents, seen: &Seen) -> Vec<(usize, String)> {
    let mut problems = Vec::new();
    let mut known = |line: usize, field: &str, value: &str, all: &BTreeSet<String>| {
        if !all.contains(value) {
            problems.push((line, format!("{field}: no line of the file is {value:?}")));
        }
    };
    for (line, agent) in &contents.agents {
        known(*line, "owner", &agent.owner, &seen.people);
    }
    for (line, oversight) in &contents.oversights {
        known(*line, "agent", &oversight.agent, &seen.agents);
        known(*line, "overseer", &oversight.overseer, &seen.people);
    }
    for (line, client) in &contents.clients {
        known(*line, "owner", &client.owner, &seen.people);
    }
    for (line, block) in &contents.blocks {
        known(*line, "client_id", &block.client_id, &seen.clients);
        match &block.of {
            Blocker::Overseer(overseer) => known(*line, "overseer", overseer, &seen.people),
            Blocker::Agent(agent) => known(*line, "agent", agent, &seen.agents),
        }
    }
    problems
}
