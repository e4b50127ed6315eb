//! Names of rows: each kind of thing has a type of its own, so that one is never taken for another.

use std::{fmt, str::FromStr};

use uuid::Uuid;

/// A text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: write a UUID as 8-4-4-4-12 lower-case hexadecimal digits")]
pub struct IdError;

macro_rules! id {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this value.
            pub const fn from_u128(value: u128) -> Self {
                Self(Uuid::from_u128(value))
            }

            /// A new id, in the order of time (RFC 9562, version 7), made of a moment and chance.
            pub fn new(at: jiff::Timestamp, random: [u8; 10]) -> Self {
                let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid())
            }

            /// The id that follows from a digest (RFC 9562, version 8).
            pub fn of_digest(digest: &[u8; 32]) -> Self {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&digest[..16]);
                Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
            }

            /// The UUID, for where it is stored.
            pub const fn uuid(&self) -> Uuid {
                self.0
            }

            /// The id of a stored UUID.
            pub const fn of_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Its sixteen bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Only the form that we write: an id has one spelling.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let id = Self(Uuid::try_parse(text).map_err(|_| IdError)?);
                if id.to_string() == text { Ok(id) } else { Err(IdError) }
            }
        }
    };
}

id!(
    /// A tenant's row.
    TenantId
);
id!(
    /// A person, or the stand-in for one that an agent without an owner has.
    OverseerId
);
id!(
    /// The registration of an OAuth client; what the client calls itself by is a text of its own.
    ClientId
);
id!(
    /// That a client may do nothing in somebody's name: it follows from what the client calls itself.
    ClientBlockId
);
id!(
    /// What a person lets an OAuth client do, until they take it back.
    ConsentId
);
id!(
    /// One authorization of an OAuth client, and all tokens that come of it.
    GrantId
);
id!(
    /// An agent's identity.
    AgentId
);
id!(
    /// One of an agent's keys.
    AgentKeyId
);
id!(
    /// A run: the UID of its resource.
    RunId
);
id!(
    /// A person's login.
    SessionId
);
id!(
    /// A link that was sent by mail.
    MailLinkId
);
id!(
    /// A key that programs of a person or a tenant use.
    ApiKeyId
);
id!(
    /// An invitation to a tenant.
    InvitationId
);
id!(
    /// An outside issuer's name for a person.
    IdentityId
);
id!(
    /// A person's passkey.
    PasskeyId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = AgentId::from_u128(0x0a);
        assert_eq!(id.to_string(), "00000000-0000-0000-0000-00000000000a");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in [
            "",
            "00000000-0000-0000-0000-00000000000A",
            "0000000000000000000000000000000a",
            "{00000000-0000-0000-0000-00000000000a}",
            "urn:uuid:00000000-0000-0000-0000-00000000000a",
            "00000000-0000-0000-0000-00000000000a ",
            "10",
        ] {
            assert_eq!(bad.parse::<AgentId>(), Err(IdError), "{bad}");
        }
    }

    #[test]
    fn a_digest_has_one_id() {
        let id = AgentKeyId::of_digest(&[0xff; 32]);
        assert_eq!(id.to_string(), "ffffffff-ffff-8fff-bfff-ffffffffffff");
    }

    #[test]
    fn later_ids_come_later() {
        let at = |ms| jiff::Timestamp::from_millisecond(ms).unwrap();
        let (a, b) = (
            TenantId::new(at(1_800_000_000_000), [0xff; 10]),
            TenantId::new(at(1_800_000_000_001), [0; 10]),
        );
        assert!(a < b);
        assert_eq!(a.uuid().get_version_num(), 7);
    }
}
