//! Codes that a person reads on one device and types on another (RFC 8628, section 6.1): eight consonants, which are read as nothing else and
//! spell nothing.

use crate::auth::opaque::sha256;

const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// How many letters a code has: one of 25,600,000,000.
const LENGTH: usize = 8;

/// A code of these bytes; nothing if they are not fit for one, and other bytes are to be tried.
pub fn written(random: [u8; 16]) -> Option<String> {
    // Below this every letter is as likely as the others.
    let fit = random.into_iter().filter(|byte| *byte < 240);
    let letters: String = fit
        .take(LENGTH)
        .map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]))
        .collect();
    let (first, second) = letters.split_at_checked(LENGTH / 2)?;
    (letters.len() == LENGTH).then(|| format!("{first}-{second}"))
}

/// As the database knows it, however it was typed.
pub fn hash(code: &str) -> [u8; 32] {
    let plain: String = code.chars().filter(char::is_ascii_alphabetic).collect();
    sha256(format!("user code\0{}", plain.to_ascii_uppercase()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_it_is_typed_it_is_the_same() {
        let code = written([0, 1, 255, 2, 250, 3, 19, 20, 39, 239, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(code, "BCDF-ZBZZ");
        for typed in ["bcdfzbzz", " BCDF ZBZZ\n", "bcdf–zbzz", "B.C.D.F.Z.B.Z.Z"] {
            assert_eq!(hash(typed), hash(&code), "{typed}");
        }
        assert_ne!(hash("BCDF-ZBZX"), hash(&code));
        assert_eq!(written([255; 16]), None);
    }
}
