//! From the first argument to the file to execute, by the rules of a shell.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

use super::start_error::StartError;

/// By hand rather than by the standard library, to tell what is missing from what may not be executed.
pub(crate) fn resolve(program: &str, search_path: &OsStr) -> Result<PathBuf, StartError> {
    if program.contains('/') {
        let path = PathBuf::from(program);
        return match problem(&path) {
            None => Ok(path),
            Some(Problem::Missing) => Err(StartError::NotFound {
                program: program.to_owned(),
            }),
            Some(Problem::Unfit(reason)) => Err(StartError::NotExecutable {
                program: program.to_owned(),
                reason,
            }),
        };
    }

    let mut unfit = None;
    for folder in env::split_paths(search_path) {
        // An empty element is the current folder.
        let candidate = Path::new(".").join(folder).join(program);
        match problem(&candidate) {
            None => return Ok(candidate),
            Some(Problem::Missing) => {}
            Some(Problem::Unfit(reason)) => unfit = unfit.or(Some(reason)),
        }
    }
    let program = program.to_owned();
    Err(match unfit {
        Some(reason) => StartError::NotExecutable { program, reason },
        None => StartError::NotInPath {
            program,
            path: search_path.to_string_lossy().into_owned(),
        },
    })
}

enum Problem {
    Missing,
    Unfit(&'static str),
}

fn problem(path: &Path) -> Option<Problem> {
    let Ok(metadata) = path.metadata() else {
        return Some(Problem::Missing);
    };
    if metadata.is_dir() {
        return Some(Problem::Unfit("it is a directory"));
    }
    access(path, Access::EXEC_OK)
        .err()
        .map(|_| Problem::Unfit("no permission"))
}
