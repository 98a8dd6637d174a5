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
    let names = subcommands(&place.run("--help").stdout);
    assert!(names.iter().any(|name| name == "run"), "{names:?}");
    for name in names {
        let help = help_of(&place, &name);
        for below in subcommands(&help) {
            assert_eq!(subcommands(&help_of(&place, &format!("{name} {below}"))), [""; 0]);
        }
    }
}

/// The help of a subcommand, compared with its snapshot.
fn help_of(place: &Place, name: &str) -> String {
    let ran = place.run(&format!("{name} --help"));
    assert_eq!(ran.code, 0);
    check!(format!("help_{}", name.replace(' ', "_")), ran.stdout);
    ran.stdout
}

/// The subcommands that a help lists.
fn subcommands(help: &str) -> Vec<String> {
    let commands =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help").map(str::to_owned).collect()
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
        "run command.wasm --json '{\"stdin\": [1]}' --stdin input.txt",
        "run command.wasm --stdin .",
        "run '#add'",
        "run arith.wasm#",
        "run command.wasm --fail",
        "map arith.wasm#add-one",
        "map arith.wasm#add-one --over 5",
        "map arith.wasm#add-one --over x=0..5 --workers 0",
    ];
    check!("wrong_usage", place.session(&lines));
}
