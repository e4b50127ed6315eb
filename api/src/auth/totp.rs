//! Codes of an authenticator (RFC 6238): six digits that change every 30 s, HMAC-SHA-1 as every authenticator reads it.

use aws_lc_rs::{constant_time, hmac};
use jiff::Timestamp;

/// The length of a secret (RFC 4226, section 4, R6).
pub const SECRET: usize = 20;

const STEP: i64 = 30;
const DIGITS: usize = 6;

/// How many steps a clock may be off, either way (RFC 6238, section 5.2).
const DRIFT: i64 = 1;

/// The letters and digits of base32 (RFC 4648, section 6).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The step of a code that is good now and comes after the last one that was used.
pub fn step_of(secret: &[u8], code: &str, last: i64, now: Timestamp) -> Option<i64> {
    let current = now.as_second().div_euclid(STEP);
    let mut found = None;
    // All of them, so that the time tells nothing.
    for step in current - DRIFT..=current + DRIFT {
        let wanted = self::code(secret, step);
        let same = constant_time::verify_slices_are_equal(wanted.as_bytes(), code.as_bytes()).is_ok();
        if same && step > last {
            found = found.or(Some(step));
        }
    }
    found
}

/// The code of a step (RFC 4226, section 5.3).
pub fn code(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes[bytes.len() - 1] & 15);
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[offset..offset + 4]);
    let number = u32::from_be_bytes(four) & 0x7fff_ffff;
    format!("{:0DIGITS$}", number % 1_000_000)
}

/// Bytes in base32 without padding.
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in bytes {
        buffer = buffer << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(BASE32[(buffer >> bits & 31) as usize]));
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(BASE32[(buffer << (5 - bits) & 31) as usize]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B (SHA-1), of whose eight digits we take the last six.
    #[test]
    fn the_codes_are_the_rfcs() {
        let secret = b"12345678901234567890";
        let cases = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (second, wanted) in cases {
            assert_eq!(code(secret, second / 30), wanted, "{second}");
        }
    }

    #[test]
    fn a_code_is_good_for_a_step_either_way_and_once() {
        let secret = b"12345678901234567890";
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let current = 1_800_000_000 / 30;
        for (step, good) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let text = code(secret, current + step);
            let wanted = good.then_some(current + step);
            assert_eq!(step_of(secret, &text, 0, now), wanted, "{step}");
            assert_eq!(step_of(secret, &text, current + step, now), None, "{step}");
        }
        for bad in [
            "",
            "000000",
            "1234567",
            "abcdef",
            "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}",
        ] {
            assert_eq!(step_of(secret, bad, 0, now), None, "{bad}");
        }
    }

    /// RFC 4648, section 10.
    #[test]
    fn base32_is_the_rfcs() {
        let cases = [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ];
        for (text, wanted) in cases {
            assert_eq!(base32(text.as_bytes()), wanted);
        }
    }
}
