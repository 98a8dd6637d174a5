//! Every help text.

use crate::hostel::{Place, check};

#[test]
fn the_help() {
    let place = Place::new();
    let ran = place.run("--help");
    assert_eq!(ran.code, 0);
    check!("help", ran.stdout);
    assert_eq!(place.run("").stderr, ran.stdout, "the help is also shown when nothing is asked for");
}

#[test]
fn every_subcommand_has_a_help_that_is_looked_at() {
    let place = Place::new();
    let help = place.run("--help").stdout;
    let commands =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<_> = commands
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').find(|name| !name.is_empty()))
        .collect();
    assert!(names.contains(&"run") && names.contains(&"help"), "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let ran = place.run(&format!("{name} --help"));
        assert_eq!(ran.code, 0);
        check!(format!("help_{name}"), ran.stdout);
    }
}

#[test]
fn every_shell_has_its_completions() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = place.run(&format!("completions {shell}"));
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("as-completed"), "{shell}");
    }
}

#[test]
fn wrong_usage() {
    let place = Place::new();
    let lines = [
        "rnu arith.wasm",
        "run arith.wasm#add 1 2 --tiemout 3s",
        "run arith.wasm#add 1 2 --timeout 3",
        "run arith.wasm#add 1 2 --cache moon",
        "run arith.wasm#add 1 2 --max-memory much",
        "run arith.wasm#add 1 2 --max-memory 0",
        "run arith.wasm#add 1 2 --timeout 0s",
        "run arith.wasm#add 1 2 --http https://example.org/path",
        "run arith.wasm#add 1 2 --http '*'",
        "run arith.wasm#add 1 2 --json '[1, 2]'",
        "run arith.wasm#add 1 2 --stdin input.txt",
        "run '#add'",
        "run arith.wasm#",
        "run command.wasm --fail",
        "map arith.wasm#add-one",
        "map arith.wasm#add-one --over 5",
        "map arith.wasm#add-one --over x=0..5 --workers 0",
    ];
    check!("wrong_usage", place.session(&lines));
}
