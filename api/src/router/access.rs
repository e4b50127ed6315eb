//! Who may call what: the description of the API, seen by who calls. As a page of the documentation it is looked at whenever it changes,
//! and a test compares it with what the service does.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{
    auth::rights::{Right, Role},
    router::{
        self,
        pages::{self, Page},
    },
    service::tokens,
};

/// An operation, and what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The method, in capitals.
    pub method: String,
    /// The path.
    pub path: String,
    /// What lets somebody in; nothing if anybody may come.
    pub ways: Option<Ways>,
}

/// What lets somebody in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ways {
    /// The names of the proofs that do, as the description has them.
    pub proofs: Vec<String>,
    /// The right that is needed besides.
    pub right: Option<Right>,
    /// The right without which only what is one's own is looked at.
    pub own_without: Option<Right>,
    /// Whether only those get in who run the platform.
    pub admins: bool,
}

/// Where everybody may end what is their own, and others' with another right.
const OWN: [(&str, &str, Right); 2] = [
    ("delete", "/v1/tenants/{tenant}/members/{overseer}", Right::MembersWrite),
    (
        "delete",
        "/v1/tenants/{tenant}/agents/{agent}/oversights/{overseer}",
        Right::AgentsWrite,
    ),
];

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Nobody known.
    Stranger,
    /// A person who belongs to another tenant.
    Outsider,
    /// A member of the tenant.
    Member(Role),
    /// A member who shows the token of an issuer outside.
    Outside(Role),
    /// A person who runs the platform and belongs to another tenant.
    Admin,
    /// An agent of the tenant, with every scope that it can have.
    Agent,
    /// What runs in a sandbox of the tenant, with every scope that it can have.
    Run,
    /// An OAuth client of the tenant on its own, with every scope that it can have.
    Client,
    /// An OAuth client that acts for a member of the tenant, with every scope that the member may give it.
    Grant(Role),
    /// An agent of the tenant that acts for an owner of it, with every scope that it may have of theirs.
    Delegate,
    /// A key of the tenant, with every scope.
    Key,
}

/// What a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The request is looked at.
    In,
    /// The request is looked at if it is of what is the caller's own; otherwise 403.
    Own,
    /// 401.
    Unknown,
    /// 403.
    Forbidden,
    /// 404: to this caller there is no such tenant.
    NotFound,
}

impl Verdict {
    fn cell(self) -> &'static str {
        match self {
            Self::In => "yes",
            Self::Own => "own",
            Self::Unknown | Self::Forbidden | Self::NotFound => "-",
        }
    }
}

impl Ways {
    fn by(&self, proof: &str) -> bool {
        self.proofs.iter().any(|known| known == proof)
    }

    /// What whoever has these rights is told.
    fn of(&self, has: impl Fn(Right) -> bool) -> Verdict {
        match (self.right, self.own_without) {
            (Some(right), _) if !has(right) => Verdict::Forbidden,
            (_, Some(right)) if !has(right) => Verdict::Own,
            _ => Verdict::In,
        }
    }
}

impl Entry {
    fn is_for_runs(&self, ways: &Ways) -> bool {
        match ways.right {
            Some(right) => tokens::RUN_RIGHTS.contains(&right),
            None => !self.path.starts_with("/v1/me/"),
        }
    }

    /// What a caller is told.
    pub fn verdict(&self, caller: Caller) -> Verdict {
        let Some(ways) = &self.ways else {
            return Verdict::In;
        };
        let has = |gives: bool| if gives { Verdict::In } else { Verdict::Forbidden };
        match caller {
            // A machine, which is none of these.
            _ if ways.by("kubernetes_audit") => Verdict::Unknown,
            Caller::Stranger => Verdict::Unknown,
            Caller::Admin if ways.admins => Verdict::In,
            _ if ways.admins => Verdict::Forbidden,
            Caller::Outside(_) if !ways.by("outside_token") => Verdict::Forbidden,
            Caller::Outside(role) => self.verdict(Caller::Member(role)),
            // Whose tenant it is comes before what they may do there.
            Caller::Outsider | Caller::Admin if self.path.contains("{tenant}") => Verdict::NotFound,
            Caller::Outsider | Caller::Admin => has(ways.by("session")),
            Caller::Member(_) if !ways.by("session") => Verdict::Forbidden,
            Caller::Member(role) => ways.of(|right| role.gives(right)),
            Caller::Agent => {
                has(ways.by("access_token") && ways.right.is_none_or(|right| tokens::RIGHTS.contains(&right)))
            }
            // They are of no path that is an agent's own.
            Caller::Client => {
                let right = ways.right.is_none_or(|right| tokens::RIGHTS.contains(&right));
                has(ways.by("access_token") && right && !self.path.starts_with("/v1/me/"))
            }
            Caller::Run => has(ways.by("access_token") && self.is_for_runs(ways)),
            Caller::Grant(_) | Caller::Delegate if !ways.by("oauth") => Verdict::Forbidden,
            // Who the person is, is for the client that they let in.
            Caller::Delegate if self.path == "/oauth/userinfo" => Verdict::Forbidden,
            Caller::Grant(role) => ways.of(|right| role.gives(right)),
            Caller::Delegate => ways.of(|right| tokens::RIGHTS.contains(&right)),
            Caller::Key => has(ways.by("api_key")),
        }
    }
}

/// Every operation of the description, in its order.
pub fn entries() -> Vec<Entry> {
    let document = serde_json::to_value(router::document()).unwrap_or_default();
    let paths = document["paths"].as_object().cloned().unwrap_or_default();
    let mut all = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().cloned().unwrap_or_default() {
            all.push(Entry {
                method: method.to_uppercase(),
                ways: ways(&method, &path, &operation["security"]),
                path: path.clone(),
            });
        }
    }
    all
}

fn ways(method: &str, path: &str, security: &Value) -> Option<Ways> {
    let named: Vec<(String, Value)> = security
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(Clone::clone)
        .collect();
    if named.is_empty() {
        return None;
    }
    let mut scopes = named.iter().filter_map(|(_, scopes)| scopes.get(0)?.as_str());
    Some(Ways {
        right: scopes.find_map(Right::parse),
        own_without: OWN
            .iter()
            .find(|(known_method, known, _)| *known_method == method && *known == path)
            .map(|(_, _, right)| *right),
        admins: path.starts_with("/v1/admin/"),
        proofs: named.into_iter().map(|(name, _)| name).collect(),
    })
}

/// The page.
pub fn page() -> String {
    let mut page = String::from(
        "# Who may call what\n\n\
         Made of the description of the API ([openapi.json](openapi.json)) and the rights of the roles ([auth.md](../auth.md)). `yes`: the request is looked at; `own`: if it is of oneself; `-`: 403. \
         Who belongs to another tenant is told 404 wherever a tenant is named, and who proves nothing 401, but for operations that are open to anybody. An agent, what runs in a sandbox, or an OAuth client on its own has the scopes that its token \
         was made for, at most those here, and a key those that it was made with. Besides the right, what concerns one agent needs a relation to it.\n\n\
         | operation | right | owner | admin | developer | billing | viewer | agent | run | client | client for an owner | agent for an owner | API key | token of an issuer outside |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for entry in entries() {
        let Entry { method, path, ways } = &entry;
        let (right, outside) = match ways {
            None => ("anybody", true),
            Some(ways) if ways.admins => ("who runs the platform", ways.by("outside_token")),
            Some(ways) => (ways.right.map_or("", Right::as_str), ways.by("outside_token")),
        };
        // Writing to a String does not fail.
        let _ = write!(page, "| `{method} {path}` | {right} |");
        let callers = Role::ALL.map(Caller::Member).into_iter().chain([
            Caller::Agent,
            Caller::Run,
            Caller::Client,
            Caller::Grant(Role::Owner),
            Caller::Delegate,
            Caller::Key,
        ]);
        for caller in callers {
            let _ = write!(page, " {} |", entry.verdict(caller).cell());
        }
        let _ = writeln!(page, " {} |", if outside { "yes" } else { "-" });
    }
    page.push_str("\n## Pages\n\nFor people, in a browser. Who has not logged in is led to the login.\n\n| page | who |\n|---|---|\n");
    for (method, pages) in [("GET", pages::shown()), ("POST", pages::sent())] {
        for Page { path, who, .. } in pages {
            let _ = writeln!(page, "| `{method} {path}` | {} |", who.as_str());
        }
    }
    page
}

#[cfg(test)]
mod tests;
