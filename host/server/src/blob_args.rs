//! Uploaded values as arguments: `{"blob": "sha256:HEX"}` where a `list<u8>` or a `string` is expected.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hostel::{Digest, Param, Type, bytes_text};
use serde_json::Value as Json;

use crate::extract::{parsed, wrong};
use crate::problem::{Answer, ApiProblem};
use crate::uploaded::{Uploaded, UploadedError};

/// The member of an object that names a value.
const MEMBER: &str = "blob";

/// What a byte counts where a `list<u8>` is expected, as for the limit on inputs: the engine has a list as one value for each element.
const OF_LIST: u64 = 32;

/// What a byte counts where a text is expected.
const OF_TEXT: u64 = 1;

/// Whether arguments may name uploaded values. Those that do not are not looked at any further.
pub(crate) fn may_name_blobs(args: &Json) -> bool {
    match args {
        Json::Object(members) => members.contains_key(MEMBER) || members.values().any(may_name_blobs),
        Json::Array(items) => items.iter().any(may_name_blobs),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

/// Replaces names of uploaded values in arguments by the values.
#[derive(Debug)]
pub(crate) struct BlobArgs<'a> {
    uploaded: &'a Uploaded,
    /// How much all values together may count.
    left: u64,
    most: u64,
}

impl<'a> BlobArgs<'a> {
    /// With values that count so much at most.
    pub(crate) const fn new(uploaded: &'a Uploaded, most: u64) -> Self {
        Self { uploaded, left: most, most }
    }

    /// Replaces them in the arguments for these parameters. What else may be wrong with the arguments is left to others. Blocks.
    pub(crate) fn replace(&mut self, args: &mut Json, params: &[Param]) -> Answer<()> {
        match args {
            Json::Object(members) => {
                params.iter().try_for_each(|param| match members.get_mut(&*param.name) {
                    Some(argument) => self.value(argument, &param.ty, &param.name),
                    None => Ok(()),
                })
            }
            Json::Array(items) => {
                let mut pairs = items.iter_mut().zip(params);
                pairs.try_for_each(|(argument, param)| self.value(argument, &param.ty, &param.name))
            }
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => Ok(()),
        }
    }

    fn value(&mut self, json: &mut Json, ty: &Type, name: &str) -> Answer<()> {
        match (ty, json) {
            (Type::List(item), json) if **item == Type::U8 && is_blob(json) => {
                let bytes = self.read(json, name, OF_LIST)?;
                *json = serde_json::json!({ "base64": BASE64.encode(bytes) });
                Ok(())
            }
            (Type::String, json) if is_blob(json) => {
                let text = String::from_utf8(self.read(json, name, OF_TEXT)?);
                *json =
                    text.map_err(|_| wrong(name, "the uploaded value is not UTF-8: expected a text"))?.into();
                Ok(())
            }
            (Type::List(item) | Type::FixedList(item, _), Json::Array(items)) => {
                items.iter_mut().try_for_each(|json| self.value(json, item, name))
            }
            (Type::Tuple(types), Json::Array(items)) => {
                items.iter_mut().zip(&**types).try_for_each(|(json, ty)| self.value(json, ty, name))
            }
            (Type::Map(_, of), Json::Object(entries)) => {
                entries.values_mut().try_for_each(|json| self.value(json, of, name))
            }
            (Type::Record(fields), Json::Object(members)) => {
                fields.iter().try_for_each(|field| match members.get_mut(&*field.name) {
                    Some(json) => self.value(json, &field.ty, name),
                    None => Ok(()),
                })
            }
            (Type::Variant(cases), Json::Object(members)) => {
                cases.iter().try_for_each(|case| match (members.get_mut(&*case.name), &case.ty) {
                    (Some(json), Some(ty)) => self.value(json, ty, name),
                    (Some(_) | None, _) => Ok(()),
                })
            }
            (Type::Result { ok, err }, Json::Object(members)) => [("ok", ok), ("err", err)]
                .into_iter()
                .try_for_each(|(side, ty)| match (members.get_mut(side), ty) {
                    (Some(json), Some(ty)) => self.value(json, ty, name),
                    (Some(_) | None, _) => Ok(()),
                }),
            (Type::Option(some), json) => {
                // A value that may itself be `null` is in an object with this member.
                let inner = if matches!(**some, Type::Option(_)) { json.get_mut("some") } else { Some(json) };
                inner.map_or(Ok(()), |json| self.value(json, some, name))
            }
            _ => Ok(()),
        }
    }

    fn read(&mut self, json: &Json, name: &str, cost: u64) -> Answer<Vec<u8>> {
        let text = json.get(MEMBER).and_then(Json::as_str).unwrap_or_default();
        let digest: Digest = parsed(name, text)?;
        let bytes = self.uploaded.read(digest, self.left / cost).map_err(|error| match error {
            UploadedError::Unknown { .. } => {
                wrong(name, error).hint(format!("upload it first, with PUT /api/v1/blobs/{digest}"))
            }
            error @ (UploadedError::Io { .. }
            | UploadedError::Full { .. }
            | UploadedError::Damaged { .. }) => ApiProblem::from(error).within(name),
        })?;
        let bytes = bytes.ok_or_else(|| {
            let (here, most) = (bytes_text(self.left / cost), bytes_text(self.most));
            let problem = format!(
                "the uploaded value is too long: expected at most {here}, since each byte counts {cost} of the {most} for all arguments"
            );
            wrong(name, problem)
        })?;
        self.left = self.left.saturating_sub(cost.saturating_mul(bytes.len() as u64));
        Ok(bytes)
    }
}

/// Whether it is an object that has only the name of a value.
fn is_blob(json: &Json) -> bool {
    let Json::Object(members) = json else { return false };
    members.len() == 1 && members.get(MEMBER).is_some_and(Json::is_string)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn uploaded(dir: &std::path::Path, bytes: &[u8]) -> (Uploaded, String) {
        let uploaded = Uploaded::of(dir);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        let digest = Digest::of(bytes);
        uploaded.store(digest, bytes.len() as u64, &mut file).unwrap();
        (uploaded, digest.to_string())
    }

    fn replaced(bytes: &[u8], most: u64, ty: &str, args: impl Fn(&Json) -> Json) -> Result<Json, String> {
        let dir = tempfile::tempdir().unwrap();
        let (uploaded, digest) = uploaded(dir.path(), bytes);
        let mut args = args(&json!({ "blob": digest }));
        let params = [Param { name: "a".into(), ty: of(ty) }];
        let replaced = BlobArgs::new(&uploaded, most).replace(&mut args, &params);
        replaced.map(|()| args).map_err(|problem| problem.detail().to_owned())
    }

    fn of(ty: &str) -> Type {
        match ty.split_once(' ') {
            Some(("list", rest)) => Type::List(Arc::new(of(rest))),
            Some(("option", rest)) => Type::Option(Arc::new(of(rest))),
            Some(("tuple", rest)) => Type::Tuple([of(rest), of(rest)].into_iter().collect()),
            Some(("ok", rest)) => Type::Result { ok: Some(Arc::new(of(rest))), err: None },
            Some(("map", rest)) => Type::Map(Arc::new(Type::String), Arc::new(of(rest))),
            _ if ty == "u8" => Type::U8,
            _ => Type::String,
        }
    }

    #[test]
    fn a_value_is_where_bytes_or_a_text_are_expected() {
        let bytes = json!({ "base64": "aGk=" });
        let check = |ty: &str, args: &dyn Fn(&Json) -> Json, expected: Json| {
            assert_eq!(replaced(b"hi", 99, ty, args), Ok(expected), "{ty}");
        };
        check("list u8", &|blob| json!({ "a": blob }), json!({ "a": bytes }));
        check("list u8", &|blob| json!([blob]), json!([bytes]));
        check("string", &|blob| json!([blob]), json!(["hi"]));
        check("list string", &|blob| json!([["x", blob]]), json!([["x", "hi"]]));
        check("tuple list u8", &|blob| json!([[[1], blob]]), json!([[[1], bytes]]));
        check("option string", &|blob| json!([blob]), json!(["hi"]));
        check("option option string", &|blob| json!([{ "some": blob }]), json!([{ "some": "hi" }]));
        check("ok string", &|blob| json!([{ "ok": blob }]), json!([{ "ok": "hi" }]));
        check("map string", &|blob| json!([{ "k": blob }]), json!([{ "k": "hi" }]));
        // What does not fit is left to the check of the arguments.
        check("list u8", &|_| json!([{ "blob": 7 }]), json!([{ "blob": 7 }]));
        check("list u8", &|_| json!({ "b": 1 }), json!({ "b": 1 }));
        check("string", &|_| json!(7), json!(7));
    }

    #[test]
    fn what_cannot_be_a_value_is_refused() {
        let error = |bytes: &[u8], most, ty, args: &dyn Fn(&Json) -> Json| {
            replaced(bytes, most, ty, args).unwrap_err()
        };
        let unknown = Digest::of(b"other").to_string();
        let problem = error(b"hi", 99, "string", &|_| json!([{ "blob": unknown }]));
        assert!(problem.starts_with("a: there is no uploaded value sha256:"), "{problem}");
        assert!(error(b"hi", 99, "string", &|_| json!([{ "blob": "x" }])).starts_with("a: "));
        assert_eq!(
            error(b"\xff", 99, "string", &|blob| json!([blob])),
            "a: the uploaded value is not UTF-8: expected a text"
        );
        assert!(
            error(b"hi", 1, "list u8", &|blob| json!([blob]))
                .contains("expected at most 0 bytes, since each byte counts 32")
        );
        // All of them count together.
        let problem = error(b"hi", 3, "list string", &|blob| json!([[blob, blob]]));
        assert!(problem.contains("too long"), "{problem}");
    }

    #[test]
    fn most_arguments_name_no_values() {
        assert!(may_name_blobs(&json!([[{ "a": { "blob": 1 } }]])));
        assert!(!may_name_blobs(&json!({ "a": ["blob", 1, null] })));
    }
}
