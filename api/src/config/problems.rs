//! What is wrong with a configuration, all of it at once.

use std::fmt;

use crate::config::settings::Setting;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, or the file.
    pub place: String,
    /// What is wrong with it and what to write instead.
    pub message: String,
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        for Problem { place, message } in &self.0 {
            write!(f, "\n  {place}: {message}")?;
        }
        Ok(())
    }
}

/// Collects problems.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Something is wrong with a setting.
    pub fn with(&mut self, setting: &Setting, message: impl Into<String>) {
        let own = setting.names.first().copied().unwrap_or_default();
        self.at(format!("{own} ({} in the file)", setting.path), message);
    }

    /// Something is wrong elsewhere.
    pub fn at(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem {
            place: place.into(),
            message: message.into(),
        });
    }

    /// The configuration, if nothing was wrong.
    pub fn finish<T>(self, value: impl FnOnce() -> T) -> Result<T, ConfigError> {
        if self.0.is_empty() {
            Ok(value())
        } else {
            Err(ConfigError(self.0))
        }
    }
}
