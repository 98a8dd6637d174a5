//! Identities of components, tasks and runs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::ErrorKind;
use crate::value::excerpt;

/// A SHA-256 digest, written `sha256:<64 hex digits>`: the identity of a component and of a stored value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes `bytes` (about 0.5 ms a MiB with the processor's SHA instructions).
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest with these 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 lower-case hex digits, without the prefix.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error for a text that is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest: expected `sha256:` and 64 hex digits")]
pub struct ParseDigestError(String);

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseDigestError(text.to_owned());
        let digits = text.strip_prefix("sha256:").ok_or_else(error)?;
        Ok(Self(parse_hex(digits).ok_or_else(error)?))
    }
}

/// The path of an exported function in a component: at the top level, or inside an exported interface.
///
/// Written `add-one`, or `acme:math/ops@1.0.0.add`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExportPath {
    interface: Option<Arc<str>>,
    function: Arc<str>,
}

impl ExportPath {
    /// A function exported by the component itself.
    pub fn top_level(function: &str) -> Self {
        Self { interface: None, function: function.into() }
    }

    /// A function of an exported interface, the interface under its full name.
    pub fn in_interface(interface: &str, function: &str) -> Self {
        Self { interface: Some(interface.into()), function: function.into() }
    }

    /// The interface's full name, if the function is in one.
    pub fn interface(&self) -> Option<&str> {
        self.interface.as_deref()
    }

    /// The function's own name.
    pub fn function(&self) -> &str {
        &self.function
    }

    /// Whether `text` refers to this export. It may be the full path; the function name alone; or the interface's short name
    /// (`ops`), its unversioned name (`acme:math/ops`) or its full name, followed by a dot and the function.
    pub fn is_meant_by(&self, text: &str) -> bool {
        if text == &*self.function {
            return true;
        }
        let Some(interface) = self.interface() else {
            return false;
        };
        let Some(named) = text.strip_suffix(&*self.function).and_then(|rest| rest.strip_suffix('.')) else {
            return false;
        };
        let unversioned = interface.split('@').next().unwrap_or(interface);
        let short = unversioned.rsplit('/').next().unwrap_or(unversioned);
        [interface, unversioned, short].contains(&named)
    }
}

impl fmt::Display for ExportPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "{interface}.{}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

/// The identity of a task, the same on every machine: the component's digest and the export path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskKey {
    /// The component.
    pub component: Digest,
    /// The function in it.
    pub export: ExportPath,
}

impl TaskKey {
    /// The default name of a run: the function, and the last three hex digits of the run's id.
    pub fn run_name(&self, run: RunId) -> String {
        let [.., high, low] = *run.as_bytes();
        format!("{}-{:x}{low:02x}", self.export.function(), high & 15)
    }
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.component, self.export)
    }
}

/// The identity of a run: a UUID of version 7, so that ids sort by creation time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(Uuid);

impl RunId {
    /// The id with this UUID; the host creates them, with version 7 (RFC 9562, section 5.7).
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The 16 bytes, most significant first.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with the 16 bytes that [`RunId::as_bytes`] returned.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

/// A text that is not the id of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid run id {text:?}: expected a UUID such as 01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c21")]
pub struct ParseRunIdError {
    text: String,
}

impl ParseRunIdError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl FromStr for RunId {
    type Err = ParseRunIdError;

    /// Reads a UUID of any version, in the form that ids are written in.
    fn from_str(text: &str) -> Result<Self, ParseRunIdError> {
        let uuid = Uuid::try_parse(text).ok().filter(|uuid| uuid.to_string().eq_ignore_ascii_case(text));
        uuid.map(Self).ok_or_else(|| ParseRunIdError { text: excerpt(text) })
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn parse_hex(digits: &str) -> Option<[u8; 32]> {
    let digits = digits.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        let nibble = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(nibble(high)? * 16 + nibble(low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_and_read_the_same() {
        let digest = Digest::of(b"abc");
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse::<Digest>().unwrap(), digest);
        for wrong in ["", "abc", "sha256:", "sha256:zz", &text[..70], &text.replace('b', "g")] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_run_is_named_by_its_function_and_the_end_of_its_id() {
        let task = TaskKey { component: Digest::of(b"abc"), export: ExportPath::top_level("add-one") };
        let run = RunId::from_uuid("01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c21".parse().unwrap());
        assert_eq!(task.run_name(run), "add-one-c21");
    }

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let text = "01928c1e-7f3a-7c64-9d0b-5a2f8e6d4c21";
        assert_eq!(text.parse::<RunId>().unwrap().to_string(), text);
        assert_eq!(text.to_uppercase().parse::<RunId>(), text.parse());
        for text in
            ["", "c21", "01928c1e7f3a7c649d0b5a2f8e6d4c21", &format!("{{{text}}}"), &format!("{text}0")]
        {
            let error = text.parse::<RunId>().unwrap_err();
            assert!(error.to_string().starts_with("invalid run id"), "{error}");
        }
    }

    #[test]
    fn an_export_is_meant_by_its_names() {
        let path = ExportPath::in_interface("acme:math/ops@1.0.0", "add");
        for text in ["add", "ops.add", "acme:math/ops.add", "acme:math/ops@1.0.0.add"] {
            assert!(path.is_meant_by(text), "{text}");
        }
        for text in ["dd", "ops.ad", "s.add", "acme:math.add", ".add", "ops@1.0.0.add", ""] {
            assert!(!path.is_meant_by(text), "{text}");
        }
        assert!(!ExportPath::top_level("add").is_meant_by("ops.add"));
    }
}
