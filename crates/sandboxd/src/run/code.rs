//! Source text: a file that its interpreter is called with.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use sandbox_protocol::Language;

use super::start_error::StartError;

/// Writes the code into a private folder below the first of `folders` that takes it, and gives the command to run it.
pub(crate) fn write(language: Language, code: &[u8], folders: &[PathBuf]) -> Result<Vec<String>, StartError> {
    let (interpreter, file_name) = match language {
        // Unbuffered, so that what was printed before a deadline or an out-of-memory kill is not lost with the process.
        Language::Python => (["python3", "-u"].as_slice(), "main.py"),
        Language::Bash => (["bash"].as_slice(), "main.sh"),
        Language::JavaScript => (["node"].as_slice(), "main.js"),
    };
    let mut failure = io::Error::from(ErrorKind::NotFound);
    for folder in folders {
        match write_below(folder, file_name, code) {
            Ok(path) => return Ok(interpreter.iter().map(ToString::to_string).chain([path]).collect()),
            Err(error) => failure = error,
        }
    }
    Err(StartError::WriteCode {
        folders: folders.to_vec(),
        source: failure,
    })
}

fn write_below(folder: &Path, file_name: &str, code: &[u8]) -> io::Result<String> {
    let path = private_folder(folder)?.join(file_name);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?
        .write_all(code)?;
    path.into_os_string()
        .into_string()
        .map_err(|_| ErrorKind::InvalidFilename.into())
}

/// A folder that was not there before: whatever an image or a volume holds under the name, even a link, is left alone.
fn private_folder(below: &Path) -> io::Result<PathBuf> {
    let mut number = 0_u32;
    loop {
        let path = below.join(format!("pinfold-code-{number}"));
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}
