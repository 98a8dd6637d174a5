//! Tasks, as a server answers them.

use std::borrow::Cow;

use hostel::{Signature, Type};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::type_object::{NamedTypeObject, TypeObject};

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = TaskDetail)]
pub struct TaskDetailObject {
    /// Its key: `sha256:DIGEST#EXPORT`.
    pub task: String,
    /// The digest of the component.
    pub digest: String,
    /// The path of the export.
    pub export: String,
    /// Its signature in WIT.
    pub signature: String,
    /// What its source says about it; `null` if it says nothing, and for functions of components, which seldom have comments:
    /// those stand in their WIT.
    #[serde(default)]
    pub docs: Option<String>,
    /// Whether it is a program (`wasi:cli/run`).
    pub program: bool,
    /// Whether it is an async function.
    #[serde(rename = "async")]
    pub is_async: bool,
    /// Its parameters, in order, with their types as trees.
    pub params: Vec<NamedTypeObject>,
    /// The type of its result; `null` if it has none.
    pub result: Option<TypeObject>,
    /// The JSON Schema of its arguments as an object.
    #[schema(value_type = Value)]
    pub arguments_schema: Json,
    /// The JSON Schema of its result; `null` if it has none.
    #[schema(value_type = Value)]
    pub result_schema: Option<Json>,
    /// The capabilities that the imports of the component ask for.
    pub capabilities: Vec<Cow<'static, str>>,
    /// Why the host cannot run it, if it cannot.
    pub not_runnable_because: Option<String>,
}

impl TaskDetailObject {
    /// Its signature, by which arguments are read and results shown.
    pub fn signature(&self) -> Signature {
        let params = self.params.iter().map(|param| (param.name.as_str(), Type::from(&param.ty)));
        let signature = Signature::new(params, self.result.as_ref().map(Type::from));
        Signature { is_async: self.is_async, ..signature }
    }
}
