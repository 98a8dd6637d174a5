//! Which modules of a crate may use which: few in a circle, and in engine and hostel only the rooms below.

use std::collections::{BTreeMap, BTreeSet};

use crate::tokens::Token;
use crate::tree::{Source, keep, sources};

/// The crates, and how many of their modules may use each other in a circle; 1 allows no circle. Lower a number when a circle is
/// untied.
const CIRCLES: [(&str, usize); 8] = [
    ("host/cli", 3),
    ("host/core", 1),
    ("host/engine", 1),
    ("host/hostel", 3),
    ("host/journal", 1),
    ("host/schedule", 1),
    ("host/server", 1),
    ("host/wire", 1),
];

/// The rooms of engine, from the bottom up. Each module is in one, and a room uses those that it names.
const ENGINE: [Room; 8] = [
    Room { name: "records", modules: &["denial", "log", "names", "notes", "observe"], uses: &[] },
    Room {
        name: "limits",
        modules: &["boundary", "machine", "meter", "resources", "ticker", "tls", "turn"],
        uses: &[],
    },
    Room { name: "orders", modules: &["call", "options", "program", "stdin"], uses: &["records"] },
    Room {
        name: "capabilities",
        modules: &["context", "files", "network", "wasi"],
        uses: &["limits", "orders", "records"],
    },
    Room {
        name: "guest",
        modules: &["guest", "linker"],
        uses: &["capabilities", "limits", "orders", "records"],
    },
    Room {
        name: "code",
        modules: &["apart", "compile_cache", "compiler", "features", "surface", "survey"],
        uses: &[],
    },
    Room {
        name: "components",
        modules: &[
            "component",
            "config",
            "engine",
            "find",
            "function",
            "load",
            "load_error",
            "missing",
            "runtime",
            "serve",
            "text",
            "types",
            "warm",
        ],
        uses: &["code", "guest", "limits", "records"],
    },
    Room {
        name: "attempt",
        modules: &["attempt", "busy", "values"],
        uses: &["capabilities", "components", "guest", "limits", "orders", "records"],
    },
];

/// The rooms of hostel, from the bottom up.
const HOSTEL: [Room; 6] = [
    Room {
        name: "words",
        modules: &["calls", "data_dir", "error", "events", "flow", "group", "hooks", "ids", "script_call"],
        uses: &[],
    },
    Room {
        name: "machinery",
        modules: &[
            "attempts",
            "book",
            "cache",
            "flight",
            "journal",
            "journal_watch",
            "lazy_journal",
            "registry",
            "runner",
            "standing",
        ],
        uses: &["words"],
    },
    Room { name: "nouns", modules: &["host_state", "options", "run", "task"], uses: &["machinery", "words"] },
    Room { name: "course", modules: &["course"], uses: &["machinery", "nouns", "words"] },
    Room {
        name: "submission",
        modules: &["args", "script_inputs", "stream", "submit", "wait"],
        uses: &["course", "machinery", "nouns", "words"],
    },
    Room {
        name: "front",
        modules: &[
            "blocking",
            "builder",
            "cached_delay",
            "component",
            "components",
            "delay",
            "host",
            "recorded",
            "replay",
            "runs",
            "schedules",
            "script",
            "transaction",
            "undo",
            "verification",
            "worker",
        ],
        uses: &["course", "machinery", "nouns", "submission", "words"],
    },
];

/// The crates that have rooms.
const ROOMS: [(&str, &[Room]); 2] = [("host/engine", &ENGINE), ("host/hostel", &HOSTEL)];

/// Words before the name of an item.
const ITEMS: [&str; 7] = ["const", "enum", "fn", "static", "struct", "trait", "type"];

/// A group of modules.
struct Room {
    name: &'static str,
    modules: &'static [&'static str],
    uses: &'static [&'static str],
}

/// The modules at the top of a crate, and those that each of them uses.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The module at the top of the crate that a file belongs to, and how deep the file's own module is. Neither `lib.rs` nor
/// `main.rs` is one: they declare the others. Nor is `tests`, which is no part of the crate.
fn module<'a>(source: &'a Source, directory: &str) -> Option<(&'a str, usize)> {
    let path = source.path.strip_prefix(directory)?.strip_prefix("/src/")?.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let name = path.split('/').next()?;
    (!["lib", "main"].contains(&path) && name != "tests").then(|| (name, path.split('/').count()))
}

/// The public items of a file.
fn items(code: &[Token]) -> impl Iterator<Item = &str> {
    code.windows(3).filter_map(|tokens| match tokens {
        [public, word, name] if public.text == "pub" && ITEMS.contains(&word.text.as_str()) => {
            Some(&*name.text)
        }
        _ => None,
    })
}

/// The graph of a crate. An item that `lib.rs` exports again counts as used from all modules that have one of this name.
fn graph(sources: &[Source], directory: &str) -> Graph {
    let files = || sources.iter().filter_map(|source| Some((source, module(source, directory)?)));
    let mut graph = Graph::new();
    let mut exported: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (source, (name, _)) in files() {
        graph.entry(name.to_owned()).or_default();
        items(&source.code).for_each(|item| _ = exported.entry(item).or_default().insert(name));
    }
    for (source, (name, depth)) in files() {
        for path in source.paths() {
            let ups = path.parts.iter().take_while(|part| *part == "super").count();
            let modules: Vec<&str> = match path.parts.as_slice() {
                [top, used, ..] if top == "crate" && !graph.contains_key(used) => {
                    exported.get(used.as_str()).into_iter().flatten().copied().collect()
                }
                [top, used, ..] if top == "crate" => vec![used],
                parts if ups == depth => parts.get(ups).map(String::as_str).into_iter().collect(),
                _ => Vec::new(),
            };
            let modules: Vec<_> = modules.into_iter().filter(|used| graph.contains_key(*used)).collect();
            let modules = modules.into_iter().filter(|used| *used != name).map(str::to_owned);
            graph.entry(name.to_owned()).or_default().extend(modules);
        }
    }
    graph
}

/// All modules that one leads to.
fn reachable(graph: &Graph, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from.to_owned()];
    while let Some(module) = next.pop() {
        let new = graph[&module].iter().filter(|used| reached.insert((*used).clone()));
        next.extend(new.cloned());
    }
    reached
}

/// The sets of modules that lead to each other (strongly connected components), largest first.
fn circles(graph: &Graph) -> Vec<Vec<String>> {
    let reachable: BTreeMap<_, _> = graph.keys().map(|module| (module, reachable(graph, module))).collect();
    let circle = |module: &String| -> Vec<String> {
        let reached = reachable[module].iter();
        reached.filter(|other| reachable[other].contains(module)).cloned().collect()
    };
    let circles: BTreeSet<_> = graph.keys().map(circle).filter(|circle| !circle.is_empty()).collect();
    let mut circles: Vec<_> = circles.into_iter().collect();
    circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    circles
}

fn large_circles(graph: &Graph, directory: &str, most: usize) -> Vec<String> {
    let large = circles(graph).into_iter().filter(|circle| circle.len() > most);
    large.map(|circle| format!("{directory}: {} use each other in a circle", circle.join(", "))).collect()
}

/// What is wrong with the arrows between rooms.
fn wrong_arrows(graph: &Graph, rooms: &[Room]) -> Vec<String> {
    let room = |module: &str| rooms.iter().find(|room| room.modules.contains(&module));
    let mut complaints = Vec::new();
    for (module, used) in graph {
        let Some(from) = room(module) else {
            complaints.push(format!("`{module}` is in no room"));
            continue;
        };
        for used in used {
            let to = room(used).map_or("", |to| to.name);
            if to != from.name && !from.uses.contains(&to) && !to.is_empty() {
                complaints.push(format!("`{module}` ({}) uses `{used}` ({to})", from.name));
            }
        }
    }
    complaints
}

/// Modules and arrows in the table that are not in the tree.
fn idle_entries(graph: &Graph, rooms: &[Room]) -> Vec<String> {
    let mut complaints = Vec::new();
    for room in rooms {
        let gone = room.modules.iter().filter(|module| !graph.contains_key(**module));
        complaints.extend(gone.map(|module| format!("`{module}` is no module")));
        let used: BTreeSet<_> = room
            .modules
            .iter()
            .filter_map(|module| graph.get(*module))
            .flatten()
            .map(String::as_str)
            .collect();
        let is_used = |name: &&&str| {
            rooms
                .iter()
                .any(|other| other.name == **name && other.modules.iter().any(|module| used.contains(module)))
        };
        let idle = room.uses.iter().filter(|name| !is_used(name));
        complaints.extend(idle.map(|name| format!("{} no longer uses {name}", room.name)));
    }
    complaints
}

#[test]
fn circles_are_small() {
    let sources = sources();
    let mut complaints = Vec::new();
    for (directory, most) in CIRCLES {
        let graph = graph(&sources, directory);
        assert!(graph.len() > 3, "{directory} has {} modules: looking in the wrong place?", graph.len());
        complaints.extend(large_circles(&graph, directory, most));
    }
    keep(
        &complaints,
        "Move what the lower module needs into a module of its own, or pass it as a parameter. Nobody can read or test one \
         module of a circle without the others.",
    );
}

#[test]
fn rooms_use_those_below() {
    let sources = sources();
    let wrong = |(directory, rooms)| wrong_arrows(&graph(&sources, directory), rooms);
    keep(
        &ROOMS.into_iter().flat_map(wrong).collect::<Vec<_>>(),
        "Move what is used to a lower room. A new module gets its place in the table, and in ARCHITECTURE.md.",
    );
}

#[test]
fn rooms_are_as_written() {
    let sources = sources();
    let idle = |(directory, rooms)| idle_entries(&graph(&sources, directory), rooms);
    keep(&ROOMS.into_iter().flat_map(idle).collect::<Vec<_>>(), "Take it out of the table.");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A crate with a circle of `a`, `b` and `c`, which `d` uses.
    fn made_up() -> Graph {
        let files = [
            ("lib.rs", "mod a; mod b; mod c; mod d; pub use a::*;"),
            ("a.rs", "use crate::b::{self, B}; pub struct A;"),
            ("b/mod.rs", "pub(crate) struct B; mod inner;"),
            ("b/inner.rs", "use super::B; fn f() -> super::super::c::C { super::super::c::C }"),
            ("c.rs", "use crate::A; #[cfg(test)] use crate::d::D;"),
            ("d.rs", "fn f() { crate::a::f(); } // crate::c"),
            ("b/tests.rs", "use crate::d;"),
        ];
        let source = |(path, text): (&str, &str)| Source::new(&format!("host/made-up/src/{path}"), text);
        graph(&files.map(source), "host/made-up")
    }

    #[test]
    fn arrows_are_found_however_they_are_written() {
        let graph = made_up();
        let arrows: Vec<_> = graph
            .iter()
            .map(|(module, used)| format!("{module}: {}", used.iter().cloned().collect::<Vec<_>>().join(" ")))
            .collect();
        assert_eq!(arrows, ["a: b", "b: c", "c: a", "d: a"]);
    }

    #[test]
    fn a_circle_that_is_too_large_is_noticed() {
        let graph = made_up();
        assert_eq!(circles(&graph), [["a", "b", "c"]]);
        assert_eq!(large_circles(&graph, "made-up", 3), [""; 0]);
        assert_eq!(large_circles(&graph, "made-up", 2), ["made-up: a, b, c use each other in a circle"]);
    }

    #[test]
    fn wrong_rooms_are_noticed() {
        let rooms = [
            Room { name: "low", modules: &["b", "gone"], uses: &[] },
            Room { name: "high", modules: &["a", "d"], uses: &["low", "nowhere"] },
        ];
        let graph = made_up();
        assert_eq!(wrong_arrows(&graph, &rooms), ["`c` is in no room"]);
        assert_eq!(idle_entries(&graph, &rooms), ["`gone` is no module", "high no longer uses nowhere"]);
        let rooms = [
            Room { name: "low", modules: &["a", "c"], uses: &[] },
            Room { name: "high", modules: &["b", "d"], uses: &["low"] },
        ];
        assert_eq!(wrong_arrows(&graph, &rooms), ["`a` (low) uses `b` (high)"]);
    }
}
