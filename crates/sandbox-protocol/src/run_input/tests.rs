use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::Language;

fn spec(mode: Mode) -> RunSpec {
    RunSpec {
        run_uid: "8a3c".to_owned(),
        mode,
        timeout_seconds: 60,
        grace_seconds: 5,
        start_timeout_seconds: 120,
        workdir: None,
        start_command: None,
        ready_command: None,
    }
}

fn command(argv: &[&str]) -> RunInput {
    let command = Some(argv.iter().map(ToString::to_string).collect());
    RunInput {
        spec: spec(Mode::Command),
        command,
        code: None,
        stdin: None,
    }
}

fn code(code: Vec<u8>) -> RunInput {
    let spec = spec(Mode::Code {
        language: Language::Python,
    });
    RunInput {
        spec,
        command: None,
        code: Some(code),
        stdin: None,
    }
}

fn decode(pairs: Vec<(&'static str, String)>) -> Result<RunInput, DecodeError> {
    let pairs: HashMap<_, _> = pairs.into_iter().collect();
    RunInput::decode(|name| pairs.get(name))
}

#[test]
fn the_spec_is_plain_json() {
    let spec = spec(Mode::Code {
        language: Language::JavaScript,
    });
    assert_eq!(
        String::from_utf8(json(&spec)).expect("utf-8"),
        r#"{"runUid":"8a3c","mode":{"code":{"language":"javascript"}},"timeoutSeconds":60,"graceSeconds":5,"startTimeoutSeconds":120}"#
    );
}

#[test]
fn each_limit_holds_to_the_byte() {
    assert!(code(vec![b'x'; MAX_CODE_BYTES]).encode().is_ok());
    assert_eq!(
        code(vec![b'x'; MAX_CODE_BYTES + 1]).encode(),
        Err(EncodeError::TooLarge {
            field: Field::Code,
            bytes: MAX_CODE_BYTES + 1,
            limit: MAX_CODE_BYTES
        })
    );

    let mut input = command(&["cat"]);
    input.stdin = Some(vec![0; MAX_STDIN_BYTES]);
    assert!(input.encode().is_ok());
    input.stdin = Some(vec![0; MAX_STDIN_BYTES + 1]);
    assert!(matches!(
        input.encode(),
        Err(EncodeError::TooLarge {
            field: Field::Stdin,
            ..
        })
    ));

    let brackets_and_quotes = 4;
    assert!(
        command(&["x".repeat(MAX_COMMAND_BYTES - brackets_and_quotes).as_str()])
            .encode()
            .is_ok()
    );
    let long = command(&["x".repeat(MAX_COMMAND_BYTES - brackets_and_quotes + 1).as_str()]);
    assert!(matches!(
        long.encode(),
        Err(EncodeError::TooLarge {
            field: Field::Command,
            ..
        })
    ));

    let mut input = command(&["true"]);
    input.spec.start_command = Some(vec!["x".repeat(MAX_SPEC_BYTES)]);
    assert!(matches!(
        input.encode(),
        Err(EncodeError::TooLarge { field: Field::Spec, .. })
    ));
}

#[test]
fn every_string_fits_the_kernels_limit() {
    let mut input = code(vec![b'x'; MAX_CODE_BYTES]);
    input.stdin = Some(vec![b'x'; MAX_STDIN_BYTES]);
    for (name, value) in input.encode().expect("encode") {
        assert!(name.len() + "=\0".len() + value.len() <= 128 * 1024, "{name}");
        assert!(env::is_reserved(name) && !value.contains('$'), "{name}");
    }
}

#[test]
fn parts_that_do_not_fit_the_mode_are_named() {
    let mut input = command(&["true"]);
    input.code = Some(vec![]);
    assert_eq!(input.encode(), Err(EncodeError::Unexpected { field: Field::Code }));

    let mut input = code(vec![]);
    input.code = None;
    assert_eq!(input.encode(), Err(EncodeError::Missing { field: Field::Code }));

    let interactive = RunInput {
        spec: spec(Mode::Interactive),
        command: None,
        code: None,
        stdin: Some(vec![]),
    };
    assert_eq!(
        interactive.encode(),
        Err(EncodeError::Unexpected { field: Field::Stdin })
    );

    assert_eq!(
        command(&[]).encode(),
        Err(EncodeError::Missing { field: Field::Command })
    );
    assert_eq!(
        command(&["", "x"]).encode(),
        Err(EncodeError::Missing { field: Field::Command })
    );
    assert_eq!(
        command(&["a", "b\0"]).encode(),
        Err(EncodeError::NulByte { field: Field::Command })
    );

    let mut input = command(&["true"]);
    input.spec.ready_command = Some(vec![]);
    assert_eq!(
        input.encode(),
        Err(EncodeError::Missing {
            field: Field::ReadyCommand
        })
    );
    let mut input = command(&["true"]);
    input.spec.workdir = Some("work".to_owned());
    assert_eq!(
        input.encode().expect_err("relative").to_string(),
        "workdir must be an absolute path"
    );
}

#[test]
fn a_broken_environment_is_named() {
    let error = |pairs| decode(pairs).expect_err("refused").to_string();
    assert_eq!(error(vec![]), "PINFOLD_RUN is not set");
    assert_eq!(
        error(vec![(env::RUN, "?".to_owned())]),
        "PINFOLD_RUN is not valid base64"
    );
    assert_eq!(
        error(vec![(env::RUN, STANDARD.encode("{}"))]),
        "PINFOLD_RUN is not the expected JSON"
    );

    let mut pairs = command(&["true"]).encode().expect("encode");
    pairs[1].1 = STANDARD.encode("[]");
    assert_eq!(error(pairs), "the run's input is invalid");
}

#[test]
fn a_spec_that_asks_for_more_is_refused() {
    let spec = String::from_utf8(json(&spec(Mode::Interactive)))
        .expect("utf-8")
        .replace('}', r#","more":1}"#);
    let error = decode(vec![(env::RUN, STANDARD.encode(spec))]).expect_err("refused");
    assert!(matches!(error, DecodeError::Json { name: env::RUN, .. }));
}

fn arguments() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[^\0]{1,20}", 1..5)
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        mode in prop_oneof![
            Just(Mode::Command),
            Just(Mode::Code { language: Language::Bash }),
            Just(Mode::Code { language: Language::JavaScript }),
            Just(Mode::Interactive),
        ],
        argv in arguments(),
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        stdin in prop::option::of(prop::collection::vec(any::<u8>(), 0..200)),
        start_command in prop::option::of(arguments()),
        workdir in prop::option::of("/[^\0]{0,20}"),
        timeout_seconds in any::<u32>(),
    ) {
        let input = RunInput {
            spec: RunSpec { timeout_seconds, workdir, start_command, ..spec(mode) },
            command: (mode == Mode::Command).then_some(argv),
            code: matches!(mode, Mode::Code { .. }).then_some(bytes),
            stdin: stdin.filter(|_| mode != Mode::Interactive),
        };
        let pairs = input.encode().expect("encode");
        prop_assert_eq!(decode(pairs).expect("decode"), input);
    }

    #[test]
    fn decoding_never_panics(run in ".*", command in ".*", code in prop::option::of(".*")) {
        let _ = RunInput::decode(|name| match name {
            env::RUN => Some(STANDARD.encode(&run)),
            env::COMMAND => Some(command.clone()),
            env::CODE => code.clone(),
            _ => None,
        });
    }
}
