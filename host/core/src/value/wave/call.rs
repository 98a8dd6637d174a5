//! The whole-call form, `add(1, 2)`: split first, so that the task can be found before its arguments are parsed.

use wasm_wave::lex::{Lexer, Token};

/// A call written as one text: the function, and its arguments as unparsed WAVE text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallText<'t> {
    /// The text before the parenthesis: `add`, `ops.add`, `acme:math/ops@1.0.0.add`.
    pub function: &'t str,
    /// One text per argument, in order.
    pub arguments: Vec<&'t str>,
}

impl<'t> CallText<'t> {
    /// Splits a call; returns `None` if the text is not a name followed by arguments in parentheses.
    ///
    /// This considers only brackets and commas: errors inside an argument are found when it is parsed.
    ///
    /// ```
    /// # use hostel_core::CallText;
    /// let call = CallText::parse("ops.add([1, 2], {a: 3})").unwrap();
    /// assert_eq!(call.function, "ops.add");
    /// assert_eq!(call.arguments, ["[1, 2]", "{a: 3}"]);
    /// ```
    pub fn parse(text: &'t str) -> Option<Self> {
        let (function, rest) = text.split_once('(')?;
        let arguments = split(rest)?;
        let function = function.trim();
        (!function.is_empty()).then_some(Self { function, arguments })
    }
}

/// Splits a text at its outermost commas, up to the closing parenthesis, which must end it.
fn split(text: &str) -> Option<Vec<&str>> {
    let mut arguments = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    let mut lexer = Lexer::new(text);
    while let Some(token) = lexer.next() {
        let argument = || text.get(start..lexer.span().start).map(str::trim);
        match token.ok() {
            Some(Token::BraceOpen | Token::ParenOpen | Token::BracketOpen) => depth += 1,
            Some(Token::ParenClose) if depth == 0 => {
                arguments.extend(argument().filter(|last| !last.is_empty()));
                return lexer.next().is_none().then_some(arguments);
            }
            Some(Token::BraceClose | Token::ParenClose | Token::BracketClose) => {
                depth = depth.checked_sub(1)?
            }
            Some(Token::Comma) if depth == 0 => {
                arguments.extend(argument());
                start = lexer.span().end;
            }
            _ => {}
        }
    }
    None
}
