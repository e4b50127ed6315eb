//! An address of a mailbox.

use std::fmt;

use url::Host;

/// The longest address that mail can be sent to (RFC 5321, section 4.5.3.1.3: a path of 256 with its brackets).
const LONGEST: usize = 254;

/// The longest part before the `@` (RFC 5321, section 4.5.3.1.1).
const LONGEST_LOCAL: usize = 64;

/// An address of a mailbox: a dot-atom of ASCII before the `@` and a domain after it (RFC 5321, section 4.1.2).
///
/// Two addresses that differ in case only are taken for the same mailbox, as every large provider does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailAddress {
    written: String,
    key: String,
}

/// A text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEmailAddress {
    /// Longer than mail allows.
    #[error("an e-mail address has at most {LONGEST} characters, and {LONGEST_LOCAL} before the '@'")]
    Length,
    /// The part before the `@`.
    #[error(
        "before the '@' of an e-mail address stand letters, digits and !#$%&'*+-/=?^_`{{|}}~, with single dots between"
    )]
    Local,
    /// The part after the `@`.
    #[error("after the '@' of an e-mail address stands a domain with a dot, as ada@example.com")]
    Domain,
}

impl EmailAddress {
    /// Parses an address.
    pub fn parse(text: &str) -> Result<Self, InvalidEmailAddress> {
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmailAddress::Domain)?;
        let is_atom = |atom: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
            !atom.is_empty() && atom.chars().all(allowed)
        };
        if !local.split('.').all(is_atom) {
            return Err(InvalidEmailAddress::Local);
        }
        // One spelling for a domain: lower case, and A-labels for what is not ASCII (RFC 5890).
        let Ok(Host::Domain(domain)) = Host::parse(domain) else {
            return Err(InvalidEmailAddress::Domain);
        };
        let is_label = |label: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
            (1..=63).contains(&label.len()) && label.chars().all(allowed)
        };
        if !domain.contains('.') || !domain.split('.').all(is_label) {
            return Err(InvalidEmailAddress::Domain);
        }
        let written = format!("{local}@{domain}");
        if written.len() > LONGEST || local.len() > LONGEST_LOCAL {
            return Err(InvalidEmailAddress::Length);
        }
        let key = written.to_ascii_lowercase();
        Ok(Self { written, key })
    }

    /// As mail is sent to it.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// As it is compared.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(String, String), InvalidEmailAddress> {
        EmailAddress::parse(text).map(|a| (a.as_str().to_owned(), a.key().to_owned()))
    }

    #[test]
    fn an_address_has_one_key() {
        let same = |text: &str, key: &str| Ok((text.to_owned(), key.to_owned()));
        assert_eq!(parsed("ada@example.com"), same("ada@example.com", "ada@example.com"));
        assert_eq!(
            parsed("Ada.L+x@EXAMPLE.com"),
            same("Ada.L+x@example.com", "ada.l+x@example.com")
        );
        assert_eq!(
            parsed("ada@b\u{fc}cher.example"),
            same("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example")
        );
    }

    #[test]
    fn what_is_none_says_where() {
        use InvalidEmailAddress::{Domain, Length, Local};
        let long = "a".repeat(65);
        let domain = format!(
            "{}.{}.{}.{}.example",
            "a".repeat(63),
            "b".repeat(63),
            "c".repeat(63),
            "d".repeat(51)
        );
        let cases = [
            ("", Domain),
            ("ada", Domain),
            ("ada@", Domain),
            ("ada@localhost", Domain),
            ("ada@127.0.0.1", Domain),
            ("ada@[::1]", Domain),
            ("ada@-", Domain),
            ("ada@a_b.example", Domain),
            ("ada@example..com", Domain),
            ("ada@exa mple.com", Domain),
            ("@example.com", Local),
            ("a..b@example.com", Local),
            (".a@example.com", Local),
            ("\"a b\"@example.com", Local),
            ("ada\r\nBcc: x@example.com", Local),
            ("a<b>@example.com", Local),
            ("\u{430}da@example.com", Local),
            ("a\u{200b}da@example.com", Local),
            (&format!("{long}@example.com"), Length),
            (&format!("ada@{domain}"), Length),
        ];
        for (text, wanted) in cases {
            assert_eq!(parsed(text), Err(wanted), "{text:?}");
        }
    }
}
