//! Rust code as a flat list of tokens: comments are gone, strings are one token, and tests can be told from the rest.

use proc_macro2::{Delimiter, LexError, Spacing, TokenStream, TokenTree};

/// A word, a sign, a literal or a bracket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// As it is written; `::` is one token.
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// A path that code names: `std::env::var`, also if it is written `use std::env::{self, var}`. The call of a macro
/// ends in `!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) parts: Vec<String>,
    pub(crate) line: usize,
}

impl Path {
    /// Whether `wanted`, such as `env::var`, is a part of it.
    pub(crate) fn names(&self, wanted: &str) -> bool {
        let wanted: Vec<&str> = wanted.split("::").collect();
        self.parts.windows(wanted.len()).any(|parts| parts == wanted)
    }
}

/// The tokens of a file.
pub(crate) fn of(text: &str) -> Result<Vec<Token>, LexError> {
    let mut tokens = Vec::new();
    flatten(text.parse()?, &mut tokens);
    Ok(tokens)
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut half_a_colon = false;
    for tree in stream {
        let line = tree.span().start().line;
        let mut push = |text: String, line| tokens.push(Token { text, line });
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => continue,
                };
                push(open.to_owned(), line);
                flatten(group.stream(), tokens);
                let line = group.span_close().start().line;
                tokens.push(Token { text: close.to_owned(), line });
            }
            TokenTree::Punct(sign) if sign.as_char() == ':' && half_a_colon => push("::".to_owned(), line),
            TokenTree::Punct(sign) if sign.as_char() == ':' && sign.spacing() == Spacing::Joint => {
                half_a_colon = true;
                continue;
            }
            TokenTree::Punct(sign) => push(sign.as_char().to_string(), line),
            TokenTree::Ident(_) | TokenTree::Literal(_) => push(tree.to_string(), line),
        }
        half_a_colon = false;
    }
}

/// Parts the items under `#[cfg(test)]` from the rest.
pub(crate) fn split_tests(tokens: &[Token]) -> (Vec<Token>, Vec<&[Token]>) {
    const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut code, mut tests) = (Vec::new(), Vec::new());
    let mut rest = tokens;
    while let Some(first) = rest.first() {
        if is(rest, &CFG_TEST) {
            let (item, others) = rest.split_at(CFG_TEST.len() + item_length(&rest[CFG_TEST.len()..]));
            tests.push(item);
            rest = others;
        } else {
            code.push(first.clone());
            rest = &rest[1..];
        }
    }
    (code, tests)
}

/// Whether the tokens begin so.
pub(crate) fn is(tokens: &[Token], texts: &[&str]) -> bool {
    tokens.len() >= texts.len() && tokens.iter().zip(texts).all(|(token, text)| token.text == *text)
}

/// From the line of the first to the line of the last.
pub(crate) fn lines(tokens: &[Token]) -> usize {
    match tokens {
        [first, .., last] => last.line - first.line + 1,
        _ => tokens.len(),
    }
}

/// How many tokens an item has: to its `;`, or to the end of its body.
pub(crate) fn item_length(tokens: &[Token]) -> usize {
    let mut at = 0;
    while at < tokens.len() {
        let group = group_length(&tokens[at..]);
        match tokens[at].text.as_str() {
            ";" => return at + 1,
            "{" => return at + group,
            _ => at += group,
        }
    }
    at
}

/// How many tokens there are from a bracket to the one that closes it; 1 for any other token.
fn group_length(tokens: &[Token]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth <= 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// What stands in the brackets that these tokens begin with.
pub(crate) fn inside(tokens: &[Token]) -> &[Token] {
    let close = group_length(tokens).saturating_sub(1);
    tokens.get(1..close).unwrap_or_default()
}

/// What stands between the commas, not those in brackets.
pub(crate) fn parts(tokens: &[Token]) -> Vec<&[Token]> {
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while at < tokens.len() {
        if tokens[at].text == "," {
            parts.push(&tokens[start..at]);
            start = at + 1;
        }
        at += group_length(&tokens[at..]);
    }
    parts.push(&tokens[start..]);
    parts.retain(|part| !part.is_empty());
    parts
}

/// An item without the attributes and doc comments before it.
pub(crate) fn without_attributes(item: &[Token]) -> &[Token] {
    match item {
        [sign, attribute @ ..] if sign.text == "#" => {
            without_attributes(&attribute[group_length(attribute)..])
        }
        _ => item,
    }
}

/// Every path that the tokens name.
pub(crate) fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut paths = Vec::new();
    let mut rest = tokens;
    while let Some(token) = rest.first() {
        let taken = match is_word(token) {
            true => path(rest, &[], &mut paths),
            false => 1,
        };
        rest = &rest[taken..];
    }
    paths
}

/// Reads the path at the beginning, which continues `before`; gives how many tokens it took.
fn path(tokens: &[Token], before: &[String], paths: &mut Vec<Path>) -> usize {
    let line = tokens[0].line;
    let mut parts = before.to_vec();
    parts.push(tokens[0].text.clone());
    let mut at = 1;
    while tokens.get(at).is_some_and(|token| token.text == "::") {
        match tokens.get(at + 1) {
            Some(token) if token.text == "{" => {
                let group = &tokens[at + 1..];
                branches(inside(group), &parts, paths);
                return at + 1 + group_length(group);
            }
            Some(token) if is_word(token) => parts.push(token.text.clone()),
            _ => break,
        }
        at += 2;
    }
    if let [sign, bracket, ..] = &tokens[at..]
        && sign.text == "!"
        && ["(", "[", "{"].contains(&bracket.text.as_str())
        && let Some(last) = parts.last_mut()
    {
        last.push('!');
    }
    paths.push(Path { parts, line });
    at
}

/// The branches of `use before::{…}`.
fn branches(tokens: &[Token], before: &[String], paths: &mut Vec<Path>) {
    let mut rest = tokens;
    while let Some(token) = rest.first() {
        let taken = match is_word(token) {
            true if token.text == "self" => {
                paths.push(Path { parts: before.to_vec(), line: token.line });
                1
            }
            true => path(rest, before, paths),
            false => 1,
        };
        rest = &rest[taken..];
    }
}

fn is_word(token: &Token) -> bool {
    token.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && token.text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> Vec<String> {
        paths(&of(text).unwrap()).iter().map(|path| path.parts.join("::")).collect()
    }

    #[test]
    fn paths_are_found_however_they_are_written() {
        assert_eq!(named("std::env::var(x)"), ["std::env::var", "x"]);
        assert_eq!(named("use a::{self, b::{c, d}, e};"), ["use", "a", "a::b::c", "a::b::d", "a::e"]);
        assert_eq!(named("println!(\"a::b\") // c::d"), ["println!"]);
        assert_eq!(named("a != (b)"), ["a", "b"]);
        assert_eq!(named("x: T, y :: z"), ["x", "T", "y::z"]);
    }

    #[test]
    fn a_path_is_known_by_a_part_of_it() {
        let path = &paths(&of("std::env::var_os").unwrap())[0];
        assert!(path.names("env::var_os") && path.names("std::env"));
        assert!(!path.names("env::var") && !path.names("std::var_os"));
    }

    #[test]
    fn tests_are_told_from_the_rest() {
        let text =
            "fn a() {} #[cfg(test)] mod tests { fn b() { [1; 2]; } } fn c() {} #[cfg(test)] use d; fn e() {}";
        let tokens = of(text).unwrap();
        let (code, tests) = split_tests(&tokens);
        let names = |tokens: &[Token]| {
            let named = tokens.windows(2).filter(|pair| pair[0].text == "fn" || pair[0].text == "use");
            named.map(|pair| pair[1].text.clone()).collect::<String>()
        };
        assert_eq!((names(&code).as_str(), tests.len()), ("ace", 2));
        assert_eq!((names(tests[0]).as_str(), names(tests[1]).as_str()), ("b", "d"));
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let tokens = of("a\n/* \n */ {\n \"two\n lines\" }").unwrap();
        let lines: Vec<_> = tokens.iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 3, 4, 5]);
    }
}
