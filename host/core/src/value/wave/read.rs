//! WAVE as a form.

use std::{borrow::Cow, str::FromStr};

use wasm_wave::{
    ast::{Node, NodeType},
    lex::Keyword,
};

use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::syntax::syntax_error;
use crate::value::{
    Type, ValueError, excerpt,
    form::{Form, Miss, Outcome},
    whole::whole_number,
};

/// A parsed piece of WAVE text.
#[derive(Clone, Copy)]
pub(super) struct Wave<'a> {
    node: &'a Node,
    /// The whole text.
    text: &'a str,
}

impl<'a> Wave<'a> {
    /// Returns the piece of `text` that `node` was parsed from.
    pub(super) fn new(node: &'a Node, text: &'a str) -> Self {
        Self { node, text }
    }

    /// Returns the text of just this piece.
    fn piece(self) -> &'a str {
        self.text.get(self.node.span()).unwrap_or_default()
    }

    fn at(self, node: &'a Node) -> Self {
        Self { node, ..self }
    }

    fn number<N: FromStr>(self) -> Result<N, Miss> {
        if self.node.ty() != NodeType::Number {
            return Err(Miss::Kind);
        }
        self.piece().parse().map_err(|_| Miss::Range)
    }

    /// Returns whether this is a literal infinity, and not a number that is too large.
    fn is_infinity(self) -> bool {
        self.piece().ends_with("inf")
    }

    /// Returns the word of a case or keyword and its payload.
    fn word(self) -> Option<(&'a str, Option<&'a Node>)> {
        let keyword = || Some((self.piece(), None)).filter(|(piece, _)| Keyword::decode(piece).is_some());
        let some = || Some(("some", Some(self.node.as_option().ok()??)));
        let result = || match self.node.as_result().ok()? {
            Ok(payload) => Some(("ok", payload)),
            Err(payload) => Some(("err", payload)),
        };
        let case = self.node.as_variant(self.text).ok();
        case.or_else(keyword).or_else(some).or_else(result)
    }

    fn is_empty_flags(self) -> bool {
        let flags = self.node.as_flags(self.text);
        flags.is_ok_and(|mut names| names.next().is_none())
    }

    fn kind(self) -> &'static str {
        match self.node.ty() {
            NodeType::BoolTrue | NodeType::BoolFalse => "bool",
            NodeType::Number => "number",
            NodeType::Char => "char",
            NodeType::String | NodeType::MultilineString => "string",
            NodeType::Tuple => "tuple",
            NodeType::List => "list",
            NodeType::Record => "record",
            NodeType::Label => "word",
            NodeType::VariantWithPayload => "case",
            NodeType::OptionSome | NodeType::OptionNone => "option",
            NodeType::ResultOk | NodeType::ResultErr => "result",
            NodeType::Flags => "flags",
        }
    }
}

impl<'a> Form for Wave<'a> {
    type Label = &'a str;

    fn found(&self) -> String {
        excerpt(format_args!("{} {}", self.kind(), self.piece()))
    }

    fn is_nothing(&self) -> bool {
        false
    }

    fn boolean(&self) -> Option<bool> {
        self.node.as_bool().ok()
    }

    fn integer(&self, _: &Type) -> Result<i128, Miss> {
        self.number().or_else(|miss| match miss {
            Miss::Kind => Err(miss),
            Miss::Range => whole_number(self.piece()).ok_or(miss),
        })
    }

    fn float32(&self) -> Result<f32, Miss> {
        let number: f32 = self.number()?;
        if number.is_infinite() && !self.is_infinity() { Err(Miss::Range) } else { Ok(number) }
    }

    fn float64(&self) -> Result<f64, Miss> {
        let number: f64 = self.number()?;
        if number.is_infinite() && !self.is_infinity() { Err(Miss::Range) } else { Ok(number) }
    }

    fn character(&self) -> Option<char> {
        self.node.as_char(self.text).ok()
    }

    fn string(self, ty: &Type) -> Result<String, ValueError> {
        if !matches!(self.node.ty(), NodeType::String | NodeType::MultilineString) {
            return Err(self.mismatch(ty));
        }
        let text = self.node.as_str(self.text);
        text.map(Cow::into_owned).map_err(|error| syntax_error(self.text, &error))
    }

    fn data(self, ty: &Type) -> Result<String, ValueError> {
        let json = serde_json::from_str::<&RawValue>(self.piece());
        let text = || self.node.as_str(self.text).ok().map(|text| Json::from(text).to_string());
        json.ok().map(|json| json.get().to_owned()).or_else(text).ok_or_else(|| self.mismatch(ty))
    }

    fn list(self, ty: &Type) -> Result<impl ExactSizeIterator<Item = Self>, ValueError> {
        let nodes = self.node.as_list().map_err(|_| self.mismatch(ty))?;
        Ok(nodes.map(move |node| self.at(node)))
    }

    fn tuple(self, ty: &Type) -> Result<impl ExactSizeIterator<Item = Self>, ValueError> {
        let nodes = self.node.as_tuple().map_err(|_| self.mismatch(ty))?;
        Ok(nodes.map(move |node| self.at(node)))
    }

    fn fields(self, ty: &Type) -> Result<impl Iterator<Item = (&'a str, Self)>, ValueError> {
        let fields = if self.is_empty_flags() {
            None
        } else {
            Some(self.node.as_record(self.text).map_err(|_| self.mismatch(ty))?)
        };
        let fields = fields.into_iter().flatten();
        Ok(fields.map(move |(name, node)| (name, self.at(node))))
    }

    fn case(self, ty: &Type) -> Result<(&'a str, Option<Self>), ValueError> {
        let (word, payload) = self.word().ok_or_else(|| self.mismatch(ty))?;
        Ok((word, payload.map(|node| self.at(node))))
    }

    fn option(self, ty: &Type, some: &Type) -> Result<Option<Self>, ValueError> {
        match self.node.as_option() {
            Ok(payload) => Ok(payload.map(|node| self.at(node))),
            Err(_) if may_stand_bare(some) => Ok(Some(self)),
            Err(_) => Err(self.mismatch(ty)),
        }
    }

    fn result(self, ty: &Type, ok: Option<&Type>) -> Result<Outcome<Self>, ValueError> {
        match self.node.as_result() {
            Ok(Ok(payload)) => Ok(Ok(payload.map(|node| self.at(node)))),
            Ok(Err(payload)) => Ok(Err(payload.map(|node| self.at(node)))),
            Err(_) if ok.is_some_and(may_stand_bare) => Ok(Ok(Some(self))),
            Err(_) => Err(self.mismatch(ty)),
        }
    }

    fn flags(self, ty: &Type) -> Result<impl Iterator<Item = &'a str>, ValueError> {
        let names = self.node.as_flags(self.text).map_err(|_| self.mismatch(ty))?;
        Ok(names.map(|name| name.strip_prefix('%').unwrap_or(name)))
    }
}

/// Returns whether a payload of this type may be written without `some(…)` or `ok(…)` around it.
fn may_stand_bare(payload: &Type) -> bool {
    !matches!(payload, Type::Option(_) | Type::Result { .. })
}
