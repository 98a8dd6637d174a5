//! A script as bytes: its source, after lines that say what executes it.

use std::sync::Arc;

use crate::{Digest, ErrorKind, Language};

/// The first line. The number is the version of the format.
const MAGIC: &str = "hostel-script 1\n";

/// A script as the registry stores it. The digest of its bytes stands for the source *and* for the runtime that executes it.
///
/// ```
/// # use hostel_core::*;
/// let runtime = Digest::of(b"a component");
/// let script = ScriptPackage::new(Language::Python, runtime, "tasks.py", "def f(): return 1\n")?;
/// assert!(script.encode().starts_with(b"hostel-script 1\nlanguage python\nruntime sha256:"));
/// assert_eq!(ScriptPackage::decode(&script.encode())?, script);
/// # Ok::<(), ScriptPackageError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptPackage {
    language: Language,
    runtime: Digest,
    file: Arc<str>,
    source: Arc<str>,
}

/// Something cannot be stored as a script, or bytes are not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptPackageError {
    /// The name of the file.
    #[error(
        "invalid name of a script's file {file:?}: expected 1 to {} bytes without control characters and without a directory",
        ScriptPackage::MAX_FILE_BYTES
    )]
    File {
        /// The name.
        file: String,
    },
    /// The source is too long.
    #[error("the source has {len} bytes: expected at most {}", ScriptPackage::MAX_SOURCE_BYTES)]
    TooLong {
        /// The number of its bytes.
        len: usize,
    },
    /// The bytes are not a script as [`ScriptPackage::encode`] writes it.
    #[error("the bytes are not a stored script: expected {expected}")]
    Malformed {
        /// The part that is missing or wrong.
        expected: &'static str,
    },
}

impl ScriptPackageError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl ScriptPackage {
    /// The longest source, in bytes.
    pub const MAX_SOURCE_BYTES: usize = 4 << 20;

    /// The longest name of a file, in bytes.
    pub const MAX_FILE_BYTES: usize = 255;

    /// A script. `file` is the name by which tracebacks call it.
    ///
    /// # Errors
    ///
    /// [`ScriptPackageError::File`] and [`ScriptPackageError::TooLong`].
    pub fn new(
        language: Language,
        runtime: Digest,
        file: impl Into<Arc<str>>,
        source: impl Into<Arc<str>>,
    ) -> Result<Self, ScriptPackageError> {
        let (file, source) = (file.into(), source.into());
        let is_name = (1..=Self::MAX_FILE_BYTES).contains(&file.len())
            && !file.contains(|c: char| c.is_control() || c == '/' || c == '\\');
        if !is_name {
            return Err(ScriptPackageError::File { file: file.chars().take(100).collect() });
        }
        if source.len() > Self::MAX_SOURCE_BYTES {
            return Err(ScriptPackageError::TooLong { len: source.len() });
        }
        Ok(Self { language, runtime, file, source })
    }

    /// Its bytes: four lines, an empty one, and the source.
    pub fn encode(&self) -> Vec<u8> {
        let Self { language, runtime, file, source } = self;
        let language = language.name();
        format!("{MAGIC}language {language}\nruntime {runtime}\nfile {file}\n\n{source}").into_bytes()
    }

    /// Whether bytes begin as those of a script do.
    pub fn is_meant(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC.as_bytes())
    }

    /// Reads what [`ScriptPackage::encode`] wrote.
    ///
    /// # Errors
    ///
    /// [`ScriptPackageError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ScriptPackageError> {
        let malformed = |expected: &'static str| move || ScriptPackageError::Malformed { expected };
        let text = str::from_utf8(bytes).map_err(|_| malformed("UTF-8")())?;
        let rest = text.strip_prefix(MAGIC).ok_or_else(malformed("\"hostel-script 1\" on the first line"))?;
        let (language, rest) = line(rest, "language ").ok_or_else(malformed("a language on line 2"))?;
        let language = Language::named(language).ok_or_else(malformed("the language python or js"))?;
        let (runtime, rest) = line(rest, "runtime ").ok_or_else(malformed("a runtime on line 3"))?;
        let runtime = runtime.parse().map_err(|_| malformed("the digest of a runtime")())?;
        let (file, rest) = line(rest, "file ").ok_or_else(malformed("a file on line 4"))?;
        let source = rest.strip_prefix('\n').ok_or_else(malformed("an empty line before the source"))?;
        Self::new(language, runtime, file, source)
    }

    /// The language.
    pub const fn language(&self) -> Language {
        self.language
    }

    /// The digest of the runtime that executes it.
    pub const fn runtime(&self) -> Digest {
        self.runtime
    }

    /// The name by which tracebacks call its file.
    pub const fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The source text.
    pub const fn source(&self) -> &Arc<str> {
        &self.source
    }
}

/// The text after `key` on the first line, and the lines after it.
fn line<'a>(text: &'a str, key: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(key)?.split_once('\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(file: &str, source: &str) -> Result<ScriptPackage, ScriptPackageError> {
        ScriptPackage::new(Language::JavaScript, Digest::of(b"runtime"), file, source)
    }

    #[test]
    fn any_source_is_written_and_read_the_same() {
        for source in ["", "\n\n", "hostel-script 1\n", "x\r\n\0", "é"] {
            let package = package("a file: 1.js", source).unwrap();
            assert!(ScriptPackage::is_meant(&package.encode()));
            assert_eq!(ScriptPackage::decode(&package.encode()), Ok(package), "{source:?}");
        }
    }

    #[test]
    fn the_digest_depends_on_everything() {
        let digest = |package: &ScriptPackage| Digest::of(&package.encode());
        let first = package("a.js", "1").unwrap();
        let runtime = ScriptPackage { runtime: Digest::of(b"other"), ..first.clone() };
        let language = ScriptPackage { language: Language::Python, ..first.clone() };
        for other in [package("b.js", "1").unwrap(), package("a.js", "2").unwrap(), runtime, language] {
            assert_ne!(digest(&first), digest(&other));
        }
    }

    #[test]
    fn other_names_and_bytes_are_refused() {
        for file in ["", "a\nb.js", "dir/a.js", &"a".repeat(256)] {
            assert!(matches!(package(file, ""), Err(ScriptPackageError::File { .. })), "{file}");
        }
        let long = package("a.js", &"a".repeat(ScriptPackage::MAX_SOURCE_BYTES + 1)).unwrap_err();
        assert_eq!(long, ScriptPackageError::TooLong { len: (4 << 20) + 1 });
        let bytes = package("a.js", "1").unwrap().encode();
        for length in 0..bytes.len() - 1 {
            let error = ScriptPackage::decode(&bytes[..length]).unwrap_err();
            assert!(error.to_string().contains("expected "), "{error}");
        }
        let error = ScriptPackage::decode(b"\0asm").unwrap_err().to_string();
        assert_eq!(
            error,
            "the bytes are not a stored script: expected \"hostel-script 1\" on the first line"
        );
    }
}
