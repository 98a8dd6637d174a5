//! The sources of the Python runtime, which are part of this program.

use std::fs;
use std::io;
use std::path::Path;

use hostel::Digest;

/// A source, by its path below `runtimes`.
macro_rules! source {
    ($path:literal) => {
        ($path, include_str!(concat!("../../../../runtimes/", $path)))
    };
}

const SOURCES: [(&str, &str); 18] = [
    source!("python/app.py"),
    source!("python/library.py"),
    source!("python/hostel_runtime/__init__.py"),
    source!("python/hostel_runtime/calling.py"),
    source!("python/hostel_runtime/describing.py"),
    source!("python/hostel_runtime/failure.py"),
    source!("python/hostel_runtime/library.py"),
    source!("python/hostel_runtime/packages.py"),
    source!("python/hostel_runtime/prepare.py"),
    source!("python/hostel_runtime/texts.py"),
    source!("python/hostel_runtime/values.py"),
    source!("python/hostel_runtime/web.py"),
    source!("wit/runtime.wit"),
    source!("wit/deps/cli.wit"),
    source!("wit/deps/clocks.wit"),
    source!("wit/deps/http.wit"),
    source!("wit/deps/io.wit"),
    source!("wit/deps/random.wit"),
];

/// The digest of all sources.
pub(super) fn digest() -> Digest {
    let texts = SOURCES.iter().map(|(path, text)| format!("{path} {} {text}", text.len()));
    Digest::of(texts.collect::<String>().as_bytes())
}

/// Writes the sources into a directory.
pub(super) fn write(dir: &Path) -> io::Result<()> {
    SOURCES.iter().try_for_each(|(path, text)| {
        let file = dir.join(path);
        file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(file, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sources_are_here() {
        let runtimes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtimes");
        let mut expected =
            ["python/app.py", "python/library.py", "wit/runtime.wit"].map(str::to_owned).to_vec();
        for dir in ["python/hostel_runtime", "wit/deps"] {
            let names = fs::read_dir(runtimes.join(dir)).unwrap();
            let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let names = names.filter(|name| name.ends_with(".py") || name.ends_with(".wit"));
            expected.extend(names.map(|name| format!("{dir}/{name}")));
        }
        expected.sort_unstable();
        let mut found: Vec<_> = SOURCES.iter().map(|(path, _)| (*path).to_owned()).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_tools_are_those_of_the_build_script() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runtimes/build.sh");
        let script = fs::read_to_string(script).unwrap();
        let version = crate::python::COMPONENTIZE_PY;
        assert!(script.contains(&format!("\nCOMPONENTIZE_PY={version}\n")), "{version}");
    }
}
