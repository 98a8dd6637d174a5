//! The directory with the files of all packages, which the runtime takes in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::lock::{Lock, pure_only};
use super::tools::{Tools, last_lines};
use crate::problem::Problem;

/// The list of modules, which `hostel_runtime/packages.py` looks for.
const LIST: &str = "hostel-packages.json";

/// Endings of files that only a processor executes.
const NATIVE: [&str; 5] = ["so", "pyd", "dylib", "dll", "a"];

/// The most files of all packages.
const MAX_FILES: usize = 50_000;

/// Installs the packages of a lock into a new directory.
pub(crate) fn fill(tools: &Tools, lock: &Lock, scratch: &Path) -> Result<PathBuf, Problem> {
    let (site, requirements) = (scratch.join("site"), scratch.join("lock.txt"));
    let unwritable = |error| Problem::unreadable(scratch.display(), &error);
    fs::create_dir(&site).map_err(unwritable)?;
    fs::write(&requirements, lock.requirements()).map_err(unwritable)?;
    if !lock.is_empty() {
        let mut command = tools.pip();
        command.args(["install", "--no-deps", "--no-compile", "--require-hashes"]).args(pure_only());
        command.arg("--target").arg(&site).arg("-r").arg(&requirements);
        let output = tools.output(command)?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(Problem::invalid(format!(
                "pip cannot install the packages\n{}",
                last_lines(&stderr)
            )));
        }
    }
    let modules = check(&site)?;
    fs::write(site.join(LIST), json!({ "modules": modules }).to_string()).map_err(unwritable)?;
    Ok(site)
}

/// The modules at the top of the packages, in order. Files in machine code are refused.
fn check(site: &Path) -> Result<Vec<String>, Problem> {
    let mut left = MAX_FILES;
    let native = native_in(site, &mut left).map_err(|error| Problem::unreadable("a package", &error))?;
    if let Some(file) = native {
        let file = file.strip_prefix(site).unwrap_or(&file).display();
        let problem = format!("{file} is machine code, which does not work in the sandbox");
        return Err(Problem::invalid(problem).hint("leave out the package that it belongs to"));
    }
    if left == 0 {
        return Err(Problem::invalid(format!(
            "the packages have too many files: expected at most {MAX_FILES}"
        )));
    }
    let entries = fs::read_dir(site).map_err(|error| Problem::unreadable("the packages", &error))?;
    let names = entries.flatten().filter_map(|entry| module(&entry.path()));
    let mut modules: Vec<_> = names.collect();
    modules.sort_unstable();
    Ok(modules)
}

/// The module in a file or a directory, if it is one.
fn module(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let name = if path.is_dir() { name } else { name.strip_suffix(".py")? };
    let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_name && !name.starts_with("__")).then(|| name.to_owned())
}

fn native_in(dir: &Path, left: &mut usize) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        *left = left.saturating_sub(1);
        if *left == 0 {
            return Ok(None);
        }
        if entry.file_type()?.is_dir() {
            if let Some(found) = native_in(&path, left)? {
                return Ok(Some(found));
            }
        } else if path.extension().is_some_and(|ending| NATIVE.iter().any(|native| ending == *native)) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    #[test]
    fn modules_are_found_and_machine_code_is_refused() {
        let dir = site(&[
            "six.py",
            "attr/__init__.py",
            "attrs-25.dist-info/METADATA",
            "bin/tool",
            "__pycache__/x.py",
        ]);
        assert_eq!(check(dir.path()).unwrap(), ["attr", "bin", "six"]);
        let dir = site(&["fast/__init__.py", "fast/sub/_speed.cpython-314-x86_64-linux-gnu.so"]);
        let error = check(dir.path()).unwrap_err().to_string();
        assert!(error.contains("_speed.cpython-314-x86_64-linux-gnu.so is machine code"), "{error}");
    }
}
