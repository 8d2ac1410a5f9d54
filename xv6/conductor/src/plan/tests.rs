//! Host tests: how options and the image's configuration become a container's.

use super::{Config, set};
use crate::args::{Arguments, Run, Verb};
use crate::image::Image;
use clap::Parser;

fn run(words: &[&str]) -> Run {
    let line = ["conductor", "run"].iter().chain(words);
    match Arguments::try_parse_from(line).expect("the arguments parse").verb {
        Verb::Run(run) => run,
        other => panic!("not a run: {other:?}"),
    }
}

fn image() -> Image {
    Image {
        entrypoint: vec!["/entry".into()],
        cmd: vec!["default".into()],
        env: vec!["A=1".into(), "PATH=/x".into()],
        workdir: "/work".into(),
        ..Image::default()
    }
}

fn resolve(words: &[&str]) -> Config {
    Config::resolve(&run(words), &image(), "0123456789ab".into()).expect("the options resolve")
}

#[test]
fn the_images_command_runs_unless_one_is_given() {
    assert_eq!(resolve(&["i"]).command.argv, ["/entry", "default"]);
    assert_eq!(resolve(&["i", "ls", "-l"]).command.argv, ["/entry", "ls", "-l"]);
    assert_eq!(resolve(&["--entrypoint", "sh", "i"]).command.argv, ["sh"]);
    assert_eq!(resolve(&["--entrypoint", "", "i", "ls"]).command.argv, ["ls"]);
}

#[test]
fn both_grammars_name_the_container() {
    let named = resolve(&["i", "web", "--", "ls", "--", "-a"]);
    assert_eq!(
        (named.name.as_str(), &named.command.argv[1..]),
        ("web", &["ls".to_owned(), "--".into(), "-a".into()][..])
    );
    assert_eq!(resolve(&["--name", "web", "i", "ls"]).name, "web");
    assert_eq!(resolve(&["i", "--", "ls"]).command.argv, ["/entry", "ls"]);
    let two = run(&["--name", "a", "i", "b", "--", "ls"]);
    let refusal = Config::resolve(&two, &image(), "0".into()).expect_err("two names");
    assert_eq!(refusal.message, "two names given: a and b");
}

#[test]
fn environment_and_directory_come_from_the_image_then_the_caller() {
    let config = resolve(&["-e", "A=2", "-e", "B=x=y", "-w", "/tmp", "i"]);
    let env = config.command.env;
    for pair in ["A=2", "B=x=y", "PATH=/x", "HOSTNAME=0123456789ab", "HOME=/root"] {
        assert!(env.contains(&pair.to_owned()), "{pair} in {env:?}");
    }
    assert_eq!(env.iter().filter(|pair| pair.starts_with("A=")).count(), 1);
    assert_eq!(config.command.workdir, "/tmp");
    assert_eq!(resolve(&["i"]).command.workdir, "/work");
}

#[test]
fn set_replaces_by_whole_key() {
    let mut env = vec!["AB=1".to_owned(), "A=1".to_owned()];
    set(&mut env, "A=2");
    assert_eq!(env, ["AB=1", "A=2"]);
}

#[test]
fn an_image_without_a_command_is_refused() {
    let refusal = Config::resolve(&run(&["bare"]), &Image::default(), "0".into()).expect_err("no command");
    assert_eq!(refusal.message, "bare: the image names no command and none was given");
}
