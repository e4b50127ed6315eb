//! What comes in through the environment, and what goes on to the programs.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
};

use sandbox_protocol::{DecodeError, RunInput, env as names};

use super::start_error::StartError;

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const DEFAULT_HOME: &str = "/tmp";

type Variables = Vec<(OsString, OsString)>;

/// No `Debug`: both halves hold what users call secret.
pub(crate) struct Environment {
    reserved: Variables,
    programs: Variables,
}

impl Environment {
    /// Parts the reserved variables, which no program sees, from the others, which all programs get byte for byte: what users
    /// set, and what is told to programs.
    pub(crate) fn split(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let is_told = |name: &OsStr| names::TOLD.iter().any(|told| *told == name);
        let is_reserved =
            |name: &OsStr| name.as_bytes().starts_with(names::RESERVED_PREFIX.as_bytes()) && !is_told(name);
        let (reserved, programs) = variables.partition(|(name, _)| is_reserved(name));
        Self { reserved, programs }
    }

    /// Where the result goes.
    pub(crate) fn result_file(&self) -> PathBuf {
        find(&self.reserved, names::RESULT_FILE).map_or_else(|| names::DEFAULT_RESULT_FILE.into(), PathBuf::from)
    }

    /// Decodes the run's input and lets go of its encoded form.
    pub(crate) fn take_input(&mut self) -> Result<RunInput, DecodeError> {
        let reserved = std::mem::take(&mut self.reserved);
        RunInput::decode(|name| find(&reserved, name).map(OsStr::as_bytes))
    }

    /// Goes to the workdir, for good and for all programs, and fills in what programs rely on.
    pub(crate) fn enter(&mut self, workdir: Option<&str>) -> Result<(), StartError> {
        if let Some(path) = workdir {
            let path_text = || path.to_owned();
            fs::create_dir_all(path).map_err(|source| StartError::MakeWorkdir {
                path: path_text(),
                source,
            })?;
            env::set_current_dir(path).map_err(|source| StartError::EnterWorkdir {
                path: path_text(),
                source,
            })?;
        }
        self.set_default("PATH", DEFAULT_PATH);
        self.set_default("HOME", workdir.unwrap_or(DEFAULT_HOME));
        Ok(())
    }

    /// The variables of every program.
    pub(crate) fn programs(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.programs
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Where programs are looked for.
    pub(crate) fn path(&self) -> &OsStr {
        find(&self.programs, "PATH").unwrap_or_default()
    }

    /// Folders to try for short-lived files, best first. The last one exists even beside a read-only root.
    pub(crate) fn temporary_folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = find(&self.programs, "TMPDIR").into_iter().map(PathBuf::from).collect();
        folders.extend(["/tmp", "/dev/shm"].map(PathBuf::from));
        folders
    }

    fn set_default(&mut self, name: &str, value: &str) {
        if find(&self.programs, name).is_none() {
            self.programs.push((name.into(), value.into()));
        }
    }
}

fn find<'a>(variables: &'a Variables, name: &str) -> Option<&'a OsStr> {
    variables
        .iter()
        .find(|(candidate, _)| candidate == name)
        .map(|(_, value)| value.as_os_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_see_what_users_set_and_what_is_meant_for_them() {
        let given = [
            "PINFOLD_RUN",
            "PINFOLD_ISSUER",
            "A",
            "PINFOLD_WORKLOAD_TOKEN_FILE",
            "PINFOLD_STDIN",
        ];
        let environment = Environment::split(given.into_iter().map(|name| (name.into(), "x".into())));
        let seen: Vec<_> = environment.programs().map(|(name, _)| name).collect();
        assert_eq!(seen, ["PINFOLD_ISSUER", "A", "PINFOLD_WORKLOAD_TOKEN_FILE"]);
    }
}
