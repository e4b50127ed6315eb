//! From argv or source text to a running program, or to a clear word on why not.

use std::{fs, path::Path};

use sandbox_protocol::{Language, Outcome};

use crate::harness::{Run, everywhere, write_executable};

#[test]
fn arguments_are_handed_over_as_they_are() {
    let run = Run::command(&["printf", "<%s>", "a b", "", "$(x)", "*", "'"]).finish();
    assert_eq!(run.text(), "<a b><><$(x)><*><'>");
}

#[test]
fn a_program_that_is_not_there_is_127() {
    everywhere(|place| {
        let run = Run::command(&["no-such-program"])
            .at(place)
            .variable("PATH", "/usr/bin:/bin")
            .finish();
        assert_eq!(
            run.start_failure(),
            (127, "no-such-program was not found in PATH (/usr/bin:/bin)"),
            "{place:?}"
        );
        let run = Run::command(&["/no/such/program"]).at(place).finish();
        assert_eq!(
            run.start_failure(),
            (127, "/no/such/program does not exist"),
            "{place:?}"
        );
    });
}

#[test]
fn a_program_that_cannot_be_executed_is_126() {
    let run = Run::command(&["/etc/passwd"]).finish();
    assert_eq!(
        run.start_failure(),
        (126, "/etc/passwd cannot be executed: no permission")
    );
    let run = Run::command(&["/etc"]).finish();
    assert_eq!(run.start_failure(), (126, "/etc cannot be executed: it is a directory"));

    let run = Run::command(&["tool"]);
    fs::write(run.folder().join("tool"), "x").expect("write");
    let path = run.folder().to_owned();
    assert_eq!(
        run.variable("PATH", path).finish().start_failure(),
        (126, "tool cannot be executed: no permission")
    );

    let run = Run::command(&["./tool"]);
    write_executable(&run.folder().join("tool"), "no program");
    let workdir = run.folder().to_str().map(str::to_owned);
    let run = run.spec(|spec| spec.workdir = workdir).finish();
    let (code, message) = run.start_failure();
    assert_eq!(code, 126);
    assert!(message.starts_with("could not execute ./tool: "), "{message}");
}

#[test]
fn a_missing_interpreter_line_is_told() {
    let run = Run::command(&["tool"]);
    write_executable(&run.folder().join("tool"), "#!/no/such/interpreter\n");
    let path = run.folder().to_owned();
    let run = run.variable("PATH", path).finish();
    assert_eq!(
        run.start_failure(),
        (127, "tool exists, but its interpreter or loader does not")
    );
}

#[test]
fn bash_code_runs_in_the_workdir() {
    everywhere(|place| {
        let run = Run::code(Language::Bash, "echo \"from $1code\"; pwd; cat; exit 3")
            .at(place)
            .stdin(b"input");
        let run = run.spec(|spec| spec.workdir = Some("/usr".to_owned())).finish();
        assert_eq!(
            (run.outcome(), run.text().as_str()),
            (&Outcome::Exited(3), "from code\n/usr\ninput"),
            "{place:?}"
        );
    });
}

/// Stand-ins that print how they were called, so that this needs no interpreter on the machine.
fn interpreters(folder: &Path) {
    let print = "#!/bin/bash\nPATH=/usr/bin:/bin\nfile=${!#}\necho ${0##*/} ${@:1:$#-1} ${file##*/} \
        $(stat -c %a $file ${file%/*})\ncat $file";
    for name in ["python3", "node"] {
        write_executable(&folder.join(name), print);
    }
}

#[test]
fn each_language_has_its_interpreter() {
    let source = "print('ü')\n\0";
    for (language, call) in [
        (Language::Python, "python3 -u main.py 600 700\n"),
        (Language::JavaScript, "node main.js 600 700\n"),
    ] {
        everywhere(|place| {
            let run = Run::code(language, source).at(place);
            interpreters(run.folder());
            let path = run.folder().to_owned();
            let run = run.variable("PATH", path).finish();
            assert_eq!(run.stdout, format!("{call}{source}").into_bytes(), "{place:?} {run:?}");
        });
    }
}

#[test]
fn a_missing_interpreter_is_named() {
    for (language, name) in [
        (Language::Python, "python3"),
        (Language::Bash, "bash"),
        (Language::JavaScript, "node"),
    ] {
        let run = Run::code(language, "1").variable("PATH", "/nothing/here").finish();
        assert_eq!(
            run.start_failure(),
            (127, format!("{name} was not found in PATH (/nothing/here)").as_str())
        );
    }
}

#[test]
fn code_goes_where_the_image_allows() {
    let run = Run::code(Language::Bash, "echo ${0%/*/*}; rm -r ${0%/*}")
        .variable("TMPDIR", "/nothing/here")
        .finish();
    assert_eq!(run.text(), "/tmp\n");
    let run = Run::code(Language::Bash, "echo ${0%/*/*}");
    let folder = run.folder().to_owned();
    assert_eq!(Path::new(run.finish().text().trim_end()), folder);
}

#[test]
fn a_link_in_the_way_is_left_alone() {
    let run = Run::code(Language::Bash, "echo $0");
    let folder = run.folder().to_owned();
    std::os::unix::fs::symlink("/", folder.join("pinfold-code-0")).expect("link");
    let run = run.finish();
    assert_eq!(Path::new(run.text().trim_end()), folder.join("pinfold-code-1/main.sh"));
}
