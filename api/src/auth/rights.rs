//! Who may do what in a tenant. This table is the only one; the documentation and the golden file of the tests are
//! made from it.

/// What a person is in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Everything, and makes other owners.
    Owner,
    /// Everything but what only owners do.
    Admin,
    /// Works with agents, templates and runs.
    Developer,
    /// Sees and changes what is paid.
    Billing,
    /// Reads.
    Viewer,
}

/// Something that may be done in a tenant. Its name is also the scope that a key or token must have (RFC 6749,
/// section 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// See the tenant.
    TenantRead,
    /// Change the tenant.
    TenantWrite,
    /// End the tenant.
    TenantDelete,
    /// See who belongs to it.
    MembersRead,
    /// Invite, change and remove members.
    MembersWrite,
    /// See the tenant's API keys.
    KeysRead,
    /// Make and revoke them.
    KeysWrite,
    /// See the OAuth clients that the tenant registered.
    ClientsRead,
    /// Register, change and delete them.
    ClientsWrite,
    /// See the agents.
    AgentsRead,
    /// Register, change and remove agents.
    AgentsWrite,
    /// See the templates.
    TemplatesRead,
    /// Make, change and delete the tenant's own templates.
    TemplatesWrite,
    /// See runs, their output and their logs.
    RunsRead,
    /// Start, cancel and delete runs.
    RunsWrite,
    /// See what was done by whom.
    AuditRead,
}

use Right::{
    AgentsRead, AgentsWrite, AuditRead, ClientsRead, ClientsWrite, KeysRead, KeysWrite, MembersRead, MembersWrite,
    RunsRead, RunsWrite, TemplatesRead, TemplatesWrite, TenantDelete, TenantRead, TenantWrite,
};

impl Role {
    /// All roles, the strongest first.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Admin, Self::Developer, Self::Billing, Self::Viewer];

    /// As it is stored and named in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Billing => "billing",
            Self::Viewer => "viewer",
        }
    }

    /// The role of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// What the role gives.
    pub const fn rights(self) -> &'static [Right] {
        match self {
            Self::Owner => &Right::ALL,
            Self::Admin => &[
                TenantRead,
                TenantWrite,
                MembersRead,
                MembersWrite,
                KeysRead,
                KeysWrite,
                ClientsRead,
                ClientsWrite,
                AgentsRead,
                AgentsWrite,
                TemplatesRead,
                TemplatesWrite,
                RunsRead,
                RunsWrite,
                AuditRead,
            ],
            Self::Developer => &[
                TenantRead,
                MembersRead,
                KeysRead,
                ClientsRead,
                AgentsRead,
                AgentsWrite,
                TemplatesRead,
                TemplatesWrite,
                RunsRead,
                RunsWrite,
            ],
            Self::Billing => &[TenantRead, MembersRead],
            Self::Viewer => &[TenantRead, MembersRead, AgentsRead, TemplatesRead, RunsRead],
        }
    }

    /// Whether the role gives a right.
    pub fn gives(self, right: Right) -> bool {
        self.rights().contains(&right)
    }

    /// Whether somebody of this role may give or take another: nobody gives what they do not have, and owners are made
    /// and unmade by owners.
    pub fn may_grant(self, other: Self) -> bool {
        self.gives(MembersWrite) && other.rights().iter().all(|right| self.gives(*right))
    }
}

impl Right {
    /// All rights.
    pub const ALL: [Self; 16] = [
        TenantRead,
        TenantWrite,
        TenantDelete,
        MembersRead,
        MembersWrite,
        KeysRead,
        KeysWrite,
        ClientsRead,
        ClientsWrite,
        AgentsRead,
        AgentsWrite,
        TemplatesRead,
        TemplatesWrite,
        RunsRead,
        RunsWrite,
        AuditRead,
    ];

    /// Its name, and the scope's.
    pub const fn as_str(self) -> &'static str {
        match self {
            TenantRead => "tenant:read",
            TenantWrite => "tenant:write",
            TenantDelete => "tenant:delete",
            MembersRead => "members:read",
            MembersWrite => "members:write",
            KeysRead => "keys:read",
            KeysWrite => "keys:write",
            ClientsRead => "clients:read",
            ClientsWrite => "clients:write",
            AgentsRead => "agents:read",
            AgentsWrite => "agents:write",
            TemplatesRead => "templates:read",
            TemplatesWrite => "templates:write",
            RunsRead => "runs:read",
            RunsWrite => "runs:write",
            AuditRead => "audit:read",
        }
    }

    /// The right of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.as_str() == text)
    }
}

/// A right as a type: a handler that takes [`crate::http::access::In`] of one cannot be entered without it.
pub trait Needs: Send {
    /// The right.
    const RIGHT: Right;
}

macro_rules! needs {
    ($($name:ident),*) => {
        /// The rights as types.
        pub mod need {
            use super::{Needs, Right};
            $(
                #[doc = concat!("[`Right::", stringify!($name), "`].")]
                #[derive(Debug, Clone, Copy)]
                pub enum $name {}
                impl Needs for $name {
                    const RIGHT: Right = Right::$name;
                }
            )*
        }
    };
}

needs!(
    TenantRead,
    TenantWrite,
    TenantDelete,
    MembersRead,
    MembersWrite,
    KeysRead,
    KeysWrite,
    ClientsRead,
    ClientsWrite,
    AgentsRead,
    AgentsWrite,
    TemplatesRead,
    TemplatesWrite,
    RunsRead,
    RunsWrite,
    AuditRead
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_again() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        for right in Right::ALL {
            assert_eq!(Right::parse(right.as_str()), Some(right));
        }
        assert_eq!(Role::parse("Owner"), None);
        assert_eq!(Right::parse(""), None);
    }

    #[test]
    fn nobody_gives_more_than_they_have() {
        for giver in Role::ALL {
            for given in Role::ALL {
                let wanted = matches!(
                    (giver, given),
                    (Role::Owner, _)
                        | (
                            Role::Admin,
                            Role::Admin | Role::Developer | Role::Billing | Role::Viewer
                        )
                );
                assert_eq!(giver.may_grant(given), wanted, "{giver:?} {given:?}");
            }
        }
    }

    /// The table of docs/auth.md, made of this one.
    #[test]
    fn the_documentation_says_the_same() {
        let documented = include_str!("../../../docs/auth.md");
        let of_agent = crate::service::tokens::RIGHTS;
        for right in Right::ALL {
            let roles = Role::ALL.map(|role| role.gives(right)).into_iter();
            let cells: Vec<&str> = roles
                .chain([of_agent.contains(&right)])
                .map(|given| if given { " yes |" } else { " |" })
                .collect();
            let row = format!("| `{}` |{}\n", right.as_str(), cells.concat());
            assert!(documented.contains(&row), "{row}");
        }
    }

    #[test]
    fn a_viewer_changes_nothing() {
        let writes = |role: Role| role.rights().iter().any(|r| !r.as_str().ends_with(":read"));
        assert!(!writes(Role::Viewer));
        assert!(!writes(Role::Billing));
        assert!(writes(Role::Developer));
    }
}
