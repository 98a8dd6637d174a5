//! Reads types from WIT notation, so that tables of tests are easy on the eye. Anything else panics.

use hostel_core::Type;

/// Returns the type that `text` writes, structurally, as `Type` displays it.
pub(crate) fn ty(text: &str) -> Type {
    let mut parser = Parser { rest: text };
    let ty = parser.ty();
    assert_eq!(parser.rest, "", "after the type in {text}");
    ty
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn ty(&mut self) -> Type {
        match self.word() {
            "bool" => Type::Bool,
            "s8" => Type::S8,
            "u8" => Type::U8,
            "s16" => Type::S16,
            "u16" => Type::U16,
            "s32" => Type::S32,
            "u32" => Type::U32,
            "s64" => Type::S64,
            "u64" => Type::U64,
            "f32" => Type::F32,
            "f64" => Type::F64,
            "char" => Type::Char,
            "string" => Type::String,
            "list" => self.list(),
            "map" => {
                self.expect("<");
                let key = self.ty();
                self.expect(",");
                let value = self.ty();
                self.expect(">");
                Type::map(key, value)
            }
            "record" => Type::record(self.body(|parser| {
                let name = parser.word();
                parser.expect(":");
                (name, parser.ty())
            })),
            "tuple" => Type::tuple(self.many("<", ">", Self::ty)),
            "variant" => Type::variant(self.body(|parser| (parser.word(), parser.payload()))),
            "enum" => Type::enumeration(self.body(Self::word)),
            "option" => {
                self.expect("<");
                let some = self.ty();
                self.expect(">");
                Type::option(some)
            }
            "result" => self.result(),
            "flags" => Type::flags(self.body(Self::word)),
            word => panic!("{word} is no type, before {}", self.rest),
        }
    }

    fn list(&mut self) -> Type {
        self.expect("<");
        let element = self.ty();
        let ty = match self.eat(",") {
            true => Type::fixed_list(element, self.word().parse().unwrap()),
            false => Type::list(element),
        };
        self.expect(">");
        ty
    }

    fn result(&mut self) -> Type {
        if !self.eat("<") {
            return Type::result(None, None);
        }
        let ok = if self.eat("_") { None } else { Some(self.ty()) };
        let err = self.eat(",").then(|| self.ty());
        self.expect(">");
        Type::result(ok, err)
    }

    fn payload(&mut self) -> Option<Type> {
        let payload = self.eat("(").then(|| self.ty())?;
        self.expect(")");
        Some(payload)
    }

    fn body<T>(&mut self, item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        self.many("{", "}", item)
    }

    fn many<T>(&mut self, open: &str, close: &str, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        self.expect(open);
        let mut items = Vec::new();
        while !self.eat(close) {
            items.push(item(self));
            self.eat(",");
        }
        items
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '-').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        word
    }

    fn eat(&mut self, token: &str) -> bool {
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.map_or(self.rest, str::trim_start);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) {
        assert!(self.eat(token), "{token} expected before {}", self.rest);
    }
}
