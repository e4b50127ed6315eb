//! Fills the settings files of `dev/cluster/config`.

use anyhow::{Result, bail};

/// Replaces every `{{NAME}}`; a name without a value is a mistake in this tool.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut filled = text.to_owned();
    for (name, value) in values {
        filled = filled.replace(&format!("{{{{{name}}}}}"), value);
    }
    if let Some(start) = filled.find("{{") {
        let rest: String = filled[start..].chars().take(40).collect();
        bail!("a settings file has a place without a value: {rest}");
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_value_is_refused() {
        assert_eq!(fill("a {{X}} {{X}}", &[("X", "1")]).unwrap(), "a 1 1");
        assert!(fill("a {{X}} {{Y}}", &[("X", "1")]).is_err());
    }
}
