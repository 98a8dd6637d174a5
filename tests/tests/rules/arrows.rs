//! Which crate may use which: cli → server → wire → hostel → journal, engine, schedule → core, and nothing back.

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::tree::{keep, root};

/// From the top down. A crate uses those after it.
const LAYERS: [&str; 9] = [
    "hostel-cli",
    "hostel-server",
    "hostel-wire",
    "hostel",
    "hostel-journal",
    "hostel-engine",
    "hostel-schedule",
    "hostel-core",
    "hostel-files",
];

/// These stand beside the layers, and no layer is built on them.
const BESIDE: [&str; 6] = [
    "hostel-benches",
    "hostel-command-benches",
    "hostel-guests",
    "hostel-tests",
    "hostel-fuzz",
    "hostel-conformance",
];

/// Crates from outside that only some may name.
const RESERVED: [Reserved; 4] = [
    Reserved {
        name: "wasmtime",
        by: &["hostel-engine", "hostel-benches"],
        because: "engine is what knows the sandbox",
    },
    Reserved { name: "anyhow", by: &["hostel-cli", "hostel-tests"], because: "libraries have typed errors" },
    Reserved {
        name: "tokio",
        by: &["hostel-cli", "hostel-server", "hostel", "hostel-engine", "hostel-benches", "hostel-tests"],
        because: "core knows no runtime",
    },
    Reserved { name: "clap", by: &["hostel-cli"], because: "only the command line has a command line" },
];

/// Crates that may use these and nothing else.
const PLAIN: [Plain; 4] = [
    Plain {
        name: "hostel-wire",
        uses: &["base64", "hostel", "jiff", "serde", "serde_json", "utoipa"],
        because: "the JSON is made of values alone: no I/O, no runtime, no terminal",
    },
    Plain {
        name: "hostel-journal",
        uses: &[
            "hostel-core",
            "hostel-files",
            "lz4_flex",
            "nix",
            "rusqlite",
            "rustix",
            "serde_json",
            "tempfile",
            "thiserror",
        ],
        because: "stores of runs know neither sandbox nor runtime",
    },
    Plain {
        name: "hostel-files",
        uses: &["rustix", "tempfile", "thiserror"],
        because: "it knows how files are opened, and nothing of what is in them",
    },
    Plain {
        name: "hostel-schedule",
        uses: &["croner", "hostel-core", "jiff", "strsim", "thiserror"],
        because: "it computes times, and stores and starts nothing",
    },
];

/// Dependencies of tests and benchmarks that are against the rules, with the reason.
const EXCUSED: [(&str, &str, &str); 1] =
    [("hostel", "wasmtime", "a test compiles a component without the host")];

struct Reserved {
    /// A crate, or what its name begins with: `wasmtime` is `wasmtime-wasi` too.
    name: &'static str,
    by: &'static [&'static str],
    because: &'static str,
}

struct Plain {
    name: &'static str,
    uses: &'static [&'static str],
    because: &'static str,
}

/// One crate names another.
struct Arrow {
    from: String,
    to: String,
    /// For tests, examples and benchmarks.
    dev: bool,
}

fn arrow(from: &str, to: &str, dev: bool) -> Arrow {
    Arrow { from: from.to_owned(), to: to.to_owned(), dev }
}

/// Those in the manifests of the workspace.
fn arrows() -> Vec<Arrow> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().expect("cargo metadata");
    let arrows = metadata.packages.iter().flat_map(|package| {
        let to = package.dependencies.iter();
        to.map(|to| arrow(&package.name, &to.name, to.kind == DependencyKind::Development))
    });
    arrows.collect()
}

fn layer(package: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| *layer == package)
}

/// What is wrong with an arrow.
fn complaint(Arrow { from, to, dev }: &Arrow) -> Option<String> {
    if *dev && EXCUSED.iter().any(|(user, used, _)| user == from && used == to) {
        return None;
    }
    let kind = if *dev { " for its tests" } else { "" };
    let wrong = |because: &str| Some(format!("{from} uses {to}{kind}: {because}"));
    match (layer(from), layer(to)) {
        (Some(from), Some(to)) if to <= from => return wrong("that points up"),
        (None, Some(_)) if !BESIDE.contains(&from.as_str()) => {
            return wrong("it has no place among the layers yet");
        }
        (_, None) if BESIDE.contains(&to.as_str()) && !dev && !BESIDE.contains(&from.as_str()) => {
            return wrong("that is for tests only");
        }
        _ => {}
    }
    let plain = PLAIN.iter().find(|plain| plain.name == from && !dev);
    if let Some(plain) = plain.filter(|plain| !plain.uses.contains(&to.as_str())) {
        return wrong(plain.because);
    }
    let is_reserved = |reserved: &&Reserved| {
        to == reserved.name || to.strip_prefix(reserved.name).is_some_and(|rest| rest.starts_with('-'))
    };
    let reserved = RESERVED.iter().find(is_reserved)?;
    if reserved.by.contains(&from.as_str()) { None } else { wrong(reserved.because) }
}

#[test]
fn arrows_point_down() {
    let arrows = arrows();
    assert!(
        arrows.iter().any(|arrow| arrow.from == "hostel" && arrow.to == "hostel-engine"),
        "looking at the wrong tree?"
    );
    let complaints: Vec<_> = arrows.iter().filter_map(complaint).collect();
    keep(
        &complaints,
        "Arrows run cli → server → wire → hostel → engine → core. Move what is used to the lower crate, or behind a port in \
         core; a new crate gets its place in LAYERS, and in ARCHITECTURE.md.",
    );
}

#[test]
fn excuses_are_needed() {
    let arrows = arrows();
    let is_needed = |(from, to, _): &&(&str, &str, &str)| {
        arrows.iter().any(|arrow| arrow.from == *from && arrow.to == *to && arrow.dev)
    };
    let idle = EXCUSED.iter().filter(|excuse| !is_needed(excuse));
    let complaints: Vec<_> = idle.map(|(from, to, _)| format!("{from} no longer uses {to}")).collect();
    keep(&complaints, "Take it out of EXCUSED.");
}

#[test]
fn wrong_arrows_are_noticed() {
    let check = |from, to, dev, expected: Option<&str>| {
        assert_eq!(complaint(&arrow(from, to, dev)).as_deref(), expected);
    };
    check("hostel", "hostel-core", false, None);
    check("hostel-core", "hostel-engine", false, Some("hostel-core uses hostel-engine: that points up"));
    check("hostel-core", "hostel", true, Some("hostel-core uses hostel for its tests: that points up"));
    check("hostel-engine", "wasmtime-wasi", false, None);
    check("hostel", "wasmtime", true, None);
    check("hostel", "wasmtime", false, Some("hostel uses wasmtime: engine is what knows the sandbox"));
    check(
        "hostel-core",
        "wasmtime-environ",
        true,
        Some("hostel-core uses wasmtime-environ for its tests: engine is what knows the sandbox"),
    );
    check("hostel-core", "tokio-util", false, Some("hostel-core uses tokio-util: core knows no runtime"));
    check("hostel-engine", "anyhow", false, Some("hostel-engine uses anyhow: libraries have typed errors"));
    check("hostel-cli", "hostel-wire", false, None);
    check("hostel", "hostel-wire", false, Some("hostel uses hostel-wire: that points up"));
    check("hostel-wire", "tempfile", true, None);
    check(
        "hostel-wire",
        "indicatif",
        false,
        Some("hostel-wire uses indicatif: the JSON is made of values alone: no I/O, no runtime, no terminal"),
    );
    check("hostel-cli", "hostel-guests", true, None);
    check(
        "hostel-cli",
        "hostel-guests",
        false,
        Some("hostel-cli uses hostel-guests: that is for tests only"),
    );
    check(
        "hostel-new",
        "hostel-core",
        false,
        Some("hostel-new uses hostel-core: it has no place among the layers yet"),
    );
}
