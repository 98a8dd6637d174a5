//! How two versions of a component differ: in what they ask for, and in the functions that they export.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Capabilities, Demand, ExportPath, Grants, Manifest, VersionStep};

/// The differences between an older and a newer version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ComponentDiff {
    /// What only the newer version asks for.
    pub more: Vec<Demand>,
    /// What only the older version asks for.
    pub less: Vec<Demand>,
    /// Exported functions that were added, removed or changed, in the order of their paths.
    pub exports: Vec<ExportDiff>,
}

/// A function that differs. Signatures are in WIT notation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportDiff {
    /// The path of the export.
    pub path: ExportPath,
    /// Its signature in the older version; `None` if the function is new.
    pub old: Option<String>,
    /// Its signature in the newer version; `None` if the function was removed.
    pub new: Option<String>,
}

impl ComponentDiff {
    /// The differences between two versions, each with the grants in its configuration.
    pub fn between(old: (&Manifest, &Grants), new: (&Manifest, &Grants)) -> Self {
        let asked = |(manifest, grants): (&Manifest, &Grants)| Capabilities::new(&manifest.imports, grants);
        let (before, after) = (asked(old), asked(new));
        Self { more: before.missing(&after), less: after.missing(&before), exports: exports(old.0, new.0) }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.more.is_empty() && self.less.is_empty() && self.exports.is_empty()
    }

    /// Whether the newer version asks for something that the older one does not.
    pub fn asks_for_more(&self) -> bool {
        !self.more.is_empty()
    }

    /// How much the newer version changes for callers.
    pub fn step(&self) -> VersionStep {
        if self.exports.iter().any(|export| export.old.is_some()) {
            VersionStep::Major
        } else if self.exports.is_empty() {
            VersionStep::Patch
        } else {
            VersionStep::Minor
        }
    }
}

impl fmt::Display for ComponentDiff {
    /// A line for each difference, which begins with `+ ` or `- `; a function that changed has two. No line for no difference.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.more.iter().try_for_each(|demand| writeln!(f, "+ {demand}"))?;
        self.less.iter().try_for_each(|demand| writeln!(f, "- {demand}"))?;
        self.exports.iter().try_for_each(|ExportDiff { path, old, new }| {
            old.iter().try_for_each(|signature| writeln!(f, "- {path}: {signature}"))?;
            new.iter().try_for_each(|signature| writeln!(f, "+ {path}: {signature}"))
        })
    }
}

fn exports(old: &Manifest, new: &Manifest) -> Vec<ExportDiff> {
    let mut by_path: BTreeMap<&ExportPath, [Option<String>; 2]> = BTreeMap::new();
    for export in &old.exports {
        by_path.entry(&export.path).or_default()[0] = Some(export.text());
    }
    for export in &new.exports {
        by_path.entry(&export.path).or_default()[1] = Some(export.text());
    }
    let differing = by_path.into_iter().filter(|(_, [old, new])| old != new);
    differing.map(|(path, [old, new])| ExportDiff { path: path.clone(), old, new }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, Export, Import, Signature, Type};

    fn manifest(imports: &[&str], exports: &[(&str, Type)]) -> Manifest {
        let export = |(name, ty): &(&str, Type)| {
            Export::new(ExportPath::top_level(name), Ok(Signature::new([("a", ty.clone())], None)))
        };
        Manifest {
            digest: Digest::of(b""),
            size_bytes: 1,
            exports: exports.iter().map(export).collect(),
            imports: imports.iter().map(|name| Import::new(*name)).collect(),
            script: None,
        }
    }

    #[test]
    fn differences_are_signed() {
        let old = manifest(&["wasi:filesystem/types@0.2.6"], &[("add", Type::S32), ("gone", Type::S32)]);
        let new = manifest(&["wasi:sockets/tcp@0.2.6"], &[("add", Type::S64), ("fresh", Type::U8)]);
        let granted = Grants { http: vec!["example.org".parse().unwrap()], ..Grants::default() };
        let diff = ComponentDiff::between((&old, &Grants::default()), (&new, &granted));
        let expected = "+ network (wasi:sockets/tcp@0.2.6)\n+ grant http example.org\n- files (wasi:filesystem/types@0.2.6)\n\
                        - add: func(a: s32)\n+ add: func(a: s64)\n+ fresh: func(a: u8)\n- gone: func(a: s32)\n";
        assert_eq!(diff.to_string(), expected);
        assert!(diff.asks_for_more() && !diff.is_empty());
    }

    #[test]
    fn a_step_is_as_large_as_callers_notice() {
        let none = Grants::default();
        let step = |old: &[(&str, Type)], new: &[(&str, Type)]| {
            let (old, new) = (manifest(&[], old), manifest(&["wasi:sockets/tcp@0.2.6"], new));
            ComponentDiff::between((&old, &none), (&new, &none)).step()
        };
        let of = |names: &[&'static str]| names.iter().map(|name| (*name, Type::S32)).collect::<Vec<_>>();
        assert_eq!(step(&of(&["add"]), &of(&["add"])), VersionStep::Patch);
        assert_eq!(step(&of(&["add"]), &of(&["add", "sub"])), VersionStep::Minor);
        assert_eq!(step(&of(&["add"]), &of(&["sub"])), VersionStep::Major);
        assert_eq!(step(&of(&["add"]), &[("add", Type::U8)]), VersionStep::Major);
        assert!(
            ComponentDiff::between((&manifest(&[], &[]), &none), (&manifest(&[], &[]), &none)).is_empty()
        );
    }
}
