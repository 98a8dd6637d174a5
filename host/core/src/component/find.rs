//! Finding a function of a component by name.

use crate::{ErrorKind, Export, Manifest, Signature, listed};

/// A component has no such function, or the function cannot be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// No export matches the name.
    #[error("no export is named `{name}`; {}", known(candidates))]
    NotFound {
        /// The requested name.
        name: String,
        /// The callable exports.
        candidates: Vec<String>,
    },
    /// Several exports match the name.
    #[error("`{name}` could be {}: use the longer name", listed(candidates, " or "))]
    Ambiguous {
        /// The requested name.
        name: String,
        /// The exports that match it.
        candidates: Vec<String>,
    },
    /// No name was given, and there is not exactly one callable export.
    #[error("{}", unnamed(candidates))]
    Unnamed {
        /// The callable exports.
        candidates: Vec<String>,
    },
    /// The function's signature cannot be called as a task.
    #[error("`{path}` is not callable as a task: {reason}")]
    NotCallable {
        /// The function.
        path: String,
        /// The reason.
        reason: String,
    },
}

impl FindError {
    /// The kind of this error.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::Unnamed { .. } => ErrorKind::NotFound,
            Self::Ambiguous { .. } | Self::NotCallable { .. } => ErrorKind::Invalid,
        }
    }
}

impl Manifest {
    /// Finds a task by name: its full path, its path without the version or with the short name of the interface, or
    /// the function name alone, if that is unambiguous. `None` means the only callable function.
    ///
    /// # Errors
    ///
    /// [`FindError`] if no function or more than one matches, or if the function is not callable.
    pub fn task(&self, name: Option<&str>) -> Result<(&Export, &Signature), FindError> {
        let export = match name {
            Some(name) => self.named(name)?,
            None => self.only()?,
        };
        match &export.callable {
            Ok(signature) => Ok((export, signature)),
            Err(reason) => {
                Err(FindError::NotCallable { path: export.path.to_string(), reason: reason.clone() })
            }
        }
    }

    /// Exact names win over short ones, and tasks over hooks.
    fn named(&self, name: &str) -> Result<&Export, FindError> {
        if let Some(exact) = self.exports.iter().find(|export| export.path.to_string() == name) {
            return Ok(exact);
        }
        let mut meant: Vec<_> = self.exports.iter().filter(|export| export.path.is_meant_by(name)).collect();
        if meant.len() > 1 {
            meant.retain(|export| export.hook.is_none());
        }
        match meant.as_slice() {
            [only] => Ok(only),
            [] => Err(FindError::NotFound { name: name.to_owned(), candidates: self.candidates() }),
            several => Err(FindError::Ambiguous {
                name: name.to_owned(),
                candidates: several.iter().map(|export| export.path.to_string()).collect(),
            }),
        }
    }

    fn only(&self) -> Result<&Export, FindError> {
        let mut callable = self.exports.iter().filter(|export| export.callable.is_ok());
        match (callable.next(), callable.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(FindError::Unnamed { candidates: self.candidates() }),
        }
    }

    fn candidates(&self) -> Vec<String> {
        let callable = self.exports.iter().filter(|export| export.callable.is_ok());
        callable.map(|export| export.path.to_string()).collect()
    }
}

fn known(candidates: &[String]) -> String {
    match candidates {
        [] => "the component exports no callable function".to_owned(),
        [only] => format!("the component exports {only}"),
        several => format!("the component exports {}", listed(several, ", ")),
    }
}

fn unnamed(candidates: &[String]) -> String {
    match candidates {
        [] => "the component exports no callable function".to_owned(),
        several => format!("which function? The component exports {}", listed(several, ", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, ExportPath, Hook};

    fn manifest(exports: Vec<Export>) -> Manifest {
        Manifest { digest: Digest::of(b""), size_bytes: 0, exports, imports: Vec::new(), script: None }
    }

    fn task(interface: Option<&str>, function: &str) -> Export {
        let path = match interface {
            Some(interface) => ExportPath::in_interface(interface, function),
            None => ExportPath::top_level(function),
        };
        Export::new(path, Ok(Signature::new::<&str>([], None)))
    }

    #[test]
    fn a_task_is_found_by_each_of_its_names() {
        let ops = "acme:math/ops@1.0.0";
        let hook = Export { hook: Some(Hook::OnCommit), ..task(Some("hostel:task/hooks@0.1.0"), "add") };
        let hook = Export { callable: Err("it is a hook".into()), ..hook };
        let all = manifest(vec![task(Some(ops), "add"), task(Some(ops), "pow"), task(None, "pow"), hook]);
        let check = |name: &str, expected: Result<&str, &str>| {
            let found = all.task(Some(name)).map(|(export, _)| export.path.to_string());
            let found = found.map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{name}");
        };
        check("add", Ok("acme:math/ops@1.0.0.add"));
        check("ops.add", Ok("acme:math/ops@1.0.0.add"));
        check("acme:math/ops.pow", Ok("acme:math/ops@1.0.0.pow"));
        check("pow", Ok("pow"));
        check("hooks.add", Err("`hostel:task/hooks@0.1.0.add` is not callable as a task: it is a hook"));
        let exports = "acme:math/ops@1.0.0.add, acme:math/ops@1.0.0.pow, pow";
        check("sub", Err(&format!("no export is named `sub`; the component exports {exports}")));
        let unnamed = all.task(None).unwrap_err();
        assert_eq!(unnamed.to_string(), format!("which function? The component exports {exports}"));
        assert_eq!(unnamed.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn the_only_task_needs_no_name_and_an_ambiguous_name_is_refused() {
        let one = manifest(vec![task(None, "add")]);
        assert_eq!(one.task(None).unwrap().0.path, ExportPath::top_level("add"));
        let two = manifest(vec![task(Some("a:a/a"), "add"), task(Some("b:b/b"), "add")]);
        let error = two.task(Some("add")).unwrap_err();
        assert_eq!(error.to_string(), "`add` could be a:a/a.add or b:b/b.add: use the longer name");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let none = manifest(Vec::new()).task(None).unwrap_err();
        assert_eq!(none.to_string(), "the component exports no callable function");
    }
}
