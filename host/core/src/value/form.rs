//! The single traversal that reads a value by its type, for every form of values.
//!
//! A [`Form`] gives access to the written value: a Rust value, WAVE or JSON. [`read`] checks it against the type and builds
//! the value in normal form. So the rules exist once, and every form gives the same errors.

use std::{collections::BTreeMap, fmt::LowerExp, ops::RangeInclusive};

use super::{Case, Field, Name, Problem, Step, Type, UnknownName, Value, ValueError, canonical, excerpt};

/// An unchecked value in some form.
///
/// Accessors with a type get the whole expected type, for their errors.
pub(super) trait Form: Sized {
    /// The name of a field, case or flag.
    type Label: AsRef<str>;

    /// Returns the kind and text of the value, shortened.
    fn found(&self) -> String;

    /// Returns whether this means an absent payload.
    fn is_nothing(&self) -> bool;

    fn boolean(&self) -> Option<bool>;

    /// Returns the integer, whether or not it fits `ty`.
    fn integer(&self, ty: &Type) -> Result<i128, Miss>;

    fn float32(&self) -> Result<f32, Miss>;

    fn float64(&self) -> Result<f64, Miss>;

    fn character(&self) -> Option<char>;

    fn string(self, ty: &Type) -> Result<String, ValueError>;

    /// Returns the bytes, or their error, if they are one piece, and otherwise the form itself.
    fn bytes(self) -> Result<Result<Vec<u8>, ValueError>, Self> {
        Err(self)
    }

    fn list(self, ty: &Type) -> Result<impl ExactSizeIterator<Item = Self>, ValueError>;

    fn tuple(self, ty: &Type) -> Result<impl ExactSizeIterator<Item = Self>, ValueError>;

    /// Returns keys and values if it is a map, and otherwise the form itself, which is then a list of pairs.
    fn entries(self) -> Result<Vec<(Self, Self)>, Self> {
        Err(self)
    }

    fn fields(self, ty: &Type) -> Result<impl Iterator<Item = (Self::Label, Self)>, ValueError>;

    /// Returns the case of a variant or enum, and its payload.
    fn case(self, ty: &Type) -> Result<(Self::Label, Option<Self>), ValueError>;

    /// Returns the payload of the option `ty`, which is an option of `some`.
    fn option(self, ty: &Type, some: &Type) -> Result<Option<Self>, ValueError>;

    /// Returns the payload of the result `ty`, whose success type is `ok`.
    fn result(self, ty: &Type, ok: Option<&Type>) -> Result<Outcome<Self>, ValueError>;

    fn flags(self, ty: &Type) -> Result<impl Iterator<Item = Self::Label>, ValueError>;

    /// Returns the value as data: JSON text.
    fn data(self, ty: &Type) -> Result<String, ValueError>;

    /// The error for a value that is not a `ty`.
    fn mismatch(&self, ty: &Type) -> ValueError {
        ValueError::mismatch(ty, self.found())
    }
}

/// A side of a `result`, with its payload.
pub(super) type Outcome<F> = Result<Option<F>, Option<F>>;

/// Why there is no number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Miss {
    /// The value is of a different kind.
    Kind,
    /// It is a number out of the type's range.
    Range,
}

/// Reads the form as a value of the type, in normal form.
///
/// Recurses as deep as the type, never deeper.
pub(super) fn read<F: Form>(form: F, ty: &Type) -> Result<Value, ValueError> {
    ValueReader::default().read(form, ty)
}

/// Reads values that belong together, such as the arguments of a run. They take memory in proportion to what is written, but for fields
/// that are left out: at most [so many](Self::MOST_LEFT_OUT) of them in all these values.
#[derive(Debug)]
pub struct ValueReader {
    left_out: usize,
    most_left_out: usize,
}

impl Default for ValueReader {
    fn default() -> Self {
        Self::with_most_left_out(Self::MOST_LEFT_OUT)
    }
}

impl ValueReader {
    /// The most fields that may be left out, unless fewer are allowed.
    pub const MOST_LEFT_OUT: usize = 1 << 20;

    /// A reader of values in which at most so many fields are left out.
    pub fn with_most_left_out(most: usize) -> Self {
        Self { left_out: 0, most_left_out: most.min(Self::MOST_LEFT_OUT) }
    }

    /// Whether no more fields may be left out.
    pub fn is_full(&self) -> bool {
        self.left_out >= self.most_left_out
    }

    pub(super) fn read<F: Form>(&mut self, form: F, ty: &Type) -> Result<Value, ValueError> {
        match ty {
            Type::Bool => form.boolean().map(Value::Bool).ok_or_else(|| form.mismatch(ty)),
            Type::S8 => integer(&form, ty, i8::MIN..=i8::MAX).map(Value::S8),
            Type::U8 => integer(&form, ty, u8::MIN..=u8::MAX).map(Value::U8),
            Type::S16 => integer(&form, ty, i16::MIN..=i16::MAX).map(Value::S16),
            Type::U16 => integer(&form, ty, u16::MIN..=u16::MAX).map(Value::U16),
            Type::S32 => integer(&form, ty, i32::MIN..=i32::MAX).map(Value::S32),
            Type::U32 => integer(&form, ty, u32::MIN..=u32::MAX).map(Value::U32),
            Type::S64 => integer(&form, ty, i64::MIN..=i64::MAX).map(Value::S64),
            Type::U64 => integer(&form, ty, u64::MIN..=u64::MAX).map(Value::U64),
            Type::F32 => float(&form, form.float32(), ty, f32::MIN..=f32::MAX)
                .map(canonical::one_nan32)
                .map(Value::F32),
            Type::F64 => float(&form, form.float64(), ty, f64::MIN..=f64::MAX)
                .map(canonical::one_nan64)
                .map(Value::F64),
            Type::Char => form.character().map(Value::Char).ok_or_else(|| form.mismatch(ty)),
            Type::String => form.string(ty).map(Value::String),
            Type::List(element) if **element == Type::U8 => bytes(form, ty).map(Value::Bytes),
            Type::List(element) => self.elements(form.list(ty)?, element).map(Value::List),
            Type::FixedList(element, length) => {
                let items = exactly(form.list(ty)?, *length as usize)?;
                self.elements(items, element).map(Value::List)
            }
            Type::Map(key, value) => self.map(form, ty, key, value),
            Type::Record(fields) => self.record(form, ty, fields),
            Type::Tuple(types) => self.tuple(form, ty, types),
            Type::Variant(cases) => self.variant(form, ty, cases),
            Type::Enum(names) => self.enumeration(form, ty, names),
            Type::Option(some) => self.option(form, ty, some),
            Type::Result { ok, err } => self.result(form, ty, ok.as_deref(), err.as_deref()),
            Type::Flags(names) => flags(form, ty, names),
            Type::Data => form.data(ty).map(Value::of_data),
        }
    }

    fn elements<F: Form>(
        &mut self,
        items: impl Iterator<Item = F>,
        ty: &Type,
    ) -> Result<Vec<Value>, ValueError> {
        let values = items.enumerate().map(|(index, item)| self.element(index, item, ty));
        values.collect()
    }

    fn element<F: Form>(&mut self, index: usize, item: F, ty: &Type) -> Result<Value, ValueError> {
        self.read(item, ty).map_err(|error| error.within(Step::Element(index)))
    }

    fn tuple<F: Form>(&mut self, form: F, ty: &Type, types: &[Type]) -> Result<Value, ValueError> {
        let items = exactly(form.tuple(ty)?, types.len())?.zip(types).enumerate();
        let values = items.map(|(index, (item, ty))| self.element(index, item, ty));
        values.collect::<Result<_, _>>().map(Value::Tuple)
    }

    /// Sorts by the keys' canonical bytes; of equal keys the last wins.
    fn map<F: Form>(
        &mut self,
        form: F,
        ty: &Type,
        key_ty: &Type,
        value_ty: &Type,
    ) -> Result<Value, ValueError> {
        let written = form.entries().or_else(|form| pairs(form, ty, key_ty, value_ty))?;
        let mut entries = BTreeMap::new();
        for (index, (key, value)) in written.into_iter().enumerate() {
            let key = self.read(key, key_ty).map_err(|error| error.within(Step::Key(index)))?;
            let value =
                self.read(value, value_ty).map_err(|error| error.within(Step::Entry(excerpt(&key))))?;
            let mut bytes = Vec::new();
            let encoded = key_ty.encode_payload(&key, &mut bytes);
            encoded.map_err(|_| key.mismatch(key_ty))?;
            entries.insert(bytes, (key, value));
        }
        Ok(Value::Map(entries.into_values().collect()))
    }

    fn record<F: Form>(&mut self, form: F, ty: &Type, declared: &[Field]) -> Result<Value, ValueError> {
        let mut slots: Vec<Option<Value>> = declared.iter().map(|_| None).collect();
        for (label, written) in form.fields(ty)? {
            let label = label.as_ref();
            let mut fields = declared.iter().zip(&mut slots);
            let Some((Field { name, ty }, slot)) = fields.find(|(field, _)| *field.name == *label) else {
                return Err(unknown("field", label, declared.iter().map(|field| &field.name)));
            };
            let value = self.read(written, ty).map_err(|error| error.within(Step::Field(name.clone())))?;
            if slot.replace(value).is_some() {
                return Err(twice("field", name));
            }
        }
        let fields = declared.iter().zip(slots).map(|(field, slot)| self.present(field, slot));
        fields.collect::<Result<_, _>>().map(Value::Record)
    }

    /// Returns the field with its value, which is `none` if an option is left out.
    fn present(&mut self, field: &Field, value: Option<Value>) -> Result<(Name, Value), ValueError> {
        let name = field.name.clone();
        match (value, &field.ty) {
            (Some(value), _) => Ok((name, value)),
            (None, Type::Option(_)) if !self.is_full() => {
                self.left_out += 1;
                Ok((name, Value::Option(None)))
            }
            (None, Type::Option(_)) => Err(Problem::LeftOut { most: self.most_left_out }.into()),
            (None, _) => Err(Problem::MissingField { name }.into()),
        }
    }

    fn variant<F: Form>(&mut self, form: F, ty: &Type, cases: &[Case]) -> Result<Value, ValueError> {
        let (label, written) = form.case(ty)?;
        let label = label.as_ref();
        let Some(Case { name, ty }) = cases.iter().find(|case| *case.name == *label) else {
            return Err(unknown("case", label, cases.iter().map(|case| &case.name)));
        };
        let payload = self.payload(name, written, ty.as_ref(), || Step::Case(name.clone()))?;
        Ok(Value::Variant(name.clone(), payload))
    }

    fn enumeration<F: Form>(&mut self, form: F, ty: &Type, names: &[Name]) -> Result<Value, ValueError> {
        let (label, written) = form.case(ty)?;
        let label = label.as_ref();
        let Some(name) = names.iter().find(|name| ***name == *label) else {
            return Err(unknown("case", label, names));
        };
        self.payload(name, written, None, || Step::Case(name.clone()))?;
        Ok(Value::Enum(name.clone()))
    }

    fn option<F: Form>(&mut self, form: F, ty: &Type, some: &Type) -> Result<Value, ValueError> {
        let payload = form.option(ty, some)?.map(|payload| self.read(payload, some).map(Box::new));
        payload.transpose().map(Value::Option)
    }

    fn result<F: Form>(
        &mut self,
        form: F,
        ty: &Type,
        ok: Option<&Type>,
        err: Option<&Type>,
    ) -> Result<Value, ValueError> {
        Ok(Value::Result(match form.result(ty, ok)? {
            Ok(written) => Ok(self.payload("ok", written, ok, || Step::Ok)?),
            Err(written) => Err(self.payload("err", written, err, || Step::Err)?),
        }))
    }

    fn payload<F: Form>(
        &mut self,
        case: &str,
        written: Option<F>,
        ty: Option<&Type>,
        step: impl FnOnce() -> Step,
    ) -> Result<Option<Box<Value>>, ValueError> {
        let case = || excerpt(case);
        match (written, ty) {
            (Some(written), Some(ty)) => {
                let value = self.read(written, ty).map_err(|error| error.within(step()))?;
                Ok(Some(Box::new(value)))
            }
            (Some(written), None) if !written.is_nothing() => {
                let found = written.found();
                Err(Problem::UnexpectedPayload { case: case(), found }.into())
            }
            (None, Some(ty)) => {
                let expected = excerpt(ty);
                Err(Problem::MissingPayload { case: case(), expected }.into())
            }
            (_, None) => Ok(None),
        }
    }
}

fn integer<F: Form, N>(form: &F, ty: &Type, range: RangeInclusive<N>) -> Result<N, ValueError>
where
    N: TryFrom<i128> + std::fmt::Display,
{
    let number = form.integer(ty).and_then(|whole| N::try_from(whole).map_err(|_| Miss::Range));
    number.map_err(|miss| match miss {
        Miss::Kind => form.mismatch(ty),
        Miss::Range => {
            let expected = format!("{ty} ({} to {})", range.start(), range.end());
            ValueError::mismatch(expected, form.found())
        }
    })
}

fn float<F: Form, N: LowerExp>(
    form: &F,
    number: Result<N, Miss>,
    ty: &Type,
    range: RangeInclusive<N>,
) -> Result<N, ValueError> {
    number.map_err(|miss| match miss {
        Miss::Kind => form.mismatch(ty),
        Miss::Range => {
            let expected = format!("{ty} ({:e} to {:e})", range.start(), range.end());
            ValueError::mismatch(expected, form.found())
        }
    })
}

fn bytes<F: Form>(form: F, ty: &Type) -> Result<Vec<u8>, ValueError> {
    let byte = |(index, item): (usize, F)| {
        let byte = integer(&item, &Type::U8, u8::MIN..=u8::MAX);
        byte.map_err(|error| error.within(Step::Element(index)))
    };
    form.bytes().unwrap_or_else(|form| form.list(ty)?.enumerate().map(byte).collect())
}

fn exactly<I: ExactSizeIterator>(items: I, expected: usize) -> Result<I, ValueError> {
    match items.len() {
        found if found == expected => Ok(items),
        found => Err(Problem::Length { expected, found }.into()),
    }
}

/// Reads the entries of the map `ty` from a list of pairs.
fn pairs<F: Form>(form: F, ty: &Type, key: &Type, value: &Type) -> Result<Vec<(F, F)>, ValueError> {
    let pair_ty = Type::tuple([key.clone(), value.clone()]);
    let pairs = form.list(ty)?.enumerate().map(|(index, item)| {
        let pair = pair(item, &pair_ty);
        pair.map_err(|error| error.within(Step::Element(index)))
    });
    pairs.collect()
}

fn pair<F: Form>(item: F, ty: &Type) -> Result<(F, F), ValueError> {
    let mut halves = item.tuple(ty)?;
    let found = halves.len();
    match (halves.next(), halves.next(), halves.next()) {
        (Some(key), Some(value), None) => Ok((key, value)),
        _ => Err(Problem::Length { expected: 2, found }.into()),
    }
}

fn flags<F: Form>(form: F, ty: &Type, declared: &[Name]) -> Result<Value, ValueError> {
    let mut set = vec![false; declared.len()];
    for label in form.flags(ty)? {
        let label = label.as_ref();
        let mut flags = declared.iter().zip(&mut set);
        let Some((name, set)) = flags.find(|(name, _)| ***name == *label) else {
            return Err(unknown("flag", label, declared));
        };
        if std::mem::replace(set, true) {
            return Err(twice("flag", name));
        }
    }
    let names = declared.iter().zip(set).filter(|(_, set)| *set);
    Ok(Value::Flags(names.map(|(name, _)| name.clone()).collect()))
}

fn unknown<'a>(what: &'static str, label: &str, known: impl IntoIterator<Item = &'a Name>) -> ValueError {
    Problem::Unknown(UnknownName::new(what, label, known)).into()
}

fn twice(what: &'static str, name: &Name) -> ValueError {
    let name = name.clone();
    Problem::Twice { what, name }.into()
}
