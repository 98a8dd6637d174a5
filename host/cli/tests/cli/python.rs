//! `hostel python build`: packages in a runtime.

use std::path::PathBuf;
use std::process::Command;

use crate::hostel::{Place, Ran};
use crate::scripts::runtimes;
use crate::server::ran;

/// Makes a wheel in `wheels`: its name, its tag, and its files.
const MAKE_WHEEL: &str = r#"
import pathlib, sys, zipfile
name, tag, *files = sys.argv[1:]
pathlib.Path("wheels").mkdir(exist_ok=True)
info = f"{name}-1.5.dist-info"
with zipfile.ZipFile(f"wheels/{name}-1.5-{tag}.whl", "w") as wheel:
    for file in files:
        path, _, text = file.partition("=")
        wheel.writestr(path, text)
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
    wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n")
    wheel.writestr(f"{info}/RECORD", "")
"#;

/// The tools that have made the runtimes, if they were made here.
fn tools() -> Option<PathBuf> {
    let tools = runtimes().join("python-tools-0.25.1");
    if !tools.join("bin/python").exists() {
        eprintln!("SKIPPED: there is no {}: bash runtimes/build.sh makes it", tools.display());
        return None;
    }
    Some(tools)
}

fn wheel(place: &Place, name: &str, tag: &str, files: &[&str]) {
    let mut command = Command::new("python3");
    command.args(["-c", MAKE_WHEEL, name, tag]).args(files).current_dir(place.path());
    let ran = ran(command);
    assert_eq!(ran.code, 0, "{ran}");
}

fn build(place: &Place, tools: &std::path::Path, options: &str) -> Ran {
    place.run(&format!("python build -r requirements.txt {options} --tools {}", tools.display()))
}

#[test]
fn a_runtime_has_the_packages_of_its_requirements() {
    let Some(tools) = tools() else { return };
    let place = Place::with_data_dir();
    let files = [
        "shapes/__init__.py=from .area import square\nHERE = __file__",
        "shapes/area.py=def square(x): return x * x",
        "shapes/rare.py=NAME = 'rare'",
        "shapes/data.txt=four corners",
        "space/part/deep.py=VALUE = 7",
    ];
    wheel(&place, "shapes", "py3-none-any", &files);
    place.write("requirements.txt", "--no-index\n--find-links wheels\nshapes\n");
    let built = build(&place, &tools, "");
    assert_eq!(built.code, 0, "{built}");
    let file = built.stdout.trim_end();
    assert!(file.starts_with("python-") && file.ends_with(".wasm") && file.len() == 24, "{built}");
    assert!(built.stderr.contains("it has shapes 1.5"), "{built}");
    assert!(built.stderr.contains(&format!("hostel runtime install python {file}")), "{built}");
    // The same lock leads to the same file, which is not built again.
    let again = build(&place, &tools, "");
    assert_eq!(again.stdout, built.stdout);
    assert!(again.stderr.contains("was built before"), "{again}");

    assert_eq!(place.run(&format!("runtime install python {file}")).code, 0);
    place.write(
        "tasks.py",
        "import importlib.metadata, importlib.resources\n\
         import shapes\n\
         def area(x): return [shapes.square(x), shapes.HERE]\n\
         def rest():\n\
         \x20   import shapes.rare, space.part.deep\n\
         \x20   text = importlib.resources.files('shapes').joinpath('data.txt').read_text()\n\
         \x20   return [shapes.rare.NAME, space.part.deep.VALUE, text, importlib.metadata.version('shapes')]\n",
    );
    let ran = place.run("run tasks.py#area 3");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "[9,\"/packages/shapes/__init__.py\"]\n"), "{ran}");
    let ran = place.run("run tasks.py#rest");
    assert_eq!(ran.stdout, "[\"rare\",7,\"four corners\",\"1.5\"]\n", "{ran}");
    assert!(place.run("run tasks.py#rest").stderr.contains("Cached"));
}

#[test]
fn a_package_with_compiled_parts_is_refused_by_name() {
    let Some(tools) = tools() else { return };
    let place = Place::with_data_dir();
    wheel(&place, "fast", "cp314-cp314-manylinux_2_17_x86_64", &["fast.py="]);
    wheel(&place, "needs", "py3-none-any", &["needs.py="]);
    wheel(&place, "odd", "py3-none-any", &["odd/__init__.py=", "odd/speed.so="]);
    let check = |requirement: &str, expected: &str| {
        place.write("requirements.txt", format!("--no-index\n--find-links wheels\n{requirement}\n"));
        let ran = build(&place, &tools, "-o out.wasm");
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
        assert!(ran.stderr.contains(expected), "{ran}");
        assert!(!place.path().join("out.wasm").exists());
    };
    check("fast", "requirements.txt: fast has no wheel in pure Python");
    check("needs\nfast>=1", "requirements.txt: fast>=1 has no wheel in pure Python");
    check("odd", "odd/speed.so is machine code");
    check("===", "pip found no packages for it");
}

#[test]
fn requirements_that_are_missing_are_named() {
    let place = Place::with_data_dir();
    let ran = place.run("python build -r nothing.txt");
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("cannot read nothing.txt"), "{ran}");
    assert!(ran.stderr.contains("hint: expected a requirements file as for pip"), "{ran}");
    let ran = place.run("python build");
    assert_eq!(ran.code, 2);
}
