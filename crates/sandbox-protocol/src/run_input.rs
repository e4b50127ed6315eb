//! A run's whole input and its form in the container's environment.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use thiserror::Error;

use crate::{Mode, RunSpec, env};

/// The kernel takes at most 128 KiB in one environment string, and base64 makes four bytes of three.
pub const MAX_CODE_BYTES: usize = 64 * 1024;
/// See [`MAX_CODE_BYTES`].
pub const MAX_STDIN_BYTES: usize = 64 * 1024;
/// Of the command as a JSON array. See [`MAX_CODE_BYTES`].
pub const MAX_COMMAND_BYTES: usize = 64 * 1024;
/// Of the spec as JSON, start and ready command included. See [`MAX_CODE_BYTES`].
pub const MAX_SPEC_BYTES: usize = 64 * 1024;

/// Everything that `sandboxd` gets from the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunInput {
    pub spec: RunSpec,
    /// Program and arguments; present in [`Mode::Command`] only.
    pub command: Option<Vec<String>>,
    /// Source text; present in [`Mode::Code`] only.
    pub code: Option<Vec<u8>>,
    /// Never present in [`Mode::Interactive`], where nothing would read it.
    pub stdin: Option<Vec<u8>>,
}

/// A part of the input, named as users know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Spec,
    Command,
    Code,
    Stdin,
    Workdir,
    StartCommand,
    ReadyCommand,
}

/// Why an input cannot be handed over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    #[error("{field} takes {bytes} bytes and may take at most {limit}")]
    TooLarge { field: Field, bytes: usize, limit: usize },
    #[error("{field} is missing or empty")]
    Missing { field: Field },
    #[error("{field} has no meaning in this mode")]
    Unexpected { field: Field },
    #[error("{field} contains a NUL byte, which no argument or path can hold")]
    NulByte { field: Field },
    #[error("{field} must be an absolute path")]
    NotAbsolute { field: Field },
}

/// Why the environment does not hold a valid input.
#[derive(Debug, Error)]
pub enum DecodeError {
    #[error("{name} is not set")]
    Missing { name: &'static str },
    #[error("{name} is not valid base64")]
    Base64 {
        name: &'static str,
        #[source]
        source: base64::DecodeError,
    },
    #[error("{name} is not the expected JSON")]
    Json {
        name: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("the run's input is invalid")]
    Invalid(#[from] EncodeError),
}

impl EncodeError {
    /// The part that is wrong.
    pub fn field(&self) -> Field {
        match self {
            Self::TooLarge { field, .. }
            | Self::Missing { field }
            | Self::Unexpected { field }
            | Self::NulByte { field }
            | Self::NotAbsolute { field } => *field,
        }
    }
}

impl RunInput {
    /// The environment variables that carry this input. Base64 holds no `$`: the kubelet has nothing to expand.
    pub fn encode(&self) -> Result<Vec<(&'static str, String)>, EncodeError> {
        self.validate()?;
        let mut pairs = vec![(env::RUN, STANDARD.encode(json(&self.spec)))];
        if let Some(command) = &self.command {
            pairs.push((env::COMMAND, STANDARD.encode(json(command))));
        }
        if let Some(code) = &self.code {
            pairs.push((env::CODE, STANDARD.encode(code)));
        }
        if let Some(stdin) = &self.stdin {
            pairs.push((env::STDIN, STANDARD.encode(stdin)));
        }
        Ok(pairs)
    }

    /// Reads the input back; `lookup` gives the value of an environment variable.
    pub fn decode<V: AsRef<[u8]>>(lookup: impl Fn(&str) -> Option<V>) -> Result<Self, DecodeError> {
        let bytes = |name: &'static str| {
            lookup(name)
                .map(|value| {
                    STANDARD
                        .decode(value)
                        .map_err(|source| DecodeError::Base64 { name, source })
                })
                .transpose()
        };
        let spec = bytes(env::RUN)?.ok_or(DecodeError::Missing { name: env::RUN })?;
        let input = Self {
            spec: serde_json::from_slice(&spec).map_err(|source| DecodeError::Json { name: env::RUN, source })?,
            command: bytes(env::COMMAND)?
                .map(|command| serde_json::from_slice(&command))
                .transpose()
                .map_err(|source| DecodeError::Json {
                    name: env::COMMAND,
                    source,
                })?,
            code: bytes(env::CODE)?,
            stdin: bytes(env::STDIN)?,
        };
        input.validate()?;
        Ok(input)
    }

    fn validate(&self) -> Result<(), EncodeError> {
        let (with_command, with_code, with_stdin) = match self.spec.mode {
            Mode::Command => (true, false, true),
            Mode::Code { .. } => (false, true, true),
            Mode::Interactive => (false, false, false),
        };
        presence(Field::Command, self.command.is_some(), with_command)?;
        presence(Field::Code, self.code.is_some(), with_code)?;
        if self.stdin.is_some() && !with_stdin {
            return Err(EncodeError::Unexpected { field: Field::Stdin });
        }

        for (field, argv) in [
            (Field::Command, &self.command),
            (Field::StartCommand, &self.spec.start_command),
            (Field::ReadyCommand, &self.spec.ready_command),
        ] {
            if let Some(argv) = argv {
                validate_argv(field, argv)?;
            }
        }
        if let Some(workdir) = &self.spec.workdir {
            let field = Field::Workdir;
            if workdir.contains('\0') {
                return Err(EncodeError::NulByte { field });
            }
            if !workdir.starts_with('/') {
                return Err(EncodeError::NotAbsolute { field });
            }
        }

        let command_bytes = self.command.as_ref().map_or(0, |command| json(command).len());
        limit(Field::Command, command_bytes, MAX_COMMAND_BYTES)?;
        limit(Field::Code, self.code.as_ref().map_or(0, Vec::len), MAX_CODE_BYTES)?;
        limit(Field::Stdin, self.stdin.as_ref().map_or(0, Vec::len), MAX_STDIN_BYTES)?;
        limit(Field::Spec, json(&self.spec).len(), MAX_SPEC_BYTES)
    }
}

fn presence(field: Field, present: bool, wanted: bool) -> Result<(), EncodeError> {
    match (present, wanted) {
        (false, true) => Err(EncodeError::Missing { field }),
        (true, false) => Err(EncodeError::Unexpected { field }),
        _ => Ok(()),
    }
}

fn validate_argv(field: Field, argv: &[String]) -> Result<(), EncodeError> {
    if argv.first().is_none_or(String::is_empty) {
        return Err(EncodeError::Missing { field });
    }
    if argv.iter().any(|argument| argument.contains('\0')) {
        return Err(EncodeError::NulByte { field });
    }
    Ok(())
}

fn limit(field: Field, bytes: usize, limit: usize) -> Result<(), EncodeError> {
    if bytes > limit {
        Err(EncodeError::TooLarge { field, bytes, limit })
    } else {
        Ok(())
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and numbers always have a JSON form")
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spec => "spec",
            Self::Command => "command",
            Self::Code => "code",
            Self::Stdin => "stdin",
            Self::Workdir => "workdir",
            Self::StartCommand => "startCommand",
            Self::ReadyCommand => "readyProbe.command",
        })
    }
}

#[cfg(test)]
mod tests;
