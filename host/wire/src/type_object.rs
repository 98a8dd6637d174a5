//! Types of values: as trees, from which forms are built, and as JSON Schema, for programs.

use hostel::{Case, Field, Param, Signature, Type};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use utoipa::ToSchema;

/// A type as a tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Type, no_recursion)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TypeObject {
    /// `bool`
    Bool,
    /// `s8`
    S8,
    /// `u8`
    U8,
    /// `s16`
    S16,
    /// `u16`
    U16,
    /// `s32`
    S32,
    /// `u32`
    U32,
    /// `s64`
    S64,
    /// `u64`
    U64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`
    Char,
    /// `string`
    String,
    /// JSON of any shape, for functions of scripts.
    Data,
    /// `list<T>`; `list<u8>` has the kind `bytes`.
    List {
        /// The type of an element.
        element: Box<TypeObject>,
    },
    /// `list<u8>`
    Bytes,
    /// `list<T, N>`
    FixedList {
        /// The type of an element.
        element: Box<TypeObject>,
        /// How many elements there are.
        length: u32,
    },
    /// `map<K, V>`
    Map {
        /// The type of a key.
        key: Box<TypeObject>,
        /// The type of a value.
        value: Box<TypeObject>,
    },
    /// `record { … }`
    Record {
        /// The fields, in order.
        fields: Vec<NamedTypeObject>,
    },
    /// `tuple<…>`
    Tuple {
        /// The types of the elements, in order.
        elements: Vec<TypeObject>,
    },
    /// `variant { … }`
    Variant {
        /// The cases, in order.
        cases: Vec<CaseObject>,
    },
    /// `enum { … }`
    Enum {
        /// The names of the cases.
        cases: Vec<String>,
    },
    /// `option<T>`
    Option {
        /// The type of a present value.
        some: Box<TypeObject>,
    },
    /// `result<T, E>`
    Result {
        /// The type of the payload of `ok`; `null` if it has none.
        ok: Option<Box<TypeObject>>,
        /// The type of the payload of `err`; `null` if it has none.
        err: Option<Box<TypeObject>>,
    },
    /// `flags { … }`
    Flags {
        /// The names of the flags.
        names: Vec<String>,
    },
}

/// A field of a record, or a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NamedType)]
#[non_exhaustive]
pub struct NamedTypeObject {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    #[schema(no_recursion)]
    pub ty: TypeObject,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Case)]
#[non_exhaustive]
pub struct CaseObject {
    /// Its name.
    pub name: String,
    /// The type of its payload; `null` if it has none.
    #[serde(rename = "type")]
    #[schema(no_recursion)]
    pub ty: Option<TypeObject>,
}

impl From<&Type> for TypeObject {
    fn from(ty: &Type) -> Self {
        let tree = |ty: &Type| Box::new(Self::from(ty));
        match ty {
            Type::Bool => Self::Bool,
            Type::S8 => Self::S8,
            Type::U8 => Self::U8,
            Type::S16 => Self::S16,
            Type::U16 => Self::U16,
            Type::S32 => Self::S32,
            Type::U32 => Self::U32,
            Type::S64 => Self::S64,
            Type::U64 => Self::U64,
            Type::F32 => Self::F32,
            Type::F64 => Self::F64,
            Type::Char => Self::Char,
            Type::String => Self::String,
            Type::List(element) if **element == Type::U8 => Self::Bytes,
            Type::List(element) => Self::List { element: tree(element) },
            Type::FixedList(element, length) => Self::FixedList { element: tree(element), length: *length },
            Type::Map(key, value) => Self::Map { key: tree(key), value: tree(value) },
            Type::Record(fields) => {
                Self::Record { fields: fields.iter().map(NamedTypeObject::from).collect() }
            }
            Type::Tuple(elements) => Self::Tuple { elements: elements.iter().map(Self::from).collect() },
            Type::Variant(cases) => Self::Variant { cases: cases.iter().map(CaseObject::from).collect() },
            Type::Enum(cases) => Self::Enum { cases: cases.iter().map(ToString::to_string).collect() },
            Type::Option(some) => Self::Option { some: tree(some) },
            Type::Result { ok, err } => {
                Self::Result { ok: ok.as_deref().map(tree), err: err.as_deref().map(tree) }
            }
            Type::Flags(names) => Self::Flags { names: names.iter().map(ToString::to_string).collect() },
            Type::Data => Self::Data,
        }
    }
}

impl From<&Field> for NamedTypeObject {
    fn from(field: &Field) -> Self {
        Self { name: field.name.to_string(), ty: TypeObject::from(&field.ty) }
    }
}

impl From<&Param> for NamedTypeObject {
    fn from(param: &Param) -> Self {
        Self { name: param.name.to_string(), ty: TypeObject::from(&param.ty) }
    }
}

impl From<&Case> for CaseObject {
    fn from(case: &Case) -> Self {
        Self { name: case.name.to_string(), ty: case.ty.as_ref().map(TypeObject::from) }
    }
}

/// The JSON Schema (draft 2020-12) of the arguments of a function, as an object by the names of its parameters.
pub fn arguments_schema(signature: &Signature) -> Json {
    let params: Vec<_> = signature.params.iter().map(|param| (&*param.name, &param.ty)).collect();
    let mut schema = object_schema(&params);
    if let Json::Object(members) = &mut schema {
        members.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    }
    schema
}

/// The JSON Schema of the JSON form of a type.
pub fn type_schema(ty: &Type) -> Json {
    match ty {
        Type::Bool => json!({ "type": "boolean" }),
        Type::S8 => integer(i8::MIN.into(), i8::MAX.into()),
        Type::U8 => integer(0, u8::MAX.into()),
        Type::S16 => integer(i16::MIN.into(), i16::MAX.into()),
        Type::U16 => integer(0, u16::MAX.into()),
        Type::S32 => integer(i32::MIN.into(), i32::MAX.into()),
        Type::U32 => integer(0, u32::MAX.into()),
        Type::S64 => large_integer(json!(i64::MIN), json!(i64::MAX)),
        Type::U64 => large_integer(json!(0), json!(u64::MAX)),
        Type::F32 | Type::F64 => {
            json!({ "anyOf": [{ "type": "number" }, { "enum": ["NaN", "Infinity", "-Infinity"] }] })
        }
        Type::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
        Type::String => json!({ "type": "string" }),
        Type::Data => json!({}),
        Type::List(element) if **element == Type::U8 => bytes_schema(),
        Type::List(element) => json!({ "type": "array", "items": type_schema(element) }),
        Type::FixedList(element, length) => {
            json!({ "type": "array", "items": type_schema(element), "minItems": length, "maxItems": length })
        }
        Type::Map(key, value) if **key == Type::String => {
            json!({ "type": "object", "additionalProperties": type_schema(value) })
        }
        Type::Map(key, value) => {
            let pair = tuple_schema([&**key, &**value]);
            json!({ "type": "array", "items": pair })
        }
        Type::Record(fields) => {
            let fields: Vec<_> = fields.iter().map(|field| (&*field.name, &field.ty)).collect();
            object_schema(&fields)
        }
        Type::Tuple(elements) => tuple_schema(elements.iter()),
        Type::Variant(cases) => {
            let cases: Vec<_> = cases.iter().map(|case| case_schema(&case.name, case.ty.as_ref())).collect();
            json!({ "oneOf": cases })
        }
        Type::Enum(names) => json!({ "enum": texts(names) }),
        Type::Option(some) if matches!(**some, Type::Option(_)) => {
            json!({ "anyOf": [{ "type": "null" }, member("some", type_schema(some))] })
        }
        Type::Option(some) => json!({ "anyOf": [{ "type": "null" }, type_schema(some)] }),
        Type::Result { ok, err } => {
            let payload = |ty: &Option<std::sync::Arc<Type>>| match ty {
                Some(ty) => type_schema(ty),
                None => json!({ "type": "null" }),
            };
            json!({ "oneOf": [member("ok", payload(ok)), member("err", payload(err))] })
        }
        Type::Flags(names) => {
            json!({ "type": "array", "items": { "enum": texts(names) }, "uniqueItems": true })
        }
    }
}

fn integer(least: i64, most: i64) -> Json {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

/// Integers of 64 bits may also be texts, because some parsers round large numbers.
#[expect(clippy::needless_pass_by_value, reason = "both become part of the schema")]
fn large_integer(least: Json, most: Json) -> Json {
    json!({ "anyOf": [
        { "type": "integer", "minimum": least, "maximum": most },
        { "type": "string", "pattern": "^-?[0-9]+$" },
    ] })
}

fn bytes_schema() -> Json {
    let base64 = json!({ "type": "string", "contentEncoding": "base64" });
    json!({ "anyOf": [
        { "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": 255 } },
        member("base64", base64),
    ] })
}

fn tuple_schema<'a>(elements: impl IntoIterator<Item = &'a Type>) -> Json {
    let elements: Vec<_> = elements.into_iter().map(type_schema).collect();
    let count = elements.len();
    json!({ "type": "array", "prefixItems": elements, "minItems": count, "maxItems": count })
}

fn object_schema(members: &[(&str, &Type)]) -> Json {
    let required = members.iter().filter(|(_, ty)| !matches!(ty, Type::Option(_))).map(|(name, _)| *name);
    let required: Vec<_> = required.collect();
    let properties: Map<_, _> =
        members.iter().map(|(name, ty)| ((*name).to_owned(), type_schema(ty))).collect();
    json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    })
}

fn case_schema(name: &str, payload: Option<&Type>) -> Json {
    match payload {
        Some(ty) => member(name, type_schema(ty)),
        None => json!({ "const": name }),
    }
}

/// An object with this member and no other.
fn member(name: &str, schema: Json) -> Json {
    let properties: Map<_, _> = [(name.to_owned(), schema)].into_iter().collect();
    json!({
        "type": "object", "properties": properties, "required": [name], "additionalProperties": false,
    })
}

fn texts(names: &[hostel::Name]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_a_tree() {
        let config = Type::record([
            ("rate", Type::F64),
            ("data", Type::list(Type::U8)),
            ("mode", Type::enumeration(["slow", "fast"])),
            ("next", Type::option(Type::tuple([Type::U64, Type::Bool]))),
        ]);
        let tree = serde_json::to_value(TypeObject::from(&config)).unwrap();
        let expected = json!({ "kind": "record", "fields": [
            { "name": "rate", "type": { "kind": "f64" } },
            { "name": "data", "type": { "kind": "bytes" } },
            { "name": "mode", "type": { "kind": "enum", "cases": ["slow", "fast"] } },
            { "name": "next", "type": { "kind": "option", "some": {
                "kind": "tuple", "elements": [{ "kind": "u64" }, { "kind": "bool" }],
            } } },
        ] });
        assert_eq!(tree, expected);
        let variant = Type::variant([("none", None), ("some", Some(Type::S8))]);
        let tree = serde_json::to_value(TypeObject::from(&Type::result(None, Some(variant)))).unwrap();
        let cases = json!([{ "name": "none", "type": null }, { "name": "some", "type": { "kind": "s8" } }]);
        assert_eq!(
            tree,
            json!({ "kind": "result", "ok": null, "err": { "kind": "variant", "cases": cases } })
        );
    }

    #[test]
    fn a_schema_says_what_is_read() {
        let signature = Signature::new(
            [("count", Type::S8), ("when", Type::option(Type::String)), ("id", Type::U64)],
            None,
        );
        let schema = arguments_schema(&signature);
        assert_eq!(schema["required"], json!(["count", "id"]));
        assert_eq!(
            schema["properties"]["count"],
            json!({ "type": "integer", "minimum": -128, "maximum": 127 })
        );
        assert_eq!(schema["properties"]["id"]["anyOf"][0]["maximum"], json!(u64::MAX));
        let nested = type_schema(&Type::option(Type::option(Type::Bool)));
        assert_eq!(nested["anyOf"][1]["required"], json!(["some"]));
        let map = type_schema(&Type::map(Type::U8, Type::Bool));
        assert_eq!(map["items"]["minItems"], json!(2));
    }
}
