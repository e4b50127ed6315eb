//! Bytes as lower-case hexadecimal digits (RFC 4648, section 8, in its other case).

/// The digits of bytes.
pub fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| char::from(DIGITS[usize::from(half)]))
        .collect()
}

/// The bytes of digits, if they are as many.
pub fn decode<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = value(*high)? << 4 | value(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_again_in_its_one_spelling() {
        assert_eq!(encode(&[0, 0x1f, 0xab, 0xff]), "001fabff");
        assert_eq!(decode("001fabff"), Some([0, 0x1f, 0xab, 0xff]));
        for bad in [
            "",
            "001fabf",
            "001fabff0",
            "001fabff00",
            "001FABFF",
            "001fabfg",
            "+01fabff",
        ] {
            assert_eq!(decode::<4>(bad), None, "{bad}");
        }
    }
}
