//! Passwords: what one may be, and how it is stored.
//!
//! Hashing takes tens of milliseconds and 19 MiB, so it is done in the pool of `service/hashing.rs` only.

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version};
use unicode_normalization::UnicodeNormalization as _;

/// The shortest password, in characters.
pub const SHORTEST: usize = 12;

/// The longest, in bytes: longer ones only cost time.
pub const LONGEST: usize = 1024;

/// OWASP's smallest setting of Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The hash that stands in where there is none: it takes as long as another, and no password has it.
pub const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The costliest hash of another system that is read: a second or two of a core.
const COSTLIEST: u32 = 14;

/// Why a text is no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too short or too long.
    #[error("write {SHORTEST} characters or more, at most {LONGEST} bytes")]
    Length,
    /// It can be guessed from the account.
    #[error("do not use your e-mail address; a sentence that nobody else would write is best")]
    Address,
    /// It repeats one or two characters.
    #[error("use more than a few different characters; a sentence that nobody else would write is best")]
    Monotonous,
}

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Another password, or a hash that cannot be read.
    Wrong,
    /// The password.
    Right,
    /// The password, but the hash is not of the kind that is stored now.
    Outdated,
}

/// Hashing failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password was not hashed")]
pub struct NotHashed;

/// Whether somebody may take this password. Composition is not prescribed (NIST SP 800-63B, section 3.1.1.2).
pub fn check(password: &str, email_key: &str) -> Result<(), Unfit> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(Unfit::Length);
    }
    let lower = password.to_lowercase();
    let local = email_key.split('@').next().unwrap_or_default();
    if lower == email_key || lower.replace(local, "").chars().count() < 4 {
        return Err(Unfit::Address);
    }
    let mut different: Vec<char> = lower.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < 4 {
        return Err(Unfit::Monotonous);
    }
    Ok(())
}

/// Hashes a password.
pub fn hash(password: &str, salt: [u8; 16]) -> Result<String, NotHashed> {
    let hash = hasher()?
        .hash_password_with_salt(normal(password).as_bytes(), &salt)
        .map_err(|_| NotHashed)?;
    Ok(hash.to_string())
}

/// Whether a hash is of a kind that [`verify`] compares with.
pub fn is_known(stored: &str) -> bool {
    if stored.starts_with("$2") {
        return stored.is_ascii() && cost(stored).is_some_and(|cost| cost <= COSTLIEST);
    }
    PasswordHash::new(stored).is_ok_and(|hash| hash.algorithm.as_str() == "argon2id")
}

/// The cost of a hash of bcrypt.
pub fn cost(stored: &str) -> Option<u32> {
    let parts = stored
        .starts_with("$2")
        .then(|| stored.parse::<bcrypt::HashParts>().ok());
    parts.flatten().map(|parts| parts.get_cost())
}

/// Compares a password with a stored hash.
pub fn verify(stored: &str, password: &str) -> Verdict {
    if stored.starts_with("$2") {
        // From another system. It may have cut the password at 72 bytes, as bcrypt does.
        return match bcrypt::verify(password, stored) {
            Ok(true) => Verdict::Outdated,
            _ => Verdict::Wrong,
        };
    }
    let (Ok(hash), Ok(hasher)) = (PasswordHash::new(stored), hasher()) else {
        return Verdict::Wrong;
    };
    if hasher.verify_password(normal(password).as_bytes(), &hash).is_err() {
        return Verdict::Wrong;
    }
    let current = format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$");
    if stored.starts_with(&current) {
        Verdict::Right
    } else {
        Verdict::Outdated
    }
}

fn hasher() -> Result<Argon2<'static>, NotHashed> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| NotHashed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The same text from every keyboard (NIST SP 800-63B, section 3.1.1.2: NFKC).
fn normal(password: &str) -> String {
    password.nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_again_however_it_was_typed() {
        let stored = hash("caf\u{e9} au lait, chaque matin", [1; 16]).unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQEBAQEBAQEBAQ$"),
            "{stored}"
        );
        assert_eq!(verify(&stored, "caf\u{e9} au lait, chaque matin"), Verdict::Right);
        assert_eq!(verify(&stored, "cafe\u{301} au lait, chaque matin"), Verdict::Right);
        assert_eq!(verify(&stored, "cafe au lait, chaque matin"), Verdict::Wrong);
    }

    #[test]
    fn nobodys_hash_can_be_read_and_fits_nothing() {
        assert!(PasswordHash::new(NOBODYS).is_ok());
        assert_eq!(verify(NOBODYS, ""), Verdict::Wrong);
        assert_eq!(verify(NOBODYS, "correct horse battery staple"), Verdict::Wrong);
    }

    #[test]
    fn what_other_systems_stored_is_read_and_is_outdated() {
        let stored = bcrypt::hash("correct horse battery staple", 4).unwrap();
        assert_eq!(verify(&stored, "correct horse battery staple"), Verdict::Outdated);
        assert_eq!(verify(&stored, "correct horse battery stapler"), Verdict::Wrong);
        // bcrypt reads 72 bytes.
        let long = bcrypt::hash("x".repeat(72), 4).unwrap();
        assert_eq!(verify(&long, &"x".repeat(80)), Verdict::Outdated);
        let weaker = "$argon2id$v=19$m=8,t=1,p=1$AQEBAQEBAQEBAQEBAQEBAQ$";
        assert_eq!(verify(weaker, "x"), Verdict::Wrong);
        for bad in ["", "$2b$", "$2b$12$\u{fc}\u{fc}", "$argon2id$", "x", "$2b$04$short"] {
            assert_eq!(verify(bad, "correct horse battery staple"), Verdict::Wrong, "{bad}");
        }
    }

    #[test]
    fn hashes_of_two_kinds_are_read() {
        let bcrypt = bcrypt::hash("x", 4).unwrap();
        let costly = bcrypt.replace("$04$", "$15$");
        let argon2i = NOBODYS.replace("argon2id", "argon2i");
        let cases = [
            (NOBODYS, true),
            (&bcrypt, true),
            (&costly, false),
            (&argon2i, false),
            ("", false),
            ("$2b$12$short", false),
            ("$2b$12$\u{fc}\u{fc}", false),
            ("5f4dcc3b5aa765d61d8327deb882cf99", false),
        ];
        for (hash, known) in cases {
            assert_eq!(is_known(hash), known, "{hash}");
        }
    }

    #[test]
    fn what_can_be_guessed_is_refused() {
        let key = "ada.lovelace@example.com";
        assert_eq!(check("correct horse battery staple", key), Ok(()));
        let cases = [
            ("short", Unfit::Length),
            ("elevenchars", Unfit::Length),
            (&*"long".repeat(257), Unfit::Length),
            ("Ada.Lovelace@Example.com", Unfit::Address),
            ("ada.lovelace12", Unfit::Address),
            ("aaaaaaaaaaaaaaa", Unfit::Monotonous),
            ("121212121212", Unfit::Monotonous),
        ];
        for (password, wanted) in cases {
            assert_eq!(check(password, key), Err(wanted), "{password}");
        }
    }
}
