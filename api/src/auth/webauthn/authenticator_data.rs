//! What the authenticator says (Web Authentication, section 6.1):
//!
//! ```text
//! SHA-256 of the service's id (32) ‖ flags (1) ‖ counter (4)
//!     ‖ with the flag AT: AAGUID (16) ‖ length of the credential's id (2) ‖ its id ‖ its key (COSE)
//!     ‖ with the flag ED: a map of extensions (CBOR)
//! ```

use aws_lc_rs::digest::{SHA256, digest};
use minicbor::Decoder;

use super::{RelyingParty, Unbelieved};

/// Somebody touched it.
const USER_PRESENT: u8 = 1;
/// The credential may be kept elsewhere.
const BACKUP_ELIGIBLE: u8 = 1 << 3;
/// The credential is kept elsewhere.
const BACKED_UP: u8 = 1 << 4;
/// A credential follows.
const ATTESTED: u8 = 1 << 6;
/// Extensions follow.
const EXTENDED: u8 = 1 << 7;

/// See the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AuthenticatorData<'a> {
    pub(super) counter: u32,
    pub(super) backed_up: bool,
    pub(super) credential: Option<Credential<'a>>,
}

/// A credential that was just made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Credential<'a> {
    pub(super) id: &'a [u8],
    pub(super) key: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    /// Reads data that are for this service, of an authenticator that somebody touched.
    pub(super) fn read(bytes: &'a [u8], party: &RelyingParty) -> Result<Self, Unbelieved> {
        let mut rest = bytes;
        let of = take(&mut rest, 32)?;
        let flags = take(&mut rest, 1)?[0];
        let has = |flag: u8| flags & flag != 0;
        let counter = take(&mut rest, 4)?
            .iter()
            .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let credential = if has(ATTESTED) {
            let _aaguid = take(&mut rest, 16)?;
            let length = take(&mut rest, 2)?
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            let id = take(&mut rest, length)?;
            Some(Credential {
                id,
                key: take_item(&mut rest)?,
            })
        } else {
            None
        };
        if has(EXTENDED) {
            take_item(&mut rest)?;
        }
        if !rest.is_empty() || has(BACKED_UP) && !has(BACKUP_ELIGIBLE) {
            return Err(Unbelieved::Data);
        }
        if of != digest(&SHA256, party.id.as_bytes()).as_ref() {
            return Err(Unbelieved::Elsewhere);
        }
        if !has(USER_PRESENT) {
            return Err(Unbelieved::Absent);
        }
        Ok(Self {
            counter,
            backed_up: has(BACKED_UP),
            credential,
        })
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Unbelieved> {
    let (taken, left) = rest.split_at_checked(length).ok_or(Unbelieved::Data)?;
    *rest = left;
    Ok(taken)
}

/// One item of CBOR.
fn take_item<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Unbelieved> {
    let mut reader = Decoder::new(rest);
    reader.skip().map_err(|_| Unbelieved::Data)?;
    let length = reader.position();
    take(rest, length)
}
