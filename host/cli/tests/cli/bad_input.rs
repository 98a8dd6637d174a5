//! Files that are no components, and names that are not in them.

use std::fs;

use crate::hostel::{Place, Ran, check};

#[test]
fn files_that_are_no_components() {
    let place = Place::new();
    place.write("empty.wasm", "");
    place.write("blank.wat", " \n");
    place.write("notes.txt", "these are notes");
    place.write("junk.wasm", b"\xff\xfe\x00\x01");
    place.write("mistake.wat", "(component\n  (funk))");
    place.write("truncated.wasm", &fs::read(hostel_guests::ARITH).unwrap()[..5_000]);
    fs::create_dir(place.path().join("dir")).unwrap();
    fs::create_dir(place.path().join("build")).unwrap();
    place.write("build/app.wasm", "");
    let files = [
        "nothing-like-it.wasm",
        "arit.wasm",
        "dir",
        "build",
        "core-module.wat",
        "core-module-wasip1.wat",
        "invalid.wat",
        "truncated.wasm",
        "empty.wasm",
        "blank.wat",
        "notes.txt",
        "junk.wasm",
        "mistake.wat",
        "arith.wasm/inside",
        "arith.wasm.gz",
        "program",
        "arith.cwasm",
        "page.wasm",
        "threads.wat",
        "https://example.org/arith.wasm",
    ];
    place.write("arith.wasm.gz", b"\x1f\x8b\x08\0");
    place.write("program", b"\x7fELF\x02\x01\x01\0\0");
    place.write("arith.cwasm", b"\x7fELF\x02\x01\x01\xc8\0");
    place.write("page.wasm", "<!DOCTYPE html>");
    let lines = files.map(|file| format!("inspect {file}"));
    check!("no_components", place.session(&lines.each_ref().map(String::as_str)));
}

#[test]
fn a_file_may_have_any_name_that_the_system_takes() {
    let place = Place::new();
    let add_one = fs::read(hostel_guests::wat::ADD_ONE).unwrap();
    place.write("a#b.wat", &add_one);
    place.write("a#b.wat#", &add_one);
    let lines =
        ["run a#b.wat 1", "run a#b.wat#add-one 1", "run a#b.wat# 1", "run a#c.wat 1", "run a#b.wat#nope 1"];
    check!("odd_names", place.session(&lines));
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_need_not_be_utf8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    let name = OsStr::from_bytes(b"b\xe4.wat");
    fs::copy(hostel_guests::wat::ADD_ONE, place.path().join(name)).unwrap();
    for (task, code) in
        [(&b"b\xe4.wat"[..], 0), (b"b\xe4.wat#add-one", 0), (b"c\xe4.wat#add-one", 3), (b"b\xe4.wat#\xe4", 2)]
    {
        let ran = place.command("run").arg(OsStr::from_bytes(task)).arg("41").output().unwrap();
        let ran = Ran::of(ran);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert_eq!(ran.stdout == "42\n", code == 0);
    }
}

#[test]
fn names_that_mean_no_task() {
    let place = Place::new();
    place.write("trap.toml", "[tasks.\"unknown-import.wat\"]\nunknown-imports = \"trap\"\n");
    let lines = [
        "run arith.wasm#ad-one 1",
        "run arith.wasm#frobnicate 1",
        "run arith.wasm 1 2",
        "run interface.wat#add 1 2",
        "run interface.wat#ops.ad 1 2",
        "run no-exports.wat",
        "run not-callable.wat#take-stream",
        "run unknown-import.wat#twice 1",
        "run unknown-import.wat#double 21 --unknown-imports trap",
        "run unknown-import.wat#twice 21 --unknown-imports trap",
        "run unknown-import.wat#double 21 --config trap.toml",
        "run unknown-import.wat#double 21 --unknown-imports maybe",
        "run unknown-function.wat",
        "run later-wasi.wat",
    ];
    check!("no_tasks", place.session(&lines));
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_is_read_whole() {
    let place = Place::new();
    let file = fs::File::create(place.path().join("huge.wasm")).unwrap();
    // Sparse: takes no room on the disk.
    file.set_len(1 << 40).unwrap();
    let ran = place.run("inspect huge.wasm");
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (2, "error: huge.wasm is larger than 256 MiB, the maximum size of a component\n")
    );
}
