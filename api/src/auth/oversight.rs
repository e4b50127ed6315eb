//! What a person may do with an agent of their tenant. It counts together with the role: who may not change agents at all
//! does not by an edge either.

use domain::{AgentId, OverseerId};
use jiff::Timestamp;

use crate::auth::rights::Role;

/// What somebody is to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// Sees its keys.
    Viewer,
    /// Changes what it is called.
    Delegate,
    /// Ends it, revokes its keys, and gives others a relation.
    Owner,
}

impl Relation {
    /// All, the weakest first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Delegate, Self::Owner];

    /// As it is stored and named in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Delegate => "delegate",
            Self::Owner => "owner",
        }
    }

    /// The relation of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|relation| relation.as_str() == text)
    }
}

/// A relation that somebody gave to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The agent.
    pub agent: AgentId,
    /// Who has it.
    pub overseer: OverseerId,
    /// What they are.
    pub relation: Relation,
    /// Who gave it.
    pub granted_by: OverseerId,
    /// When.
    pub created_at: Timestamp,
}

/// Who asks: a person, or a key of the tenant's, as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// The person, or the one who made the key.
    pub overseer: OverseerId,
    /// The role in the tenant; none for a key of the tenant's.
    pub role: Option<Role>,
}

impl Asker {
    /// Whether the asker stands above the owners of single agents: the tenant's owners and admins do, and its keys, which
    /// those make.
    pub fn runs_the_tenant(self) -> bool {
        matches!(self.role, None | Some(Role::Owner | Role::Admin))
    }

    /// What the asker is to an agent of this owner with these edges.
    pub fn relation(self, owner: OverseerId, edges: &[Edge]) -> Option<Relation> {
        if self.runs_the_tenant() || self.overseer == owner {
            return Some(Relation::Owner);
        }
        let own = edges.iter().filter(|edge| edge.overseer == self.overseer);
        own.map(|edge| edge.relation).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_again() {
        for relation in Relation::ALL {
            assert_eq!(Relation::parse(relation.as_str()), Some(relation));
        }
        assert_eq!(Relation::parse("admin"), None);
    }

    #[test]
    fn the_strongest_counts() {
        let (owner, other, giver) = (
            OverseerId::from_u128(1),
            OverseerId::from_u128(2),
            OverseerId::from_u128(3),
        );
        let edge = |granted_by, relation| Edge {
            agent: AgentId::from_u128(9),
            overseer: other,
            relation,
            granted_by,
            created_at: Timestamp::UNIX_EPOCH,
        };
        let edges = [edge(owner, Relation::Viewer), edge(giver, Relation::Delegate)];
        let asker = |overseer, role| Asker { overseer, role };
        let developer = Some(Role::Developer);
        assert_eq!(asker(owner, developer).relation(owner, &[]), Some(Relation::Owner));
        assert_eq!(
            asker(other, developer).relation(owner, &edges),
            Some(Relation::Delegate)
        );
        assert_eq!(
            asker(other, developer).relation(owner, &edges[..1]),
            Some(Relation::Viewer)
        );
        assert_eq!(asker(other, developer).relation(owner, &[]), None);
        assert_eq!(asker(giver, Some(Role::Viewer)).relation(owner, &edges), None);
        for role in [None, Some(Role::Owner), Some(Role::Admin)] {
            assert_eq!(asker(giver, role).relation(owner, &[]), Some(Relation::Owner));
        }
    }
}
