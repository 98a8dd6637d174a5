//! Scripts: functions of source text, executed by a language runtime, which is a component.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hostel_core::{
    Digest, ErrorKind, Failure, FindError, LANGUAGE_INTERFACE, Language, Manifest, Outcome, Passing,
    ScriptFunction, ScriptManifest, ScriptPackage, ScriptPackageError, ScriptParam, Thrown, Type, Value,
};

use crate::args::Args;
use crate::component::Component;
use crate::error::SubmitError;
use crate::run::TaskFuture;
use crate::script_call::ScriptCall;
use crate::task::Task;

/// The longest time for reading a source: parsers of some languages are slow for odd texts.
const MAX_DESCRIBING: Duration = Duration::from_secs(60);

/// Source text, and the functions that it defines. Cheap to clone.
///
/// A runtime is a component that implements the WIT interface `hostel:runtime/language`: one for each language. Each run of a
/// function executes the source and then the function, in a fresh instance of the runtime. Arguments and results are
/// [data](Type::Data). The source and the runtime's digest are part of the cache key.
#[derive(Clone)]
pub struct Script(Arc<Inner>);

struct Inner {
    runtime: Component,
    call: Task,
    file: Arc<str>,
    source: Arc<str>,
    functions: Vec<ScriptFunction>,
}

/// Why a script, or one of its functions, has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScriptFailure {
    /// The source does not parse.
    Syntax {
        /// What is wrong.
        message: String,
        /// The line, from 1.
        line: u32,
        /// The character in it, from 1.
        column: u32,
        /// The text of the line.
        text: String,
    },
    /// The source has no such function, but these.
    NoFunction(Vec<String>),
    /// The arguments do not fit the function, or cannot be represented as data.
    Arguments(String),
    /// The function, or the source around it, has thrown.
    Thrown {
        /// The class of the exception, such as `ValueError`.
        class: String,
        /// Its message.
        message: String,
        /// As the language prints it, with lines of the source.
        traceback: String,
    },
    /// The result has a part that cannot be represented as data: the path to it, and its type.
    NoData(String),
}

/// A script was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// The component is no language runtime.
    #[error("the component is no language runtime: it does not export {LANGUAGE_INTERFACE}")]
    NoRuntime,
    /// The source does not parse.
    #[error("{0}")]
    Source(ScriptFailure),
    /// The runtime did not describe the source.
    #[error("the language runtime cannot read the source: {0}")]
    Runtime(String),
    /// The run that describes the source was not submitted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The source cannot be stored.
    #[error(transparent)]
    Package(#[from] ScriptPackageError),
}

impl ScriptError {
    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRuntime | Self::Source(_) | Self::Runtime(_) => ErrorKind::Invalid,
            Self::Submit(error) => error.kind(),
            Self::Package(error) => error.kind(),
        }
    }
}

impl Script {
    /// Reads the functions of a source. Nothing of it is executed. `file` is the name by which tracebacks call it.
    ///
    /// The runtime is asked in a run of its own, which may take a minute, and whose result is cached like others.
    ///
    /// # Errors
    ///
    /// [`ScriptError`].
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time.
    pub async fn read(
        runtime: &Component,
        file: impl Into<Arc<str>>,
        source: impl Into<Arc<str>>,
    ) -> Result<Self, ScriptError> {
        let (describe, call) = (of_runtime(runtime, "describe")?, of_runtime(runtime, "call")?);
        let describe = describe.timeout(MAX_DESCRIBING);
        let (file, source) = (file.into(), source.into());
        let args = Args::new().positional(&*file).positional(&*source);
        let run = describe.submit_async(args).await?;
        let outcome = run.outcome().await;
        if let Outcome::Failed(failure) = &*outcome
            && let Some(failure) = ScriptFailure::of(failure)
        {
            return Err(ScriptError::Source(failure));
        }
        let Outcome::Completed(Value::List(functions)) = &*outcome else {
            return Err(ScriptError::Runtime(outcome.to_string()));
        };
        let functions = functions.iter().map(function).collect::<Option<_>>();
        let functions =
            functions.ok_or_else(|| ScriptError::Runtime("its description has another form".to_owned()))?;
        Ok(Self(Arc::new(Inner { runtime: runtime.clone(), call, file, source, functions })))
    }

    /// A script of the registry. Its manifest has its functions, so the runtime is not asked.
    ///
    /// # Errors
    ///
    /// [`ScriptError::NoRuntime`].
    pub fn stored(
        runtime: &Component,
        package: &ScriptPackage,
        manifest: &ScriptManifest,
    ) -> Result<Self, ScriptError> {
        let call = of_runtime(runtime, "call")?;
        let (file, source) = (Arc::clone(package.file()), Arc::clone(package.source()));
        let functions = manifest.functions.clone();
        Ok(Self(Arc::new(Inner { runtime: runtime.clone(), call, file, source, functions })))
    }

    /// Its bytes and its manifest, to [register](crate::registry::Registry::push) it. Their digest stands for the source and for the
    /// runtime with which it was read. The registry must have that runtime.
    ///
    /// # Errors
    ///
    /// [`ScriptError::Package`] if the name of its file cannot be stored, or the source is too long.
    pub fn package(&self, language: Language) -> Result<(Vec<u8>, Manifest), ScriptError> {
        let Inner { runtime, call, file, source, functions } = &*self.0;
        let package = ScriptPackage::new(language, runtime.digest(), Arc::clone(file), Arc::clone(source))?;
        let bytes = package.encode();
        let failure = failure_type(call);
        let manifest = Manifest {
            digest: Digest::of(&bytes),
            size_bytes: bytes.len() as u64,
            exports: functions.iter().map(|function| function.export(failure.clone())).collect(),
            imports: runtime.imports().to_vec(),
            script: Some(ScriptManifest {
                language,
                runtime: runtime.digest(),
                file: file.to_string(),
                functions: functions.clone(),
            }),
        };
        Ok((bytes, manifest))
    }

    /// The runtime that executes it.
    pub fn runtime(&self) -> &Component {
        &self.0.runtime
    }

    /// Its functions, in the order of their definitions.
    pub fn functions(&self) -> &[ScriptFunction] {
        &self.0.functions
    }

    /// The task of a function, by its name.
    ///
    /// # Errors
    ///
    /// [`FindError::NotFound`] with all names.
    pub fn task(&self, name: &str) -> Result<Task, FindError> {
        let found = self.functions().iter().find(|function| function.name == name);
        let function =
            found.ok_or_else(|| FindError::NotFound { name: name.to_owned(), candidates: self.names() })?;
        Ok(self.task_of(function))
    }

    /// The task of a script with only one function.
    ///
    /// # Errors
    ///
    /// [`FindError::Unnamed`] if there is not exactly one.
    pub fn only_task(&self) -> Result<Task, FindError> {
        match self.functions() {
            [only] => Ok(self.task_of(only)),
            _ => Err(FindError::Unnamed { candidates: self.names() }),
        }
    }

    fn names(&self) -> Vec<String> {
        self.functions().iter().map(|function| function.name.clone()).collect()
    }

    fn task_of(&self, function: &ScriptFunction) -> Task {
        let Inner { call, file, source, .. } = &*self.0;
        let script = ScriptCall::new(file, source, function, failure_type(call));
        call.clone().calling(script)
    }
}

/// The type of a runtime's failures.
fn failure_type(call: &Task) -> Option<Type> {
    match &call.signature().result {
        Some(Type::Result { err, .. }) => err.as_deref().cloned(),
        Some(_) | None => None,
    }
}

/// A function of a runtime.
fn of_runtime(runtime: &Component, name: &str) -> Result<Task, ScriptError> {
    runtime.task(&format!("{LANGUAGE_INTERFACE}.{name}")).map_err(|_| ScriptError::NoRuntime)
}

impl Task {
    /// The name of its function, without the interface.
    pub fn function_name(&self) -> &str {
        self.script().map_or_else(|| self.key().export.function(), |script| &script.function)
    }

    /// Whether both are the same function of the same component, or of scripts with the same runtime.
    pub fn is_same_function(&self, other: &Self) -> bool {
        let name = |task: &Self| task.script().map(|script| Arc::clone(&script.function));
        self.key() == other.key() && name(self) == name(other)
    }

    /// Whether the task is a function of a [`Script`].
    pub fn is_script(&self) -> bool {
        self.script().is_some()
    }
}

impl TaskFuture {
    /// Why the function of a script has no result; `None` for other tasks, other failures, and a run that has not ended.
    pub fn script_failure(&self) -> Option<ScriptFailure> {
        let outcome = self.try_outcome().filter(|_| self.task().is_script())?;
        let Outcome::Failed(failure) = &*outcome else { return None };
        ScriptFailure::of(failure)
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("file", &self.0.file)
            .field("functions", &self.0.functions)
            .finish_non_exhaustive()
    }
}

impl ScriptFailure {
    /// The failure of a script, in the failure of its run; `None` if it is another one, such as a trap or a timeout.
    pub fn of(failure: &Failure) -> Option<Self> {
        let Failure::Error(error) = failure else { return None };
        if let Some(Thrown { class, message, traceback }) = Thrown::of(error) {
            let [class, message, traceback] = [class, message, traceback].map(str::to_owned);
            return Some(Self::Thrown { class, message, traceback });
        }
        let Value::Variant(case, Some(payload)) = error else { return None };
        let text = || Some(string(payload)?.to_owned());
        Some(match &**case {
            "syntax" => Self::Syntax {
                message: string(field(payload, "message")?)?.to_owned(),
                line: number(field(payload, "line")?)?,
                column: number(field(payload, "column")?)?,
                text: string(field(payload, "text")?)?.to_owned(),
            },
            "no-function" => {
                let Value::List(names) = &**payload else { return None };
                Self::NoFunction(names.iter().filter_map(string).map(str::to_owned).collect())
            }
            "arguments" => Self::Arguments(text()?),
            "no-data" => Self::NoData(text()?),
            _ => return None,
        })
    }
}

impl fmt::Display for ScriptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { message, line, column, .. } => {
                write!(f, "line {line}, column {column}: {message}")
            }
            Self::NoFunction(names) => {
                write!(f, "the source has no such function: expected one of {}", names.join(", "))
            }
            Self::Arguments(problem) => f.write_str(problem),
            Self::Thrown { class, message, traceback } => Thrown { class, message, traceback }.fmt(f),
            Self::NoData(problem) => f.write_str(problem),
        }
    }
}

fn function(value: &Value) -> Option<ScriptFunction> {
    let Value::List(params) = field(value, "parameters")? else { return None };
    Some(ScriptFunction {
        name: string(field(value, "name")?)?.to_owned(),
        params: params.iter().map(param).collect::<Option<_>>()?,
        returns: optional(field(value, "returns")?),
        doc: optional(field(value, "doc")?),
        line: number(field(value, "line")?)?,
    })
}

fn param(value: &Value) -> Option<ScriptParam> {
    let Value::Enum(passing) = field(value, "passing")? else { return None };
    Some(ScriptParam {
        name: string(field(value, "name")?)?.to_owned(),
        passing: match &**passing {
            "positional" => Passing::Positional,
            "either" => Passing::Either,
            "named" => Passing::Named,
            "rest" => Passing::Rest,
            "named-rest" => Passing::NamedRest,
            _ => return None,
        },
        declared: optional(field(value, "declared")?),
        default: optional(field(value, "default")?),
    })
}

fn field<'v>(record: &'v Value, name: &str) -> Option<&'v Value> {
    let Value::Record(fields) = record else { return None };
    fields.iter().find(|(field, _)| **field == *name).map(|(_, value)| value)
}

fn string(value: &Value) -> Option<&str> {
    if let Value::String(text) = value { Some(text) } else { None }
}

fn optional(value: &Value) -> Option<String> {
    if let Value::Option(Some(text)) = value { string(text).map(str::to_owned) } else { None }
}

fn number(value: &Value) -> Option<u32> {
    if let Value::U32(number) = value { Some(*number) } else { None }
}
