//! Scripts: functions of source text, executed by a language runtime, which is a component.

use std::fmt;
use std::sync::Arc;

use hostel_core::{ErrorKind, Failure, FindError, Outcome, Param, Signature, Thrown, Type, Value};

use crate::args::Args;
use crate::component::Component;
use crate::error::SubmitError;
use crate::run::TaskFuture;
use crate::script_call::{INTERFACE, Passing, ScriptCall};
use crate::task::Task;

/// Source text, and the functions that it defines. Cheap to clone.
///
/// A runtime is a component that implements the WIT interface `hostel:runtime/language`: one for each language. Each run of a
/// function executes the source and then the function, in a fresh instance of the runtime. Arguments and results are
/// [data](Type::Data). The source and the runtime's digest are part of the cache key.
#[derive(Clone)]
pub struct Script(Arc<Inner>);

struct Inner {
    call: Task,
    file: Arc<str>,
    source: Arc<str>,
    functions: Vec<ScriptFunction>,
}

/// A function that a script defines.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
#[non_exhaustive]
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
    #[error("the component is no language runtime: it does not export {INTERFACE}")]
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
}

impl ScriptError {
    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRuntime | Self::Source(_) => ErrorKind::Invalid,
            Self::Runtime(_) => ErrorKind::Internal,
            Self::Submit(error) => error.kind(),
        }
    }
}

impl Script {
    /// Reads the functions of a source. Nothing of it is executed. `file` is the name by which tracebacks call it.
    ///
    /// The runtime is asked in a run of its own, whose result is cached like others.
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
        let task =
            |name: &str| runtime.task(&format!("{INTERFACE}.{name}")).map_err(|_| ScriptError::NoRuntime);
        let (describe, call) = (task("describe")?, task("call")?);
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
        Ok(Self(Arc::new(Inner { call, file, source, functions })))
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
        let err = match &self.0.call.signature().result {
            Some(Type::Result { err, .. }) => err.as_deref().cloned(),
            _ => None,
        };
        let params =
            function.params.iter().map(|param| Param { name: param.name.as_str().into(), ty: param.ty() });
        let signature = Signature {
            params: params.collect(),
            result: Some(Type::result(Some(Type::Data), err)),
            is_async: false,
        };
        let call = ScriptCall {
            file: Arc::clone(&self.0.file),
            source: Arc::clone(&self.0.source),
            function: function.name.as_str().into(),
            signature,
            passing: function.params.iter().map(|param| param.passing).collect(),
        };
        self.0.call.clone().calling(call)
    }
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

impl ScriptParam {
    /// Its type for callers: what may be left out is an option.
    fn ty(&self) -> Type {
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
