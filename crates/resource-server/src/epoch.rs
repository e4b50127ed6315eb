//! What names the store that remembers what counts once. A store that lost what it knew has another epoch, so that whatever was minted for
//! the one before counts nowhere.

/// How long its written form is.
pub const LENGTH: usize = 17;

/// Which run of which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epoch {
    /// PostgreSQL, the stand-in.
    Postgres([u8; 16]),
    /// Redis.
    Redis([u8; 16]),
}

impl Epoch {
    /// As it stands in what names it.
    pub fn written(self) -> [u8; LENGTH] {
        let (store, id) = match self {
            Self::Postgres(id) => (0, id),
            Self::Redis(id) => (1, id),
        };
        let mut bytes = [store; LENGTH];
        bytes[1..].copy_from_slice(&id);
        bytes
    }

    /// Reads what [`Epoch::written`] wrote.
    pub fn read(bytes: [u8; LENGTH]) -> Option<Self> {
        let [store, id @ ..] = bytes;
        match store {
            0 => Some(Self::Postgres(id)),
            1 => Some(Self::Redis(id)),
            _ => None,
        }
    }
}
