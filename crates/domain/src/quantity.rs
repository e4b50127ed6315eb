//! Kubernetes resource quantities: compared by value and written in the API server's canonical form.
//!
//! The API server rewrites what it is given ("1000m" becomes "1"); an object that is built in that form
//! already compares equal to what is stored. The grammar is that of the Kubernetes API conventions.

use std::{cmp::Ordering, fmt, str::FromStr};

/// An amount of some resource, exact to a thousandth.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    milli: i128,
    binary: bool,
}

/// Why a text is not a quantity that can be used here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a resource quantity such as 500m, 2 or 512Mi")]
pub struct InvalidQuantity(pub String);

const BINARY: [(&str, i128); 6] = [
    ("Ei", 1 << 60),
    ("Pi", 1 << 50),
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
];
const DECIMAL: [(&str, i128); 6] = [
    ("E", 1_000_000_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
];

/// More than any canonical form of what users may write takes.
const MOST_DIGITS: usize = 36;

impl Quantity {
    /// Nothing at all.
    pub const ZERO: Self = Self {
        milli: 0,
        binary: false,
    };

    /// A whole number of units.
    pub const fn units(units: i64) -> Self {
        Self {
            milli: units as i128 * 1000,
            binary: false,
        }
    }

    /// Thousandths of a unit.
    pub const fn milli(self) -> i128 {
        self.milli
    }
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let invalid = || InvalidQuantity(text.to_owned());
        let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, suffix) = text.split_at(split);
        let (scale, divide, binary) = if let Some((_, scale)) = BINARY.iter().find(|(name, _)| *name == suffix) {
            (scale * 1000, 1, true)
        } else if let Some((_, scale)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
            (scale * 1000, 1, false)
        } else {
            match suffix {
                "" => (1000, 1, false),
                "m" => (1, 1, false),
                "u" => (1, 1000, false),
                "n" => (1, 1_000_000, false),
                _ => return Err(invalid()),
            }
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0
            || whole.len() > MOST_DIGITS
            || fraction.len() > 9
            || !digits(whole)
            || !digits(fraction)
        {
            return Err(invalid());
        }
        let shift = 10_i128.pow(u32::try_from(fraction.len()).map_err(|_| invalid())?);
        let parse = |part: &str| if part.is_empty() { Ok(0) } else { part.parse::<i128>() };
        let value = parse(whole)
            .map_err(|_| invalid())?
            .checked_mul(shift)
            .and_then(|v| v.checked_add(parse(fraction).ok()?))
            .ok_or_else(invalid)?;
        let over = shift * divide;
        // Rounded up, as the API server does: a request may grow by less than a thousandth, never shrink.
        let milli = value
            .checked_mul(scale)
            .and_then(|v| v.checked_add(over - 1))
            .ok_or_else(invalid)?
            / over;
        Ok(Self { milli, binary })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.milli % 1000 != 0 {
            return write!(f, "{}m", self.milli);
        }
        let units = self.milli / 1000;
        let fits = |(_, scale): &&(&str, i128)| units != 0 && units % scale == 0;
        // What has no binary suffix is read again as decimal, so it is written as that.
        let binary = BINARY.iter().filter(|_| self.binary).find(fits);
        match binary.or_else(|| DECIMAL.iter().find(fits)) {
            Some((suffix, scale)) => write!(f, "{}{suffix}", units / scale),
            None => write!(f, "{units}"),
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.milli == other.milli
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.milli.cmp(&other.milli)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> String {
        text.parse::<Quantity>().expect(text).to_string()
    }

    #[test]
    fn writes_the_canonical_form() {
        for (given, wanted) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1.5", "1500m"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("0.5Gi", "512Mi"),
            ("1000", "1k"),
            ("1000M", "1G"),
            ("0", "0"),
            ("100u", "1m"),
            ("1500", "1500"),
            ("128974848", "128974848"),
        ] {
            assert_eq!(canonical(given), wanted, "{given}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_quantity() {
        for bad in [
            "",
            "Mi",
            "-1",
            "1.2.3",
            "1 Gi",
            "1gi",
            "1e3",
            "+1",
            ".",
            "9999999999999999999999999999999999999",
        ] {
            assert_eq!(bad.parse::<Quantity>(), Err(InvalidQuantity(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn compares_by_value() {
        assert!("1Gi".parse::<Quantity>().unwrap() > "1G".parse::<Quantity>().unwrap());
        assert_eq!("1000m".parse::<Quantity>().unwrap(), Quantity::units(1));
    }

    /// Many thousandths take more digits than what a user may write.
    #[test]
    fn a_long_canonical_form_is_read_again() {
        let amount: Quantity = "954467.9Gi".parse().unwrap();
        assert_eq!(amount.to_string().parse::<Quantity>(), Ok(amount));
        assert_eq!(
            "1024838907608432640m".parse::<Quantity>().unwrap().to_string(),
            "1024838907608432640m"
        );
    }

    proptest! {
        #[test]
        fn canonical_form_is_stable(whole in 0_u64..1_000_000, fraction in "(\\.[0-9]{1,3})?", suffix in "(m|k|M|G|Ki|Mi|Gi)?") {
            let text = format!("{whole}{fraction}{suffix}");
            let once = text.parse::<Quantity>().expect("a quantity");
            let twice = once.to_string().parse::<Quantity>().expect("a quantity");
            prop_assert_eq!(once, twice);
            prop_assert_eq!(once.to_string(), twice.to_string());
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Quantity>();
        }
    }
}
