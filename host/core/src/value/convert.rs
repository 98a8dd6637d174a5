//! Conversions between Rust values and [`Value`], for embedders.

use super::{
    Problem, Step, Type, Value, ValueError,
    form::{Form, read},
};

/// A Rust value that can be an argument of a task.
///
/// Numbers need not have the parameter's width: [`Type::conform`] accepts every number that fits. `Vec<u8>` becomes
/// [`Value::Bytes`], `()` the empty tuple, which means no value.
///
/// ```
/// # use hostel_core::{IntoValue, Value};
/// assert_eq!(41.into_value(), Value::S32(41));
/// assert_eq!(vec![1_u8, 2].into_value(), Value::Bytes(vec![1, 2]));
/// assert_eq!(("x", true).into_value(), Value::Tuple(vec!["x".into_value(), Value::Bool(true)]));
/// ```
pub trait IntoValue: Sized {
    /// Returns this as a value.
    fn into_value(self) -> Value;

    /// Returns a list of these as a value. Only `u8` overrides it: a list of bytes is one piece.
    #[doc(hidden)]
    fn list_into_value(items: Vec<Self>) -> Value {
        Value::List(items.into_iter().map(Self::into_value).collect())
    }
}

/// A Rust value that can be the result of a task.
///
/// Numbers convert whatever their width, if they fit.
///
/// ```
/// # use hostel_core::{FromValue, Value};
/// assert_eq!(i64::from_value(Value::U8(41))?, 41);
/// let error = u8::from_value(Value::S64(300)).unwrap_err();
/// assert_eq!(error.to_string(), "expected u8 (0 to 255), found s64 300");
/// # Ok::<(), hostel_core::ValueError>(())
/// ```
pub trait FromValue: Sized {
    /// Converts a value.
    ///
    /// # Errors
    ///
    /// Returns the first part of the value that this Rust type cannot hold.
    fn from_value(value: Value) -> Result<Self, ValueError>;

    /// Converts a list of values. Only `u8` overrides it: a list of bytes is one piece.
    #[doc(hidden)]
    fn list_from_value(value: Value) -> Result<Vec<Self>, ValueError> {
        let Value::List(items) = value else {
            return Err(wrong("list", &value));
        };
        items.into_iter().enumerate().map(|(index, item)| element(index, item)).collect()
    }
}

impl IntoValue for Value {
    fn into_value(self) -> Value {
        self
    }
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        Ok(value)
    }
}

/// Implements `FromValue` for a Rust type with exactly the values of one WIT type.
macro_rules! from_scalar {
    ($kind:ident) => {
        fn from_value(value: Value) -> Result<Self, ValueError> {
            let value = read(value, &Type::$kind)?;
            if let Value::$kind(scalar) = value { Ok(scalar) } else { Err(value.mismatch(&Type::$kind)) }
        }
    };
}

macro_rules! scalars {
    ($($rust:ty: $kind:ident),*) => {$(
        impl IntoValue for $rust {
            fn into_value(self) -> Value {
                Value::$kind(self)
            }
        }

        impl FromValue for $rust {
            from_scalar!($kind);
        }
    )*};
}

scalars!(bool: Bool, i8: S8, i16: S16, u16: U16, i32: S32, u32: U32, i64: S64, u64: U64);
scalars!(f32: F32, f64: F64, char: Char, String: String);

impl IntoValue for u8 {
    fn into_value(self) -> Value {
        Value::U8(self)
    }

    fn list_into_value(bytes: Vec<Self>) -> Value {
        Value::Bytes(bytes)
    }
}

impl FromValue for u8 {
    from_scalar!(U8);

    fn list_from_value(value: Value) -> Result<Vec<Self>, ValueError> {
        let ty = Type::list(Type::U8);
        let value = read(value, &ty)?;
        if let Value::Bytes(bytes) = value { Ok(bytes) } else { Err(value.mismatch(&ty)) }
    }
}

impl IntoValue for () {
    fn into_value(self) -> Value {
        Value::Tuple(Vec::new())
    }
}

impl FromValue for () {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        if value.is_nothing() { Ok(()) } else { Err(wrong("no value", &value)) }
    }
}

impl IntoValue for &str {
    fn into_value(self) -> Value {
        Value::String(self.to_owned())
    }
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_value(self) -> Value {
        T::list_into_value(self)
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        T::list_from_value(value)
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        Value::Option(self.map(boxed))
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        let Value::Option(payload) = value else {
            return Err(wrong("option", &value));
        };
        payload.map(|payload| T::from_value(*payload)).transpose()
    }
}

impl<T: IntoValue, E: IntoValue> IntoValue for Result<T, E> {
    fn into_value(self) -> Value {
        Value::Result(self.map(|ok| Some(boxed(ok))).map_err(|err| Some(boxed(err))))
    }
}

/// A side of a result without payload converts to `()`.
impl<T: FromValue, E: FromValue> FromValue for Result<T, E> {
    fn from_value(value: Value) -> Result<Self, ValueError> {
        let Value::Result(outcome) = value else {
            return Err(wrong("result", &value));
        };
        Ok(match outcome {
            Ok(payload) => Ok(T::from_value(unboxed(payload)).map_err(|error| error.within(Step::Ok))?),
            Err(payload) => Err(E::from_value(unboxed(payload)).map_err(|error| error.within(Step::Err))?),
        })
    }
}

macro_rules! tuples {
    ($length:literal: $($index:literal $name:ident $part:ident),*) => {
        impl<$($part: IntoValue),*> IntoValue for ($($part,)*) {
            fn into_value(self) -> Value {
                let ($($name,)*) = self;
                Value::Tuple(vec![$($name.into_value()),*])
            }
        }

        impl<$($part: FromValue),*> FromValue for ($($part,)*) {
            fn from_value(value: Value) -> Result<Self, ValueError> {
                let [$($name),*] = tuple::<$length>(value)?;
                Ok(($(element($index, $name)?,)*))
            }
        }
    };
}

tuples!(1: 0 a A);
tuples!(2: 0 a A, 1 b B);
tuples!(3: 0 a A, 1 b B, 2 c C);
tuples!(4: 0 a A, 1 b B, 2 c C, 3 d D);

fn tuple<const LENGTH: usize>(value: Value) -> Result<[Value; LENGTH], ValueError> {
    let Value::Tuple(items) = value else {
        return Err(wrong("tuple", &value));
    };
    let found = items.len();
    items.try_into().map_err(|_| Problem::Length { expected: LENGTH, found }.into())
}

fn element<T: FromValue>(index: usize, item: Value) -> Result<T, ValueError> {
    T::from_value(item).map_err(|error| error.within(Step::Element(index)))
}

fn boxed(payload: impl IntoValue) -> Box<Value> {
    Box::new(payload.into_value())
}

fn unboxed(payload: Option<Box<Value>>) -> Value {
    payload.map_or(Value::Tuple(Vec::new()), |payload| *payload)
}

fn wrong(expected: &str, value: &Value) -> ValueError {
    ValueError::mismatch(expected, value.found())
}
