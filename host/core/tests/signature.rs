//! Binding arguments to parameters: by position, by name, from JSON and from text.

#[cfg(test)]
mod tests {
    use hostel_core::{ArgumentError, Arguments, IntoValue, Param, Signature, Type, Value, parse_json};
    use insta::assert_snapshot;

    /// Returns `(name: string, rate: f64, tags: list<string>, limit: option<u32>) -> u64`.
    fn signature() -> Signature {
        let params = [
            ("name", Type::String),
            ("rate", Type::F64),
            ("tags", Type::list(Type::String)),
            ("limit", Type::option(Type::U32)),
        ];
        Signature::new(params, Some(Type::U64))
    }

    /// Returns the values as WAVE text, with a comma between them.
    fn shown(bound: Result<Vec<Value>, ArgumentError>) -> String {
        bound.unwrap().iter().map(Value::to_wave).collect::<Vec<_>>().join(", ")
    }

    fn json(text: &str) -> Result<Vec<Value>, ArgumentError> {
        signature().bind_json(&parse_json(text).unwrap())
    }

    fn text(
        positional: &[&'static str],
        named: &[(&str, &'static str)],
    ) -> Result<Vec<Value>, ArgumentError> {
        let arguments = named
            .iter()
            .fold(Arguments::from(positional.to_vec()), |all, (name, text)| all.named(*name, *text));
        signature().bind_text(arguments)
    }

    #[test]
    fn a_signature_is_written_as_in_wit() {
        let check = |signature: Signature, expect: &str| assert_eq!(signature.to_string(), expect);
        check(signature(), "(name: string, rate: f64, tags: list<string>, limit: option<u32>) -> u64");
        check(Signature::new::<&str>([], None), "()");
        let add = Signature::new([("a", Type::S64), ("b", Type::S64)], Some(Type::S64));
        check(add.clone(), "(a: s64, b: s64) -> s64");
        check(Signature { is_async: true, ..add }, "async (a: s64, b: s64) -> s64");
    }

    #[test]
    fn arguments_are_bound_by_position_and_by_name() {
        let expect = r#""a", 1, ["x"], some(2)"#;
        let arguments = Arguments::new()
            .positional("a".into_value())
            .positional(1.into_value())
            .named("limit", 2.into_value())
            .named("tags", vec!["x"].into_value());
        assert_eq!(shown(signature().bind(arguments)), expect);
        assert_eq!(shown(json(r#"{"limit": 2, "tags": ["x"], "rate": 1, "name": "a"}"#)), expect);
        assert_eq!(shown(json(r#"["a", 1, ["x"], 2]"#)), expect);
        assert_eq!(shown(text(&["a", "1"], &[("limit", "2"), ("tags", r#"["x"]"#)])), expect);
    }

    #[test]
    fn an_option_may_be_left_out() {
        let expect = r#""a", 1, [], none"#;
        assert_eq!(shown(json(r#"{"tags": [], "rate": 1, "name": "a"}"#)), expect);
        assert_eq!(shown(json(r#"["a", 1, []]"#)), expect);
        assert_eq!(shown(text(&["a", "1", "[]"], &[])), expect);
        let pair = Signature::new([("a", Type::option(Type::U8)), ("b", Type::U8)], None);
        assert_eq!(shown(pair.bind(Arguments::new().named("b", Value::U8(1)))), "none, 1");
    }

    #[test]
    fn an_unquoted_text_is_taken_as_a_string() {
        let check = |ty: Type, text: &str, expect: &str| {
            let param = Param { name: "name".into(), ty };
            assert_eq!(param.parse(text).unwrap().to_wave(), expect, "{text}");
        };
        check(Type::String, "bob", r#""bob""#);
        check(Type::String, "two words, and more", r#""two words, and more""#);
        check(Type::String, "5", r#""5""#);
        check(Type::String, "", r#""""#);
        check(Type::String, r#" "quoted\n" "#, r#""quoted\n""#);
        check(Type::option(Type::String), "bob", r#"some("bob")"#);
        check(Type::option(Type::String), "none", "none");
        check(Type::option(Type::String), r#"some("none")"#, r#"some("none")"#);
        check(Type::option(Type::String), r#""none""#, r#"some("none")"#);
        let word = Param { name: "tags".into(), ty: Type::list(Type::String) };
        assert_snapshot!(word.parse("bob").unwrap_err(), @"expected list<string>, found word bob");
        let open = Param { name: "name".into(), ty: Type::String };
        assert_snapshot!(open.parse(r#""bob"#).unwrap_err(), @r#"line 1, column 1: expected a string with its closing " and no escapes but \\ \" \' \t \n \r \u{…}, found `"bob`"#);
    }

    #[test]
    fn a_float_may_begin_with_its_point() {
        let parse = |ty: Type, text| Param { name: "x".into(), ty }.parse(text).map(|value| value.to_wave());
        for (text, expect) in [(".5", "0.5"), ("-.5", "-0.5"), (" -.5e1 ", "-5"), ("-1e-3", "-0.001")] {
            assert_eq!(parse(Type::F64, text).unwrap(), expect, "{text}");
            assert_eq!(parse(Type::F32, text).unwrap(), expect, "{text}");
        }
        assert_eq!(parse(Type::option(Type::F64), ".5").unwrap(), "some(0.5)");
        assert!(parse(Type::U8, ".5").is_err());
        assert_eq!(parse(Type::String, ".5").unwrap(), "\".5\"");
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused() {
        let empty = Signature::new::<&str>([], None);
        let errors = [
            json("[1, 2, 3, 4, 5]"),
            json(r#"["a"]"#),
            json(r#"{"name": "a", "rate": 1}"#),
            json(r#"{"nam": "a"}"#),
            json(r#"{"colour": "red"}"#),
            json(r#"{"name": "a", "rate": "fast", "tags": []}"#),
            json(r#"["a", 1, ["x", 2]]"#),
            json(r#""a""#),
            text(&["a"], &[("name", "b")]),
            text(&["a", "x"], &[("tags", "[]")]),
            text(&["a", "1"], &[("tags", "[")]),
            empty.bind(Arguments::new().named("a", Value::U8(1))),
            empty.bind(vec![Value::U8(1)].into()),
        ];
        let errors = errors.map(|bound| bound.unwrap_err().to_string());
        assert_snapshot!(errors.join("\n"), @r#"
    expected at most 4 arguments, found 5
    missing arguments: rate, tags
    missing arguments: tags
    unknown argument "nam", did you mean "name"? (arguments: name, rate, tags, limit)
    unknown argument "colour" (arguments: name, rate, tags, limit)
    argument "rate": expected f64, found string "fast"
    argument "tags": element 1: expected string, found number 2
    expected an object or array of arguments, found "a"
    argument "name" is given twice
    argument "rate": expected f64, found word x
    argument "tags": line 1, column 2: expected a value or `]`, found end of text
    unknown argument "a" (there are no arguments)
    expected at most 0 arguments, found 1
    "#);
    }

    #[test]
    fn a_parameter_is_found_by_its_name() {
        assert_eq!(signature().param("rate").unwrap().ty, Type::F64);
        assert_snapshot!(signature().param("rat").unwrap_err(), @r#"unknown argument "rat", did you mean "rate"? (arguments: name, rate, tags, limit)"#);
    }
}
