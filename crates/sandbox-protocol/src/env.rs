//! Names of the environment variables that carry a run's input, and the kubelet's expansion of env values.

/// Names that begin so belong to Pinfold: refused in user env, and hidden from the program but for [`TOLD`].
pub const RESERVED_PREFIX: &str = "PINFOLD_";

/// Base64 of the JSON [`crate::RunSpec`].
pub const RUN: &str = "PINFOLD_RUN";
/// Base64 of a JSON array of strings: the program and its arguments.
pub const COMMAND: &str = "PINFOLD_COMMAND";
/// Base64 of the source text.
pub const CODE: &str = "PINFOLD_CODE";
/// Base64 of the bytes that the program reads from its standard input.
pub const STDIN: &str = "PINFOLD_STDIN";
/// Path of the file that receives the result, [`DEFAULT_RESULT_FILE`] when absent.
pub const RESULT_FILE: &str = "PINFOLD_RESULT_FILE";

/// Where a program finds the token that proves to the control-plane API what it is.
pub const WORKLOAD_TOKEN_FILE: &str = "PINFOLD_WORKLOAD_TOKEN_FILE";
/// What the control-plane API calls itself.
pub const ISSUER: &str = "PINFOLD_ISSUER";
/// What is not hidden from the program: it is meant for it.
pub const TOLD: [&str; 2] = [WORKLOAD_TOKEN_FILE, ISSUER];

/// Where the kubelet mounts the container's termination message unless the pod says otherwise.
pub const DEFAULT_RESULT_FILE: &str = "/dev/termination-log";

/// Whether users may not set an environment variable of this name.
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(RESERVED_PREFIX)
}

/// Doubles every `$`, so that the kubelet's expansion of `$(NAME)` and `$$` in an env value, a command or an argument
/// gives back exactly `value`.
pub fn escape_expansion(value: &str) -> String {
    value.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The kubelet's documented rules: `$$` is one `$`; `$(NAME)` is the value of a known name and stays as it is for an
    /// unknown one or without its closing parenthesis; a `$` before anything else stays.
    fn kubelet_expansion(input: &str, is_known: impl Fn(&str) -> bool) -> String {
        let mut out = String::new();
        let mut rest = input;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            if let Some(tail) = after.strip_prefix('$') {
                out.push('$');
                rest = tail;
            } else if let Some(body) = after.strip_prefix('(')
                && let Some(end) = body.find(')')
            {
                let name = &body[..end];
                let expanded = if is_known(name) {
                    format!("<{name}>")
                } else {
                    format!("$({name})")
                };
                out.push_str(&expanded);
                rest = &body[end + 1..];
            } else {
                out.push('$');
                rest = after;
            }
        }
        out.push_str(rest);
        out
    }

    #[test]
    fn the_model_expands_what_is_not_escaped() {
        assert_eq!(
            kubelet_expansion("$(HOME) $$(HOME) $X $(", |_| true),
            "<HOME> $(HOME) $X $("
        );
    }

    #[test]
    fn a_shell_line_survives() {
        let line = "echo $$ '$(HOME)' $$$ $(";
        assert_eq!(kubelet_expansion(&escape_expansion(line), |_| true), line);
    }

    #[test]
    fn reserved_names_are_told_by_their_prefix() {
        assert!(is_reserved("PINFOLD_RUN") && is_reserved("PINFOLD_"));
        assert!(!is_reserved("PINFOLD") && !is_reserved("pinfold_run") && !is_reserved("MY_PINFOLD_RUN"));
    }

    proptest! {
        #[test]
        fn escaping_undoes_the_expansion(value in "([$()A-Z]|\\PC){0,40}") {
            prop_assert_eq!(kubelet_expansion(&escape_expansion(&value), |_| true), value.clone());
            prop_assert_eq!(kubelet_expansion(&escape_expansion(&value), |_| false), value);
        }
    }
}
