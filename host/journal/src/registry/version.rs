//! Registered versions, and which of them a name stands for.

use hostel_core::{
    ComponentDiff, ComponentName, ComponentVersion, Digest, Grants, Manifest, Timestamp, VersionStep,
};

/// A version of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredVersion {
    /// The name.
    pub name: ComponentName,
    /// The version.
    pub version: ComponentVersion,
    /// The component.
    pub digest: Digest,
    /// The grants in its configuration, without the values of variables.
    pub grants: Grants,
    /// When it was registered.
    pub at: Timestamp,
    /// Who registered it.
    pub by: String,
    /// When and by whom it was accepted; `None` while it waits for that.
    pub accepted: Option<Acceptance>,
    /// Whether someone who may grant has registered or accepted it, or has stored a schedule with grants when the name stood for it.
    /// Schedules whose runs have grants use no other version ([`Registry::resolve_trusted`](super::Registry::resolve_trusted)).
    pub is_trusted: bool,
}

/// Why a version may be used under its name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// When it was accepted.
    pub at: Timestamp,
    /// Who accepted it; `None` if it asked for nothing more than the version before, so that nobody had to.
    pub by: Option<String>,
}

impl RegisteredVersion {
    /// Whether the name alone may stand for it.
    pub fn is_current(&self) -> bool {
        self.accepted.is_some() && !self.version.is_prerelease()
    }
}

/// The version that a name alone stands for: of those that were accepted and are no prereleases, the last one.
pub(super) fn current(versions: &[RegisteredVersion]) -> Option<&RegisteredVersion> {
    versions
        .iter()
        .filter(|version| version.is_current())
        .max_by(|one, other| one.version.cmp(&other.version))
}

/// The last version, accepted or not.
pub(super) fn newest(versions: &[RegisteredVersion]) -> Option<&RegisteredVersion> {
    versions.iter().max_by(|one, other| one.version.cmp(&other.version))
}

/// The accepted version with which a new one is compared: the last before it, or else the first after it.
pub(super) fn baseline<'a>(
    versions: &'a [RegisteredVersion],
    new: &ComponentVersion,
) -> Option<&'a RegisteredVersion> {
    let accepted = || versions.iter().filter(|version| version.accepted.is_some());
    let before = accepted().filter(|other| other.version < *new).max_by(|a, b| a.version.cmp(&b.version));
    before.or_else(|| accepted().min_by(|one, other| one.version.cmp(&other.version)))
}

/// The version after the newest one, by what has changed for callers. `None` if there is no such number.
pub(super) fn next(
    newest: &RegisteredVersion,
    old: &Manifest,
    new: (&Manifest, &Grants),
) -> Option<ComponentVersion> {
    let step: VersionStep = ComponentDiff::between((old, &newest.grants), new).step();
    newest.version.next(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(texts: &[(&str, bool)]) -> Vec<RegisteredVersion> {
        let accepted = Acceptance { at: Timestamp::from_unix_nanos(1), by: None };
        let version = |(text, is_accepted): &(&str, bool)| RegisteredVersion {
            name: "a".parse().unwrap(),
            version: text.parse().unwrap(),
            digest: Digest::of(text.as_bytes()),
            grants: Grants::default(),
            at: Timestamp::from_unix_nanos(1),
            by: "me".to_owned(),
            accepted: is_accepted.then(|| accepted.clone()),
            is_trusted: true,
        };
        texts.iter().map(version).collect()
    }

    #[test]
    fn a_name_stands_for_the_last_version_that_was_accepted() {
        let check = |texts: &[(&str, bool)], expected: Option<&str>| {
            let versions = versions(texts);
            let found = current(&versions).map(|version| version.version.to_string());
            assert_eq!(found.as_deref(), expected, "{texts:?}");
        };
        check(&[], None);
        check(&[("1.9.0", true), ("1.10.0", true), ("1.2.0", true)], Some("1.10.0"));
        check(&[("1.0.0", true), ("2.0.0", false)], Some("1.0.0"));
        check(&[("1.0.0", true), ("2.0.0-rc.1", true)], Some("1.0.0"));
        check(&[("2.0.0-rc.1", true), ("1.0.0", false)], None);
    }

    #[test]
    fn a_version_is_compared_with_the_accepted_one_before_it() {
        let all = versions(&[("1.0.0", true), ("2.0.0", false), ("3.0.0", true)]);
        let check = |new: &str, expected: &str| {
            let found = baseline(&all, &new.parse().unwrap()).unwrap();
            assert_eq!(found.version.to_string(), expected, "{new}");
        };
        check("2.5.0", "1.0.0");
        check("4.0.0", "3.0.0");
        check("0.1.0", "1.0.0");
        assert_eq!(baseline(&versions(&[("1.0.0", false)]), &"2.0.0".parse().unwrap()), None);
    }
}
