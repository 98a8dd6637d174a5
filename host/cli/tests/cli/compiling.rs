//! Large components are compiled quickly so that they can run, and again for speed by a background process.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use hostel::{Component, Host, blocking};

use crate::hostel::{Place, Ran};

/// Functions in the large module, and numbers that each pushes and drops.
const FUNCTIONS: u32 = 100;
const NUMBERS: usize = 4_000;

/// Makes a component large by adding a module with 1.2 MB of code that nothing uses.
fn with_unused_code(component: &[u8]) -> Vec<u8> {
    let body = [&[0][..], &[0x41, 0x07, 0x1a].repeat(NUMBERS), &[0x0b]].concat();
    let body = [&leb(body.len())[..], &body].concat();
    let count = leb(FUNCTIONS as usize);
    let bodies = [&count[..], &body.repeat(FUNCTIONS as usize)].concat();
    let module = [
        b"\0asm\x01\0\0\0",
        // The type `func`, then one function after another of that type.
        &section(1, &[1, 0x60, 0, 0])[..],
        &section(3, &[&count[..], &[0; FUNCTIONS as usize]].concat()),
        &section(10, &bodies),
    ];
    [component, &section(1, &module.concat())].concat()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

/// LEB128, the encoding of lengths in WebAssembly.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = vec![];
    while number >= 0x80 {
        bytes.push((number % 0x80 + 0x80) as u8);
        number /= 0x80;
    }
    bytes.push(number as u8);
    bytes
}

/// Runs a command and waits for it and for every process that it starts: each inherits descriptor 3, a pipe that is read to its
/// end.
fn run_to_the_end(place: &Place, line: &str) -> Ran {
    let hostel = place.command(line);
    let (stdout, stderr) = (place.path().join("stdout"), place.path().join("stderr"));
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", r#"exec 3>&1; exec "$0" "$@" >stdout"#])
        .arg(hostel.get_program())
        .args(hostel.get_args())
        .current_dir(place.path())
        .env_clear()
        .env("HOSTEL_DATA_DIR", place.data_dir())
        .stdin(Stdio::null())
        .stderr(File::create(&stderr).unwrap());
    let mut output = command.output().unwrap();
    (output.stdout, output.stderr) = (fs::read(stdout).unwrap(), fs::read(stderr).unwrap());
    Ran::of(output)
}

/// Loads the component in a fresh host, with or without the data directory. The host itself never optimises.
fn load(place: &Place, has_data_dir: bool) -> Component {
    let host = Host::builder().optimise(false);
    let host = if has_data_dir { host.data_dir(place.data_dir()) } else { host };
    blocking::load(&host.build().unwrap(), place.path().join("large.wasm")).unwrap()
}

#[test]
fn a_large_component_is_compiled_for_speed_in_the_background() {
    let large = with_unused_code(&fs::read(hostel_guests::ARITH).unwrap());
    for (line, expected) in [
        ("run large.wasm#add 40 2 --cache none", "42\n"),
        ("map large.wasm#add-one --over x=0..2 --cache none", "1\n2\n"),
    ] {
        let place = Place::with_data_dir();
        place.write("large.wasm", &large);
        assert_eq!(load(&place, false).is_optimised(), !cfg!(target_arch = "x86_64"), "it is large");
        let ran = run_to_the_end(&place, line);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, expected), "{line}: {}", ran.stderr);
        assert!(load(&place, true).is_optimised(), "{line}");
    }
}
