//! Which packages requirements lead to: only such in pure Python, each with its digest.

use std::fs;
use std::path::Path;

use hostel::{Digest, ErrorKind};
use hostel_wire::printable;
use serde::Deserialize;

use super::tools::{Tools, last_lines};
use super::{COMPONENTIZE_PY, PYTHON, sources};
use crate::problem::Problem;

/// The most packages in a runtime.
const MAX_PACKAGES: usize = 500;

/// What pip says of a requirement that has no suitable wheel.
const NO_MATCH: &str = "No matching distribution found for ";

/// What pip says if no versions of packages fit together.
const CONFLICT: &str = "ResolutionImpossible";

/// What pip says of each of them.
const DEPENDS: &str = " depends on ";

/// The packages of a runtime.
#[derive(Debug)]
pub(crate) struct Lock {
    /// By name.
    packages: Vec<Package>,
}

/// A package, as one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    /// The SHA-256 of its file, in hex digits.
    sha256: String,
    /// Where it is: the options by which pip has found it are in the requirements only.
    url: String,
}

/// The parts of pip's report that are used.
#[derive(Deserialize)]
struct Report {
    install: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
    download_info: Download,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Download {
    url: String,
    archive_info: Option<Archive>,
}

#[derive(Deserialize)]
struct Archive {
    #[serde(default)]
    hashes: std::collections::BTreeMap<String, String>,
}

/// The options of pip by which only packages in pure Python, for the Python of the sandbox, are found. Nothing of a package is executed.
pub(super) fn pure_only() -> Vec<&'static str> {
    let mut options = vec!["--only-binary=:all:", "--implementation=py", "--abi=none", "--platform=any"];
    options.extend(["--python-version", PYTHON]);
    options
}

/// Finds the packages that a file of requirements asks for.
pub(crate) fn lock(tools: &Tools, requirements: &Path, scratch: &Path) -> Result<Lock, Problem> {
    let report = scratch.join("report.json");
    let mut command = tools.pip();
    command.args(["install", "--dry-run", "--ignore-installed", "--report"]).arg(&report);
    command.args(pure_only()).arg("--target").arg(scratch.join("nothing")).arg("-r").arg(requirements);
    let output = tools.output(command)?;
    if !output.status.success() {
        let [stdout, stderr] = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy);
        return Err(not_found(requirements, &stdout, &stderr));
    }
    let report = fs::read(&report).map_err(|error| Problem::unreadable("the report of pip", &error))?;
    let report: Report = serde_json::from_slice(&report).map_err(|error| {
        Problem::new(ErrorKind::Internal, format!("the report of pip has another form: {error}"))
    })?;
    Lock::of(requirements, report)
}

impl Lock {
    fn of(requirements: &Path, report: Report) -> Result<Self, Problem> {
        let file = requirements.display();
        if report.install.len() > MAX_PACKAGES {
            let count = report.install.len();
            return Err(Problem::invalid(format!(
                "{file} leads to {count} packages: expected at most {MAX_PACKAGES}"
            )));
        }
        let packages = report.install.into_iter().map(
            |Item { metadata, download_info: Download { url, archive_info } }| {
                let Metadata { name, version } = metadata;
                let hash = archive_info.and_then(|archive| archive.hashes.get("sha256").cloned());
                let sha256 = hash.ok_or_else(|| {
                    Problem::invalid(format!(
                        "{file}: {} is no file with a digest: expected a wheel",
                        printable(&name)
                    ))
                })?;
                Ok(Package { name, version, sha256, url })
            },
        );
        let mut packages = packages.collect::<Result<Vec<_>, Problem>>()?;
        packages.sort_unstable();
        Ok(Self { packages })
    }

    /// The packages with their versions, and everything else that the runtime is made of. Equal texts make equal runtimes, apart from the
    /// bytes.
    pub(crate) fn text(&self) -> String {
        let packages = self.packages.iter();
        let packages = packages
            .map(|package| format!("{} {} sha256:{}\n", package.name, package.version, package.sha256));
        let tools = format!("componentize-py {COMPONENTIZE_PY}\nruntime {}\n", sources::digest());
        format!("{tools}{}", packages.collect::<String>())
    }

    /// The digest of the text.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.text().as_bytes())
    }

    /// The packages as pip's requirements, each for one file only.
    pub(super) fn requirements(&self) -> String {
        let lines = self.packages.iter();
        lines
            .map(|Package { name, url, sha256, .. }| format!("{name} @ {url} --hash=sha256:{sha256}\n"))
            .collect()
    }

    /// The packages for people: `attrs 25.1.0, six 1.17.0`.
    pub(crate) fn summary(&self) -> String {
        let names = self.packages.iter().map(|package| format!("{} {}", package.name, package.version));
        let text = names.collect::<Vec<_>>().join(", ");
        printable(&text).into_owned()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }
}

/// Why pip has found no packages.
fn not_found(requirements: &Path, stdout: &str, stderr: &str) -> Problem {
    let file = requirements.display();
    if stderr.contains("Retrying (") || stderr.contains("ConnectionError") {
        let problem = format!("{file}: the package index does not answer");
        return Problem::new(ErrorKind::Unavailable, problem).hint("check the network, and pip's settings");
    }
    let unmatched = stderr.lines().find_map(|line| Some(line.split_once(NO_MATCH)?.1));
    // The newest version of what was asked for comes first.
    let conflict = stdout.lines().find(|line| line.contains(DEPENDS)).filter(|_| stderr.contains(CONFLICT));
    let problem = match (unmatched, conflict) {
        (Some(name), _) => {
            format!("{file}: {} has no wheel in pure Python, for Python {PYTHON}", printable(name.trim()))
        }
        (None, Some(line)) => {
            let line = printable(line.trim());
            format!("{file}: {line}: no wheel in pure Python fits, for Python {PYTHON}")
        }
        (None, None) => {
            let problem = format!("{file}: pip found no packages for it\n{}", last_lines(stderr));
            return Problem::invalid(problem);
        }
    };
    Problem::invalid(problem)
        .hint("packages with compiled parts do not work, because they are not built for WebAssembly")
        .hint("if it is in pure Python and has no wheel, build one, and name the file in the requirements")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> Result<Lock, Problem> {
        Lock::of(Path::new("requirements.txt"), serde_json::from_str(text).unwrap())
    }

    const SIX: &str = r#"{"metadata": {"name": "six", "version": "1.17.0"},
        "download_info": {"url": "https://x/six.whl", "archive_info": {"hashes": {"sha256": "aa"}}}}"#;
    const MINE: &str = r#"{"metadata": {"name": "mine", "version": "1.0"},
        "download_info": {"url": "file:///w/mine.whl", "archive_info": {"hashes": {"sha256": "bb"}}}}"#;

    #[test]
    fn a_lock_does_not_depend_on_the_order_of_packages() {
        let one = report(&format!("{{\"install\": [{SIX}, {MINE}]}}")).unwrap();
        let other = report(&format!("{{\"install\": [{MINE}, {SIX}]}}")).unwrap();
        assert_eq!(one.digest(), other.digest());
        assert_eq!(one.summary(), "mine 1.0, six 1.17.0");
        assert!(one.text().ends_with("\nmine 1.0 sha256:bb\nsix 1.17.0 sha256:aa\n"), "{}", one.text());
        let expected =
            "mine @ file:///w/mine.whl --hash=sha256:bb\nsix @ https://x/six.whl --hash=sha256:aa\n";
        assert_eq!(one.requirements(), expected);
        let fewer = report(&format!("{{\"install\": [{SIX}]}}")).unwrap();
        assert_ne!(fewer.digest(), one.digest());
    }

    #[test]
    fn a_package_without_a_digest_is_refused() {
        let text = SIX.replace("sha256", "md5");
        let error = report(&format!("{{\"install\": [{text}]}}")).unwrap_err();
        assert!(error.to_string().contains("six is no file with a digest"), "{error}");
        let many = vec![SIX; MAX_PACKAGES + 1].join(", ");
        let error = report(&format!("{{\"install\": [{many}]}}")).unwrap_err();
        assert!(error.to_string().ends_with("leads to 501 packages: expected at most 500"), "{error}");
    }

    #[test]
    fn the_reason_of_pip_is_told_in_words() {
        let error = |stderr: &str| not_found(Path::new("r.txt"), "", stderr).to_string();
        let native = "ERROR: Could not find a version that satisfies the requirement numpy (from versions: none)\n\
                      ERROR: No matching distribution found for numpy>=2\n";
        assert_eq!(error(native), "r.txt: numpy>=2 has no wheel in pure Python, for Python 3.14");
        assert!(
            error("WARNING: Retrying (Retry(total=4)\nERROR: No matching distribution found for six")
                .contains("does not answer")
        );
        assert_eq!(
            error("ERROR: Invalid requirement: '==='\n"),
            "r.txt: pip found no packages for it\nERROR: Invalid requirement: '==='"
        );
        let stdout = "The conflict is caused by:\n    jinja2 3.1.6 depends on MarkupSafe>=2.0\n    jinja2 3.1.5 depends on MarkupSafe>=2.0\n";
        let error =
            not_found(Path::new("r.txt"), stdout, "ERROR: ResolutionImpossible: for help").to_string();
        let expected =
            "r.txt: jinja2 3.1.6 depends on MarkupSafe>=2.0: no wheel in pure Python fits, for Python 3.14";
        assert_eq!(error, expected);
    }
}
