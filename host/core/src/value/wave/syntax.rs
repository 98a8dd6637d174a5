//! Errors of WAVE syntax: the position, the expectation, and the text found instead.

use wasm_wave::{
    lex::{Lexer, Token},
    parser::{ParserError, ParserErrorKind},
};

use crate::value::{Problem, ValueError, excerpt};

/// Returns the parser's error in terms of values.
pub(super) fn syntax_error(text: &str, error: &ParserError) -> ValueError {
    let span = error.span();
    let (before, rest) = text.split_at_checked(span.start).unwrap_or((text, ""));
    let found = if error.kind() == ParserErrorKind::InvalidToken {
        // The intended end of such a token is unknown.
        rest.lines().next().unwrap_or_default()
    } else {
        rest.get(..span.len()).unwrap_or(rest)
    };
    let expected = expected(error.kind(), before, found);
    let found = if found.is_empty() { "end of text".to_owned() } else { format!("`{}`", excerpt(found)) };
    let (line, column) = position(before);
    let message = format!("expected {expected}, found {found}");
    Problem::Syntax { line, column, message }.into()
}

/// Returns the line and column, both counted from 1, after the text `before`.
fn position(before: &str) -> (usize, usize) {
    let line = before.matches('\n').count() + 1;
    let last = before.rsplit('\n').next().unwrap_or_default();
    (line, last.chars().count() + 1)
}

fn expected(kind: ParserErrorKind, before: &str, found: &str) -> &'static str {
    match kind {
        ParserErrorKind::EmptyTuple => "a value between the parentheses",
        ParserErrorKind::InvalidEscape => r#"one of the escapes \\ \" \' \t \n \r \u{…}"#,
        ParserErrorKind::InvalidMultilineString => {
            r#"both """ on separate lines, and no line indented less than the last"#
        }
        ParserErrorKind::TrailingCharacters => "end of text",
        ParserErrorKind::DuplicateField => "each field once",
        ParserErrorKind::DuplicateFlag => "each flag once",
        ParserErrorKind::NestingTooDeep => "values nested at most 100 deep",
        ParserErrorKind::InvalidToken if found.starts_with('"') => {
            r#"a string with its closing " and no escapes but \\ \" \' \t \n \r \u{…}"#
        }
        ParserErrorKind::InvalidToken if found.starts_with('\'') => "one character between two '",
        ParserErrorKind::InvalidToken
        | ParserErrorKind::UnexpectedEnd
        | ParserErrorKind::UnexpectedToken
        | ParserErrorKind::MultipleChars
        | ParserErrorKind::InvalidParams
        | ParserErrorKind::InvalidType
        | ParserErrorKind::InvalidValue
        | ParserErrorKind::WasmValueError
        | _ => expected_after(before),
    }
}

/// Returns what may follow a valid prefix of WAVE.
fn expected_after(before: &str) -> &'static str {
    const IN_BRACES: &str = "`,` or `}`";
    // For each open bracket: the tokens that may follow a value inside it.
    let mut open = Vec::new();
    let mut last = None;
    let mut lexer = Lexer::new(before);
    while let Some(Ok(token)) = lexer.next() {
        match token {
            Token::BraceOpen => open.push(IN_BRACES),
            Token::BracketOpen => open.push("`,` or `]`"),
            Token::ParenOpen if matches!(last, Some((Token::LabelOrKeyword, _))) => open.push("`)`"),
            Token::ParenOpen => open.push("`,` or `)`"),
            Token::BraceClose | Token::BracketClose | Token::ParenClose => drop(open.pop()),
            Token::Colon
            | Token::Comma
            | Token::Number
            | Token::LabelOrKeyword
            | Token::Char
            | Token::String
            | Token::MultilineString => {}
        }
        last = Some((token, lexer.slice()));
    }
    let in_braces = open.last() == Some(&IN_BRACES);
    match last {
        Some((Token::LabelOrKeyword, "some")) => "`(`",
        Some((Token::LabelOrKeyword, _)) if in_braces => "`:`, `,` or `}`",
        Some((Token::Comma, _)) if in_braces => "a name or `}`",
        Some((Token::BraceOpen, _)) => "a name or `}`",
        Some((Token::BracketOpen, _)) => "a value or `]`",
        None | Some((Token::Comma | Token::Colon | Token::ParenOpen, _)) => "a value",
        Some(_) => open.last().copied().unwrap_or("end of text"),
    }
}
