//! The files of installed runtimes, which are large, are not read where the compiled code says enough.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::hostel::Place;
use crate::scripts::runtimes;
use crate::server::ran;

/// A place whose runtime for JavaScript is installed, and the registry's file of it; `None` if there is no runtime.
fn installed() -> Option<(Place, PathBuf)> {
    let runtime = runtimes().join("js.wasm");
    if !runtime.exists() {
        assert!(std::env::var_os("HOSTEL_RUNTIMES").is_none(), "{} is missing", runtime.display());
        eprintln!("SKIPPED: there is no {}: bash runtimes/build.sh makes it", runtime.display());
        return None;
    }
    let place = Place::with_data_dir();
    place.write("tasks.js", "export const add = (a, b = 2) => a + b;\n");
    let installed = ran(place.command(&format!("runtime install js {}", runtime.display())));
    assert_eq!(installed.code, 0, "{installed}");
    let digest = installed.stdout.trim_end().strip_prefix("sha256:").unwrap().to_owned();
    let file = place.data_dir().join("components").join(digest).with_extension("wasm");
    Some((place, file))
}

/// Overwrites a file with other bytes of the same length, so that a command that reads it fails.
fn spoil(file: &Path) {
    let bytes = fs::metadata(file).unwrap().len();
    let mut file = OpenOptions::new().write(true).open(file).unwrap();
    file.write_all(&vec![b'x'; usize::try_from(bytes).unwrap()]).unwrap();
}

#[test]
fn the_file_of_a_runtime_is_not_read_where_its_compiled_code_is_there() {
    let Some((place, file)) = installed() else { return };
    let completed = |line: &str| {
        let ran = ran(place.command(line));
        assert_eq!(ran.code, 0, "{line}: {ran}");
        ran.stdout.trim_end().to_owned()
    };
    spoil(&file);
    assert_eq!(completed("run tasks.js#add 40"), "42");
    assert_eq!(completed("map tasks.js#add --over a=[1,2] --quiet"), "3\n4");
    assert!(completed("inspect tasks.js").contains("add(a, b = 2)"));
    assert_eq!(completed("push tasks.js --name tasks"), "tasks@1.0.0");
    assert_eq!(completed("run tasks#add 39 3"), "42");
    assert!(completed("inspect tasks").contains("add(a, b = 2)"));
    completed("delay tasks.js#add 40");
    completed("delay tasks#add 40");
    completed("schedule add daily tasks.js#add 40 --cron '0 0 1 1 *'");
    // Where it is read, that is noticed.
    fs::remove_dir_all(place.data_dir().join("compiled")).unwrap();
    let ran = ran(place.command("run tasks.js#add 41"));
    assert_ne!(ran.code, 0, "{ran}");
}

#[test]
fn a_runtime_whose_file_is_gone_stores_no_runs() {
    let Some((place, file)) = installed() else { return };
    fs::remove_file(&file).unwrap();
    for line in ["delay tasks.js#add 40", "schedule add daily tasks.js#add 40 --cron '0 0 1 1 *'"] {
        let ran = ran(place.command(line));
        assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{line}: {ran}");
        assert!(ran.stderr.contains("is missing"), "{ran}");
        assert!(
            ran.stderr.contains("hostel runtime install LANGUAGE FILE stores the runtime again"),
            "{ran}"
        );
    }
}
