//! What a component asks for: by its imports, and by the grants in its configuration.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Capability, EnvGrant, Grants, Import};

/// What a version of a component asks for. It is a request, not a permission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The imports of each capability, sorted; without plumbing.
    imports: BTreeMap<Capability, Vec<String>>,
    grants: Grants,
}

/// One thing that a component asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Demand {
    /// A capability, by these imports. Each unknown interface is one of its own.
    Capability(Capability, Vec<String>),
    /// A grant in its configuration, such as `http example.org`. The values of variables are not shown.
    Grant(String),
}

impl Capabilities {
    /// What these imports and grants ask for. The values of environment variables are left out.
    pub fn new(imports: &[Import], grants: &Grants) -> Self {
        let mut by_capability: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for import in imports.iter().filter(|import| import.capability != Capability::Plumbing) {
            by_capability.entry(import.capability).or_default().push(import.name.clone());
        }
        for names in by_capability.values_mut() {
            names.sort_unstable();
            names.dedup();
        }
        Self { imports: by_capability, grants: without_values(grants) }
    }

    /// The grants, without the values of environment variables.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// All that it asks for: first the capabilities, then the grants.
    pub fn demands(&self) -> Vec<Demand> {
        Self::default().missing(self)
    }

    /// What `other` asks for and this does not, neither under the same name nor as a part of something larger.
    pub fn missing(&self, other: &Self) -> Vec<Demand> {
        let imports = other.imports.iter().flat_map(|(capability, names)| {
            if *capability == Capability::Unknown {
                self.unknown(names)
            } else if self.imports.contains_key(capability) {
                Vec::new()
            } else {
                vec![Demand::Capability(*capability, names.clone())]
            }
        });
        let grants = each(&other.grants).into_iter().filter(|grant| !self.grants.includes(grant));
        imports.chain(grants.flat_map(|grant| grant.texts()).map(Demand::Grant)).collect()
    }

    /// The unknown interfaces among these that this does not import.
    fn unknown(&self, names: &[String]) -> Vec<Demand> {
        let known = self.imports.get(&Capability::Unknown);
        let is_new = |name: &&String| !known.is_some_and(|known| known.contains(name));
        let one = |name: &String| Demand::Capability(Capability::Unknown, vec![name.clone()]);
        names.iter().filter(is_new).map(one).collect()
    }
}

impl fmt::Display for Demand {
    /// `outgoing HTTP (wasi:http/outgoing-handler@0.2.6)`, or `grant http example.org`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capability(capability, imports) => write!(f, "{capability} ({})", imports.join(", ")),
            Self::Grant(grant) => write!(f, "grant {grant}"),
        }
    }
}

/// A registry shows grants to everybody who can read it, so it must not have the values.
fn without_values(grants: &Grants) -> Grants {
    let env = grants.env.iter().filter_map(|grant| EnvGrant::new(grant.name(), "").ok());
    Grants { env: env.collect(), ..grants.clone() }
}

/// The grants one by one.
fn each(grants: &Grants) -> Vec<Grants> {
    let Grants { http, dirs, env, net, lookup } = grants;
    let none = Grants::default;
    let http = http.iter().map(|grant| Grants { http: vec![grant.clone()], ..none() });
    let dirs = dirs.iter().map(|grant| Grants { dirs: vec![grant.clone()], ..none() });
    let env = env.iter().map(|grant| Grants { env: vec![grant.clone()], ..none() });
    let net = net.iter().map(|grant| Grants { net: vec![grant.clone()], ..none() });
    let lookup = lookup.iter().map(|grant| Grants { lookup: vec![grant.clone()], ..none() });
    dirs.chain(env).chain(http).chain(net).chain(lookup).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(names: &[&str]) -> Capabilities {
        let imports: Vec<_> = names.iter().map(|name| Import::new(*name)).collect();
        Capabilities::new(&imports, &Grants::default())
    }

    fn grants(http: &[&str], env: &[&str]) -> Capabilities {
        let grants = Grants {
            http: http.iter().map(|text| text.parse().unwrap()).collect(),
            env: env.iter().map(|text| text.parse().unwrap()).collect(),
            ..Grants::default()
        };
        Capabilities::new(&[], &grants)
    }

    #[track_caller]
    fn check(old: &Capabilities, new: &Capabilities, expected: &[&str]) {
        let missing: Vec<_> = old.missing(new).iter().map(Demand::to_string).collect();
        assert_eq!(missing, expected);
    }

    #[test]
    fn imports_count_by_capability() {
        let old = imports(&["wasi:clocks/wall-clock@0.2.6", "wasi:io/poll@0.2.6"]);
        check(&old, &old, &[]);
        check(&old, &imports(&[]), &[]);
        // Another interface of the same capability is not more, and neither is plumbing.
        check(&old, &imports(&["wasi:clocks/monotonic-clock@0.2.0", "wasi:io/streams@0.2.6"]), &[]);
        let more =
            imports(&["wasi:http/types@0.2.6", "wasi:http/outgoing-handler@0.2.6", "acme:a/b", "acme:a/a"]);
        let http = "outgoing HTTP (wasi:http/outgoing-handler@0.2.6, wasi:http/types@0.2.6)";
        check(&old, &more, &[http, "unknown (acme:a/a)", "unknown (acme:a/b)"]);
        check(&imports(&["acme:a/a"]), &more, &[http, "unknown (acme:a/b)"]);
        assert_eq!(old.demands().len(), 1);
    }

    #[test]
    fn grants_count_unless_larger_ones_include_them() {
        let old = grants(&["*.example.org"], &["A=secret"]);
        check(&old, &grants(&["api.example.org"], &["A=other"]), &[]);
        check(&old, &grants(&["example.net"], &["B=1"]), &["grant env B=…", "grant http example.net"]);
        check(&grants(&["api.example.org"], &[]), &old, &["grant env A=…", "grant http *.example.org"]);
        assert!(!format!("{old:?}").contains("secret"));
    }
}
