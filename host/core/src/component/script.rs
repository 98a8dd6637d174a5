//! Scripts as data: functions of source text, which the runtime of their language executes.

use std::fmt;
use std::path::Path;

use crate::run::encoding::read::Reader;
use crate::run::encoding::write;
use crate::{Digest, Export, ExportPath, Param, Signature, TaskKey, Type, Value};

/// Languages by the endings of their files.
const ENDINGS: [(&str, Language); 3] =
    [("py", Language::Python), ("js", Language::JavaScript), ("mjs", Language::JavaScript)];

/// A language whose functions are tasks. Its runtime is a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// Python.
    Python,
    /// JavaScript.
    JavaScript,
}

/// How a parameter is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// Only by its position.
    Positional,
    /// By its position or its name.
    Either,
    /// Only by its name.
    Named,
    /// It takes all further positional arguments, as a list.
    Rest,
    /// It takes all further named arguments, as a map.
    NamedRest,
}

/// A function that a script defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFunction {
    /// Its name.
    pub name: String,
    /// Its parameters, in order.
    pub params: Vec<ScriptParam>,
    /// The source text of its result type, if it declares one.
    pub returns: Option<String>,
    /// Its documentation in the source.
    pub doc: Option<String>,
    /// The line of its definition, from 1.
    pub line: u32,
}

/// A parameter of a [`ScriptFunction`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptParam {
    /// Its name.
    pub name: String,
    /// How it is passed.
    pub passing: Passing,
    /// The source text of its type, if it declares one.
    pub declared: Option<String>,
    /// The source text of its default, if it has one.
    pub default: Option<String>,
}

/// What a [`Manifest`](crate::Manifest) has of a script beside its exports. Its imports are those of the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptManifest {
    /// The language.
    pub language: Language,
    /// The digest of the runtime that executes it, always this one.
    pub runtime: Digest,
    /// The name by which tracebacks call its file.
    pub file: String,
    /// Its functions, in the order of their definitions.
    pub functions: Vec<ScriptFunction>,
}

/// The value that a task returned, as its callers see it: a text in JSON, if a runtime returned it, is [data](Type::Data).
pub fn result_for_callers(task: &TaskKey, ty: Type, value: Value) -> (Type, Value) {
    let text = if let Value::String(text) = &value { Some(text) } else { None };
    let data = text.filter(|_| task.is_script_call()).and_then(|text| Value::data(text));
    data.map_or((ty, value), |data| (Type::Data, data))
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Python, Self::JavaScript];

    /// The language of a file, by the ending of its name.
    pub fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        ENDINGS.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known)).map(|(_, language)| *language)
    }

    /// The language with this [name](Language::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.name() == name)
    }

    /// Its name for programs: `python` or `js`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "js",
        }
    }

    /// Its name in texts: `Python` or `JavaScript`.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Python => "Python",
            Self::JavaScript => "JavaScript",
        }
    }

    /// The media type of its sources.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Python => "text/x-python",
            Self::JavaScript => "text/javascript",
        }
    }

    /// The name of its runtime in the registry, such as `hostel.runtime-python`.
    pub fn runtime_name(self) -> String {
        format!("hostel.runtime-{}", self.name())
    }
}

impl Passing {
    const ALL: [Self; 5] = [Self::Positional, Self::Either, Self::Named, Self::Rest, Self::NamedRest];

    /// Whether an argument may be given by its name.
    pub const fn is_by_name(self) -> bool {
        matches!(self, Self::Either | Self::Named)
    }
}

impl ScriptFunction {
    /// Its signature for callers, whose arguments are [data](Type::Data). `failure` is the type of what it returns instead of a result.
    pub fn signature(&self, failure: Option<Type>) -> Signature {
        let params = self.params.iter().map(|param| (param.name.as_str(), param.ty()));
        Signature::new(params, Some(Type::result(Some(Type::Data), failure)))
    }

    /// How the source declares it, without its name: `(a: int, b: int = 2) -> int`.
    pub fn declaration(&self) -> String {
        let text = self.to_string();
        text.strip_prefix(self.name.as_str()).unwrap_or(&text).to_owned()
    }

    /// The function as an export of its script.
    pub fn export(&self, failure: Option<Type>) -> Export {
        let export = Export::new(ExportPath::top_level(&self.name), Ok(self.signature(failure)));
        Export { declared: Some(self.declaration()), ..export }
    }
}

impl ScriptParam {
    /// Its type for callers: what may be left out is an option.
    pub fn ty(&self) -> Type {
        match self.passing {
            Passing::Rest => Type::option(Type::list(Type::Data)),
            Passing::NamedRest => Type::option(Type::map(Type::String, Type::Data)),
            Passing::Positional | Passing::Either | Passing::Named if self.default.is_some() => {
                Type::option(Type::Data)
            }
            Passing::Positional | Passing::Either | Passing::Named => Type::Data,
        }
    }
}

impl From<&ScriptParam> for Param {
    fn from(param: &ScriptParam) -> Self {
        Self { name: param.name.as_str().into(), ty: param.ty() }
    }
}

impl ScriptManifest {
    /// The function with this name.
    pub fn function(&self, name: &str) -> Option<&ScriptFunction> {
        self.functions.iter().find(|function| function.name == name)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let Self { language, runtime, file, functions } = self;
        write::choice(out, &Language::ALL, language);
        out.extend(runtime.as_bytes());
        write::text(out, file);
        write::list(out, functions, write_function);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            language: reader.choice(&Language::ALL)?,
            runtime: Digest::from_bytes(reader.array()?),
            file: reader.string()?,
            functions: reader.list(read_function)?,
        })
    }
}

fn write_function(out: &mut Vec<u8>, function: &ScriptFunction) {
    let ScriptFunction { name, params, returns, doc, line } = function;
    write::text(out, name);
    write::list(out, params, |out, ScriptParam { name, passing, declared, default }| {
        write::text(out, name);
        write::choice(out, &Passing::ALL, passing);
        write::maybe(out, declared.as_deref(), write::text);
        write::maybe(out, default.as_deref(), write::text);
    });
    write::maybe(out, returns.as_deref(), write::text);
    write::maybe(out, doc.as_deref(), write::text);
    write::number(out, (*line).into());
}

fn read_function(reader: &mut Reader<'_>) -> Option<ScriptFunction> {
    Some(ScriptFunction {
        name: reader.string()?,
        params: reader.list(|reader| {
            Some(ScriptParam {
                name: reader.string()?,
                passing: reader.choice(&Passing::ALL)?,
                declared: reader.maybe(Reader::string)?,
                default: reader.maybe(Reader::string)?,
            })
        })?,
        returns: reader.maybe(Reader::string)?,
        doc: reader.maybe(Reader::string)?,
        line: reader.narrow()?,
    })
}

impl fmt::Display for ScriptFunction {
    /// As Python declares it: `add(a: int, /, b: int = 2, *, scale = 1) -> int`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        let is_positional = |param: &ScriptParam| param.passing == Passing::Positional;
        let mut named_follow = false;
        for (index, param) in self.params.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| self.params.get(before));
            let separator = if before.is_some() { ", " } else { "" };
            let slash = if before.is_some_and(is_positional) && !is_positional(param) { "/, " } else { "" };
            let star = if param.passing == Passing::Named && !named_follow { "*, " } else { "" };
            named_follow |= matches!(param.passing, Passing::Named | Passing::Rest);
            write!(f, "{separator}{slash}{star}{param}")?;
        }
        let slash = if self.params.last().is_some_and(is_positional) { ", /" } else { "" };
        write!(f, "{slash})")?;
        self.returns.as_ref().map_or(Ok(()), |returns| write!(f, " -> {returns}"))
    }
}

impl fmt::Display for ScriptParam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stars = match self.passing {
            Passing::Rest => "*",
            Passing::NamedRest => "**",
            Passing::Positional | Passing::Either | Passing::Named => "",
        };
        write!(f, "{stars}{}", self.name)?;
        self.declared.as_ref().map_or(Ok(()), |ty| write!(f, ": {ty}"))?;
        self.default.as_ref().map_or(Ok(()), |default| write!(f, " = {default}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ComponentDiff, DecodeRunError, Grants, Import, Manifest, VersionStep};

    fn param(name: &str, passing: Passing, default: Option<&str>) -> ScriptParam {
        let text = |text: &str| Some(text.to_owned());
        ScriptParam { name: name.to_owned(), passing, declared: text("int"), default: default.and_then(text) }
    }

    fn manifest(params: Vec<ScriptParam>) -> Manifest {
        let add = ScriptFunction {
            name: "add".to_owned(),
            params,
            returns: Some("int".to_owned()),
            doc: Some("Adds.".to_owned()),
            line: 3,
        };
        Manifest {
            digest: Digest::of(b"source"),
            size_bytes: 300,
            exports: vec![add.export(Some(Type::String))],
            imports: vec![Import::new("wasi:clocks/wall-clock@0.2.6")],
            script: Some(ScriptManifest {
                language: Language::Python,
                runtime: Digest::of(b"runtime"),
                file: "tasks.py".to_owned(),
                functions: vec![add],
            }),
        }
    }

    fn two() -> Manifest {
        manifest(vec![param("a", Passing::Either, None), param("b", Passing::Named, Some("2"))])
    }

    #[test]
    fn manifests_of_scripts_are_written_and_read_the_same() {
        let manifest = two();
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Ok(manifest.clone()));
        // Half a script is not a component.
        let component = Manifest { script: None, ..manifest.clone() }.encode();
        for length in component.len() + 1..bytes.len() {
            let read: Result<Manifest, DecodeRunError> = Manifest::decode(&bytes[..length]);
            assert!(read.is_err(), "{length}");
        }
        assert_eq!(manifest.exports[0].text(), "(a: int, *, b: int = 2) -> int");
        assert_eq!(manifest.task(None).unwrap().1.params[1].ty, Type::option(Type::Data));
    }

    #[test]
    fn scripts_differ_in_their_declarations() {
        let none = Grants::default();
        let (old, new) = (two(), manifest(vec![param("a", Passing::Either, None)]));
        let diff = ComponentDiff::between((&old, &none), (&new, &none));
        let expected = "- add: (a: int, *, b: int = 2) -> int\n+ add: (a: int) -> int\n";
        assert_eq!((diff.to_string().as_str(), diff.step()), (expected, VersionStep::Major));
        assert!(ComponentDiff::between((&old, &none), (&old, &none)).is_empty());
    }

    #[test]
    fn a_language_is_known_by_the_ending_of_a_file() {
        let of = |path: &str| Language::of(Path::new(path));
        assert_eq!([of("a/tasks.PY"), of("b.mjs")], [Some(Language::Python), Some(Language::JavaScript)]);
        assert_eq!([of("py"), of("a.wasm"), of("a.py/")], [None, None, Some(Language::Python)]);
        for language in Language::ALL {
            assert_eq!(Language::named(language.name()), Some(language));
        }
    }
}
