//! The place of a request in a distributed trace (W3C Trace Context, <https://www.w3.org/TR/trace-context/>).

use axum::http::HeaderName;

use crate::auth::random::random;

/// The header in requests and answers.
pub const HEADER: HeaderName = HeaderName::from_static("traceparent");

/// What this service does for a request: a span of the client's trace, or of a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: u128,
    span: u64,
    flags: u8,
}

impl Trace {
    /// Goes on with what a client says; what cannot be read begins a new trace (section 4.3).
    pub fn of(given: Option<&str>) -> Self {
        let known = given.and_then(parse);
        let (id, flags) = known.unwrap_or_else(|| (u128::from_be_bytes(minted()), 0));
        Self {
            id,
            span: u64::from_be_bytes(minted()),
            flags,
        }
    }

    /// The trace's id.
    pub fn id(self) -> String {
        format!("{:032x}", self.id)
    }

    /// The span's id.
    pub fn span(self) -> String {
        format!("{:016x}", self.span)
    }

    /// As a header's value, of the version that is known here.
    pub fn header(self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.id, self.span, self.flags)
    }
}

/// The trace's id and its flags. Of a version to come, what is like the known one (section 3.2.4).
fn parse(text: &str) -> Option<(u128, u8)> {
    let (known, rest) = text.split_at_checked(55)?;
    let mut parts = known.split('-');
    let mut number = |digits| number(parts.next()?, digits);
    let (version, id, span, flags) = (number(2)?, number(32)?, number(16)?, number(2)?);
    let fits = match version {
        0 => rest.is_empty(),
        0xff => false,
        _ => rest.is_empty() || rest.starts_with('-'),
    };
    // The flags that version 00 knows: sampled, and that the id is random.
    let flags = u8::try_from(flags & 0b11).ok()?;
    (fits && parts.next().is_none() && id != 0 && span != 0).then_some((id, flags))
}

/// A number of so many digits, in lower-case hexadecimal.
fn number(text: &str, digits: usize) -> Option<u128> {
    let lower = text.bytes().all(|d| matches!(d, b'0'..=b'9' | b'a'..=b'f'));
    let digits = lower && text.len() == digits;
    u128::from_str_radix(text, 16).ok().filter(|_| digits)
}

/// An id that is not all zeros. Without random numbers there is no service; a trace alone does not end one.
fn minted<const N: usize>() -> [u8; N] {
    random().ok().filter(|id| *id != [0; N]).unwrap_or([1; N])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn goes_on_with_a_trace_that_is_one() {
        for (given, flags) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "00"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff", "03"),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
            (
                "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-will-come",
                "01",
            ),
        ] {
            let trace = Trace::of(Some(given));
            assert_eq!(trace.id(), ID, "{given}");
            assert_ne!(trace.span(), "00f067aa0ba902b7", "{given}");
            assert_eq!(trace.header(), format!("00-{ID}-{}-{flags}", trace.span()), "{given}");
        }
    }

    #[test]
    fn begins_one_where_there_is_none() {
        for given in [
            None,
            Some(""),
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"),
            Some("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more"),
            Some("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            Some("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
            Some("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"),
            Some("00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01"),
            Some("00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01"),
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é"),
        ] {
            let (one, other) = (Trace::of(given), Trace::of(given));
            assert_ne!(one.id(), other.id(), "{given:?}");
            assert_ne!(one.id(), ID, "{given:?}");
            assert!(parse(&one.header()).is_some(), "{}", one.header());
            assert!(one.header().ends_with("-00"), "{}", one.header());
        }
    }
}
