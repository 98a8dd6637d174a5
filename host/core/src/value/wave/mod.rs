//! WAVE, the text form of component values that `wasmtime run --invoke` reads and writes.
//!
//! Reading accepts everything that wasmtime accepts (with the same parser), and in addition: maps as lists of pairs,
//! fixed-length lists, `{}` for a record of options, and a variant's case that is a WAVE keyword without its `%` if the type
//! is unambiguous. Unlike wasmtime it refuses unknown record fields.

mod read;

mod write;

mod syntax;

mod call;

use wasm_wave::untyped::UntypedValue;

use self::{read::Wave, syntax::syntax_error};
use super::{Type, Value, ValueError, form::ValueReader};

pub use call::CallText;

impl ValueReader {
    /// As [`Value::from_wave`].
    ///
    /// # Errors
    ///
    /// As [`Value::from_wave`], and [`Problem::LeftOut`](super::Problem::LeftOut) if too many fields were left out so far.
    pub fn wave(&mut self, text: &str, ty: &Type) -> Result<Value, ValueError> {
        let value = UntypedValue::parse(text).map_err(|error| syntax_error(text, &error))?;
        self.read(Wave::new(value.node(), text), ty)
    }
}

impl Value {
    /// Parses a value of the type from WAVE text.
    ///
    /// Time is proportional to the length of the text. Text that nests deeper than 100 levels is refused.
    ///
    /// # Errors
    ///
    /// Returns the position of a syntax error, or the part that does not fit the type.
    ///
    /// ```
    /// # use hostel_core::{Type, Value};
    /// let ty = Type::record([("name", Type::String), ("rate", Type::option(Type::F64))]);
    /// let value = Value::from_wave(r#"{name: "a"}"#, &ty)?;
    ///
    /// let error = Value::from_wave(r#"{name: "a", rate: "fast"}"#, &ty).unwrap_err();
    /// assert_eq!(error.to_string(), r#"field "rate": expected f64, found string "fast""#);
    /// # Ok::<(), hostel_core::ValueError>(())
    /// ```
    pub fn from_wave(text: &str, ty: &Type) -> Result<Self, ValueError> {
        ValueReader::default().wave(text, ty)
    }

    /// Returns the value as WAVE text, the same as [`Display`](std::fmt::Display).
    pub fn to_wave(&self) -> String {
        self.to_string()
    }
}
