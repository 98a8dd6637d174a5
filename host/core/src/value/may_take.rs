//! Whether values of one type can become values of another, judged by the types alone.

use super::{Case, Field, Name, Problem, Step, Type, UnknownName, ValueError, excerpt};

impl Type {
    /// Checks whether a value of the type `source` can become one of this type through [`Type::conform`].
    ///
    /// Conditions that depend on the value pass: whether a number fits, the length of a list, the case or the flags. It does
    /// not count that an empty list or an absent option fits any element or payload type.
    ///
    /// # Errors
    ///
    /// Returns the first part that does not fit, with its path; in a list it is element 0, in a map key 0.
    ///
    /// ```
    /// # use hostel_core::Type;
    /// Type::U8.may_take(&Type::S64)?;
    /// Type::option(Type::F64).may_take(&Type::U8)?;
    ///
    /// let config = Type::record([("rate", Type::F64)]);
    /// let error = config.may_take(&Type::record([("rate", Type::String)])).unwrap_err();
    /// assert_eq!(error.to_string(), r#"field "rate": expected f64, found string"#);
    /// # Ok::<(), hostel_core::ValueError>(())
    /// ```
    pub fn may_take(&self, source: &Self) -> Result<(), ValueError> {
        match self {
            Self::Bool | Self::Char | Self::String => only_if(self == source, self, source),
            Self::S8 | Self::U8 | Self::S16 | Self::U16 | Self::S32 | Self::U32 | Self::S64 | Self::U64 => {
                only_if(source.is_integer(), self, source)
            }
            Self::F32 | Self::F64 => only_if(source.is_integer() || source.is_float(), self, source),
            Self::List(element) => elements(self, element, source),
            Self::FixedList(element, length) => fixed_list(self, element, *length, source),
            Self::Map(key, value) => map(self, key, value, source),
            Self::Record(fields) => record(self, fields, source),
            Self::Tuple(types) => tuple(self, types, source),
            Self::Variant(cases) => variant(self, cases, source),
            Self::Enum(names) => enumeration(self, names, source),
            Self::Option(some) => option(self, some, source),
            Self::Result { ok, err } => result(self, ok.as_deref(), err.as_deref(), source),
            Self::Flags(names) => flags(self, names, source),
            Self::Data => Ok(()),
        }
    }

    const fn is_integer(&self) -> bool {
        matches!(
            self,
            Self::S8 | Self::U8 | Self::S16 | Self::U16 | Self::S32 | Self::U32 | Self::S64 | Self::U64
        )
    }

    const fn is_float(&self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
}

type Fits = Result<(), ValueError>;

/// Replaces the key of a map in an error.
const SOME_KEY: &str = "…";

fn only_if(fits: bool, ty: &Type, source: &Type) -> Fits {
    if fits { Ok(()) } else { Err(mismatch(ty, source)) }
}

fn mismatch(ty: &Type, source: &Type) -> ValueError {
    ValueError::mismatch(ty, source)
}

fn elements(ty: &Type, element: &Type, source: &Type) -> Fits {
    let inner = element_of(source).ok_or_else(|| mismatch(ty, source))?;
    inner.map_or(Ok(()), |inner| element.may_take(inner).map_err(|error| error.within(Step::Element(0))))
}

fn fixed_list(ty: &Type, element: &Type, length: u32, source: &Type) -> Fits {
    if let Type::FixedList(_, found) = source
        && *found != length
    {
        return Err(Problem::Length { expected: length as usize, found: *found as usize }.into());
    }
    // The empty list always fits.
    if length == 0 && element_of(source).is_some() { Ok(()) } else { elements(ty, element, source) }
}

/// Returns the type of a list's elements, or the inner `None` if it is always empty; the outer `None` for other types.
fn element_of(list: &Type) -> Option<Option<&Type>> {
    if let Type::FixedList(element, length) = list {
        return Some((*length > 0).then_some(element));
    }
    if let Type::List(element) = list { Some(Some(element)) } else { None }
}

fn map(ty: &Type, key: &Type, value: &Type, source: &Type) -> Fits {
    if let Type::Map(source_key, source_value) = source {
        return entry(key, value, source_key, source_value);
    }
    let Some(pair) = element_of(source).ok_or_else(|| mismatch(ty, source))? else {
        return Ok(());
    };
    let Type::Tuple(halves) = pair else {
        let expected = Type::tuple([key.clone(), value.clone()]);
        return Err(mismatch(&expected, pair).within(Step::Element(0)));
    };
    let [source_key, source_value] = &**halves else {
        let length = Problem::Length { expected: 2, found: halves.len() };
        return Err(ValueError::from(length).within(Step::Element(0)));
    };
    entry(key, value, source_key, source_value)
}

fn entry(key: &Type, value: &Type, source_key: &Type, source_value: &Type) -> Fits {
    key.may_take(source_key).map_err(|error| error.within(Step::Key(0)))?;
    value.may_take(source_value).map_err(|error| error.within(Step::Entry(SOME_KEY.to_owned())))
}

fn record(ty: &Type, declared: &[Field], source: &Type) -> Fits {
    let Type::Record(given) = source else {
        return Err(mismatch(ty, source));
    };
    for Field { name, ty: source } in &**given {
        let Some(field) = declared.iter().find(|field| field.name == *name) else {
            return Err(unknown("field", name, declared.iter().map(|field| &field.name)));
        };
        field.ty.may_take(source).map_err(|error| error.within(Step::Field(name.clone())))?;
    }
    let is_missing = |field: &&Field| {
        !matches!(field.ty, Type::Option(_)) && !given.iter().any(|given| given.name == field.name)
    };
    let missing = declared.iter().find(is_missing);
    missing.map_or(Ok(()), |field| Err(Problem::MissingField { name: field.name.clone() }.into()))
}

fn tuple(ty: &Type, types: &[Type], source: &Type) -> Fits {
    let Type::Tuple(given) = source else {
        return Err(mismatch(ty, source));
    };
    if given.len() != types.len() {
        return Err(Problem::Length { expected: types.len(), found: given.len() }.into());
    }
    let mut elements = types.iter().zip(&**given).enumerate();
    elements.try_for_each(|(index, (ty, source))| {
        ty.may_take(source).map_err(|error| error.within(Step::Element(index)))
    })
}

fn variant(ty: &Type, cases: &[Case], source: &Type) -> Fits {
    let given = cases_of(source).ok_or_else(|| mismatch(ty, source))?;
    one_fits(given.into_iter().map(|(name, source)| {
        let case = cases.iter().find(|case| case.name == *name);
        let case = case.ok_or_else(|| unknown("case", name, cases.iter().map(|case| &case.name)))?;
        payload(name, case.ty.as_ref(), source, || Step::Case(name.clone()))
    }))
}

fn enumeration(ty: &Type, names: &[Name], source: &Type) -> Fits {
    let given = cases_of(source).ok_or_else(|| mismatch(ty, source))?;
    one_fits(given.into_iter().map(|(name, source)| {
        let known = if names.contains(name) { Ok(()) } else { Err(unknown("case", name, names)) };
        known.and_then(|()| payload(name, None, source, || Step::Case(name.clone())))
    }))
}

/// Returns the cases of a variant or enum with their payloads; `None` for other types.
fn cases_of(ty: &Type) -> Option<Vec<(&Name, Option<&Type>)>> {
    if let Type::Enum(names) = ty {
        return Some(names.iter().map(|name| (name, None)).collect());
    }
    let Type::Variant(cases) = ty else {
        return None;
    };
    Some(cases.iter().map(|case| (&case.name, case.ty.as_ref())).collect())
}

fn option(ty: &Type, some: &Type, source: &Type) -> Fits {
    if let Type::Option(source) = source {
        return some.may_take(source);
    }
    if let Type::Result { .. } = source { Err(mismatch(ty, source)) } else { some.may_take(source) }
}

fn result(ty: &Type, ok: Option<&Type>, err: Option<&Type>, source: &Type) -> Fits {
    let Type::Result { ok: source_ok, err: source_err } = source else {
        return Err(mismatch(ty, source));
    };
    let ok = payload("ok", ok, source_ok.as_deref(), || Step::Ok);
    let err = payload("err", err, source_err.as_deref(), || Step::Err);
    one_fits([ok, err])
}

fn flags(ty: &Type, names: &[Name], source: &Type) -> Fits {
    let Type::Flags(given) = source else {
        return Err(mismatch(ty, source));
    };
    one_fits(
        given
            .iter()
            .map(|name| if names.contains(name) { Ok(()) } else { Err(unknown("flag", name, names)) }),
    )
}

fn payload(case: &str, ty: Option<&Type>, source: Option<&Type>, step: impl FnOnce() -> Step) -> Fits {
    let case = || excerpt(case);
    match (ty, source) {
        (Some(ty), Some(source)) => ty.may_take(source).map_err(|error| error.within(step())),
        (Some(ty), None) => Err(Problem::MissingPayload { case: case(), expected: excerpt(ty) }.into()),
        (None, Some(source)) if !is_nothing(source) => {
            Err(Problem::UnexpectedPayload { case: case(), found: excerpt(source) }.into())
        }
        (None, _) => Ok(()),
    }
}

/// Returns whether the type's only value means an absent payload.
fn is_nothing(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(types) if types.is_empty())
}

/// Returns why the first of several does not fit, unless one fits or there is none.
fn one_fits(several: impl IntoIterator<Item = Fits>) -> Fits {
    let mut first = Ok(());
    for fits in several {
        if fits.is_ok() {
            return Ok(());
        }
        first = first.and(fits);
    }
    first
}

fn unknown<'a>(what: &'static str, name: &Name, known: impl IntoIterator<Item = &'a Name>) -> ValueError {
    Problem::Unknown(UnknownName::new(what, name, known)).into()
}
