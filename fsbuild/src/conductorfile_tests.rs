//! Tests of the Conductorfile parser: each rule by example, and by random text that it never falls over.

use super::{Form, Instruction, Step, expand, parse};
use proptest::prelude::{any, prop_assert_eq, proptest};

fn only(line: &str) -> Instruction {
    let mut steps = parse(&format!("FROM scratch\n{line}")).expect("it parses");
    assert_eq!(steps.len(), 2, "{steps:?}");
    steps.remove(1).instruction
}

fn refused(text: &str) -> String {
    parse(text).expect_err("it is refused").to_string()
}

#[test]
fn comments_continuations_and_line_numbers() {
    let steps = parse("# top\n\nfrom base\n  # in between\nENV A=1 \\\n  # inside\n\n  B=2\nCMD sh\n").expect("parses");
    assert_eq!(steps.iter().map(|step| step.line).collect::<Vec<_>>(), [3, 5, 9]);
    assert_eq!(steps[0], Step { line: 3, instruction: Instruction::From("base".into()) });
    let pairs = [("A", "1"), ("B", "2")].map(|(name, value)| (name.to_string(), value.to_string()));
    assert_eq!(steps[1].instruction, Instruction::Env(pairs.into()));
}

#[test]
fn exec_and_shell_forms() {
    assert_eq!(only(r#"CMD ["a", "b c"]"#), Instruction::Cmd(Form::Exec(vec!["a".into(), "b c".into()])));
    assert_eq!(only("CMD echo $HOME"), Instruction::Cmd(Form::Shell("echo $HOME".into())));
    assert_eq!(only("ENTRYPOINT [ -e x ]"), Instruction::Entrypoint(Form::Shell("[ -e x ]".into())));
    assert_eq!(Form::Shell("a b".into()).words(), ["/bin/sh", "-c", "a b"]);
}

#[test]
fn copy_takes_options_and_many_sources() {
    let copy = |from: Option<&str>, chmod, sources: &[&str], destination: &str| Instruction::Copy {
        from: from.map(String::from),
        chmod,
        sources: sources.iter().map(ToString::to_string).collect(),
        destination: destination.into(),
    };
    assert_eq!(only("COPY a b /c/"), copy(None, None, &["a", "b"], "/c/"));
    assert_eq!(
        only("COPY --from=userland --chmod=755 bin/sh /bin/sh"),
        copy(Some("userland"), Some(0o755), &["bin/sh"], "/bin/sh")
    );
    assert_eq!(only(r#"COPY ["a b", "/c"]"#), copy(None, None, &["a b"], "/c"));
    assert_eq!(refused("FROM scratch\nCOPY a"), "2: COPY needs a source and a destination");
    assert_eq!(refused("FROM scratch\nCOPY --chown=1 a b"), "2: COPY: unknown option --chown=1");
    assert_eq!(refused("FROM scratch\nCOPY --chmod=9 a b"), "2: COPY --chmod=9: not an octal mode");
}

#[test]
fn env_quotes_and_the_old_form() {
    let env = |line| match only(line) {
        Instruction::Env(pairs) => pairs,
        other => panic!("{other:?}"),
    };
    assert_eq!(env(r#"ENV A="x y" B='$z' C=\$d"#)[0], ("A".into(), "x y".into()));
    assert_eq!(env("ENV A b c"), [("A".to_string(), "b c".to_string())]);
    assert_eq!(refused("FROM scratch\nENV A=\"x"), "2: a \" is not closed");
    assert_eq!(refused("FROM scratch\nENV"), "2: ENV needs name=value");
}

#[test]
fn what_is_not_supported_is_refused_by_line() {
    assert_eq!(
        refused("FROM scratch\n\nRUN make"),
        "3: RUN is not supported when images are built on the host; COPY what it would make"
    );
    assert_eq!(refused("FROM scratch\nVOLUME /x"), "2: VOLUME is not supported");
    assert_eq!(refused("FROM scratch\nFORM x"), "2: unknown instruction FORM");
    assert_eq!(refused("COPY a b"), "1: the first instruction must be FROM");
    assert_eq!(refused("FROM a\nFROM b"), "2: only one FROM is supported");
    assert_eq!(refused("# nothing"), "1: no FROM");
}

#[test]
fn variables_expand() {
    let value = |name: &str| (name == "A").then(|| "x".to_string());
    assert_eq!(expand("$A ${A}b $AB|\\$A $ ${", value), "x xb | $A".replace("| ", "|") + " $ ${");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = parse(&text);
        let _ = expand(&text, |_| None);
    }

    #[test]
    fn an_exec_form_keeps_its_words(words in proptest::collection::vec("[ -~]{0,12}", 1..5)) {
        let line = format!("CMD {}", serde_json::to_string(&words).expect("JSON"));
        // A word that ends the line in a backslash cannot: JSON closes with a bracket.
        prop_assert_eq!(only(&line), Instruction::Cmd(Form::Exec(words)));
    }
}
