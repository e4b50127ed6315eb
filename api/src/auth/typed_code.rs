//! Codes that people type: 80 random bits as four groups of four letters and digits. The database knows them by their
//! SHA-256 only.

use crate::auth::{opaque::sha256, totp::base32};

/// A code of these bytes.
pub fn written(random: [u8; 10]) -> String {
    let text = base32(&random).to_lowercase();
    let groups: Vec<String> = text
        .as_bytes()
        .chunks(4)
        .map(|four| String::from_utf8_lossy(four).into_owned())
        .collect();
    groups.join("-")
}

/// As the database knows it, however it was typed. What it is for is hashed too, so no code is good for anything else.
pub fn hash(purpose: &str, code: &str) -> [u8; 32] {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    sha256(format!("{purpose}\0{}", plain.to_ascii_lowercase()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_it_is_typed_it_is_the_same() {
        let code = written([0, 1, 2, 3, 4, 5, 6, 7, 8, 255]);
        assert_eq!(code, "aaaq-eaye-auda-och7");
        for typed in ["AAAQEAYEAUDAOCH7", " aaaq eaye auda och7\n", "aaaq–eaye–auda–och7"] {
            assert_eq!(hash("claim", typed), hash("claim", &code), "{typed}");
        }
        assert_ne!(hash("claim", &code), hash("recovery code", &code));
    }
}
