//! Any type and any value of it, made of bytes. When they are used up, what is left is the simplest there is.

use arbitrary::{Result, Unstructured};
use hostel_core::{Name, Type, Value};

/// Names with everything a name may have, among them the words that WAVE and JSON give a meaning.
const NAMES: [&str; 10] = ["a", "b-c", "x1", "HTTP-get", "none", "some", "ok", "err", "true", "inf"];

/// How deep types nest.
const DEPTH: usize = 4;

/// The most members of a type, and elements of a list.
const MEMBERS: usize = 4;

/// Takes a type.
pub(crate) fn ty(input: &mut Unstructured<'_>) -> Result<Type> {
    nested_ty(input, DEPTH)
}

fn nested_ty(input: &mut Unstructured<'_>, depth: usize) -> Result<Type> {
    use Type::{Bool, Char, F32, F64, S8, S16, S32, S64, String, U8, U16, U32, U64};
    const SCALARS: [Type; 13] = [Bool, S8, U8, S16, U16, S32, U32, S64, U64, F32, F64, Char, String];
    let kinds = if depth == 0 { SCALARS.len() } else { SCALARS.len() + 10 };
    let inner = |input: &mut Unstructured<'_>| nested_ty(input, depth - 1);
    let kind = input.choose_index(kinds)?;
    if let Some(scalar) = SCALARS.get(kind) {
        return Ok(scalar.clone());
    }
    Ok(match kind - SCALARS.len() {
        0 => Type::list(inner(input)?),
        1 => Type::fixed_list(inner(input)?, input.int_in_range(0..=3)?),
        2 => Type::map(inner(input)?, inner(input)?),
        3 => Type::record(named(input, inner)?),
        4 => Type::Tuple(many(input, 1, inner)?.into()),
        5 => Type::variant(named(input, |input| maybe(input, inner))?),
        6 => Type::enumeration(names(input)?),
        7 => Type::option(inner(input)?),
        8 => Type::result(maybe(input, inner)?, maybe(input, inner)?),
        _ => Type::flags(names(input)?),
    })
}

/// Takes a value of a type, in normal form.
pub(crate) fn value(input: &mut Unstructured<'_>, ty: &Type) -> Result<Value> {
    let raw = raw(input, ty)?;
    Ok(ty.conform(raw).expect("it was made for the type"))
}

/// Takes a value of a type that has more than one NaN, and map entries in any order.
fn raw(input: &mut Unstructured<'_>, ty: &Type) -> Result<Value> {
    let boxed = |input: &mut Unstructured<'_>, ty: &Type| raw(input, ty).map(Box::new);
    let payload = |input: &mut Unstructured<'_>, ty: Option<&Type>| ty.map(|ty| boxed(input, ty)).transpose();
    Ok(match ty {
        Type::Bool => Value::Bool(input.arbitrary()?),
        Type::S8 => Value::S8(input.arbitrary()?),
        Type::U8 => Value::U8(input.arbitrary()?),
        Type::S16 => Value::S16(input.arbitrary()?),
        Type::U16 => Value::U16(input.arbitrary()?),
        Type::S32 => Value::S32(input.arbitrary()?),
        Type::U32 => Value::U32(input.arbitrary()?),
        Type::S64 => Value::S64(input.arbitrary()?),
        Type::U64 => Value::U64(input.arbitrary()?),
        Type::F32 => Value::F32(input.arbitrary()?),
        Type::F64 => Value::F64(input.arbitrary()?),
        Type::Char => Value::Char(input.arbitrary()?),
        Type::String | Type::Data => Value::String(text(input)?),
        Type::List(element) => Value::List(many(input, 0, |input| raw(input, element))?),
        Type::FixedList(element, length) => {
            Value::List((0..*length).map(|_| raw(input, element)).collect::<Result<_>>()?)
        }
        Type::Map(key, value) => {
            Value::Map(many(input, 0, |input| Ok((raw(input, key)?, raw(input, value)?)))?)
        }
        Type::Record(fields) => {
            let fields = fields.iter().map(|field| Ok((field.name.clone(), raw(input, &field.ty)?)));
            Value::Record(fields.collect::<Result<_>>()?)
        }
        Type::Tuple(types) => Value::Tuple(types.iter().map(|ty| raw(input, ty)).collect::<Result<_>>()?),
        Type::Variant(cases) => {
            let case = input.choose(cases)?;
            Value::Variant(case.name.clone(), payload(input, case.ty.as_ref())?)
        }
        Type::Enum(names) => Value::Enum(input.choose(names)?.clone()),
        Type::Option(some) => {
            let some = input.arbitrary::<bool>()?.then_some(&**some);
            Value::Option(payload(input, some)?)
        }
        Type::Result { ok, err } => Value::Result(match input.arbitrary()? {
            false => Ok(payload(input, ok.as_deref())?),
            true => Err(payload(input, err.as_deref())?),
        }),
        Type::Flags(names) => {
            let mut set: Vec<Name> = Vec::new();
            for name in names.iter() {
                set.extend(input.arbitrary::<bool>()?.then(|| name.clone()));
            }
            Value::Flags(set)
        }
    })
}

/// Takes a short text.
pub(crate) fn text(input: &mut Unstructured<'_>) -> Result<String> {
    let characters: Vec<char> = many(input, 0, |input| input.arbitrary())?;
    Ok(characters.into_iter().collect())
}

/// Takes a few of something.
pub(crate) fn many<T>(
    input: &mut Unstructured<'_>,
    least: usize,
    mut one: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = input.int_in_range(least..=MEMBERS)?;
    (0..count).map(|_| one(input)).collect()
}

fn maybe<T>(
    input: &mut Unstructured<'_>,
    one: impl FnOnce(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Option<T>> {
    if input.arbitrary()? { one(input).map(Some) } else { Ok(None) }
}

fn named<T>(
    input: &mut Unstructured<'_>,
    one: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<(&'static str, T)>> {
    let members = many(input, 1, one)?;
    Ok(order(input)?.into_iter().zip(members).collect())
}

fn names(input: &mut Unstructured<'_>) -> Result<Vec<&'static str>> {
    let count = input.int_in_range(1..=NAMES.len())?;
    Ok(order(input)?.into_iter().take(count).collect())
}

/// Takes all names, beginning anywhere.
fn order(input: &mut Unstructured<'_>) -> Result<[&'static str; NAMES.len()]> {
    let mut names = NAMES;
    names.rotate_left(input.choose_index(NAMES.len())?);
    Ok(names)
}
