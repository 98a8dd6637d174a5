//! Random types to depth 4 and random values of them, in normal form.

use hostel_core::{Name, Type, Value};
use proptest::{collection::vec, prelude::*, sample::subsequence};

/// Names with everything a name may have, among them the words that WAVE and JSON give a meaning.
const NAMES: [&str; 10] = ["a", "b-c", "x1", "HTTP-get", "none", "some", "ok", "err", "true", "inf"];

/// Returns a type and a value of it.
pub(crate) fn typed_value() -> impl Strategy<Value = (Type, Value)> {
    ty().prop_flat_map(|ty| (Just(ty.clone()), value(&ty)))
}

/// Returns a type and two values of it, so small that they are often the same.
pub(crate) fn typed_pair() -> impl Strategy<Value = (Type, Value, Value)> {
    ty().prop_flat_map(|ty| (Just(ty.clone()), value(&ty), value(&ty)))
}

/// Returns a type, a value of it, and a type that differs from it in some places, if at all.
pub(crate) fn typed_value_and_kin() -> impl Strategy<Value = (Type, Value, Type)> {
    let changes = vec((0..20_u8, scalar()), 24);
    (typed_value(), changes).prop_map(|((ty, value), changes)| {
        let kin = changed(&ty, &mut changes.into_iter());
        (ty, value, kin)
    })
}

/// Returns a type, at most 4 levels deep.
pub(crate) fn ty() -> impl Strategy<Value = Type> {
    scalar().prop_recursive(3, 24, 4, |inner| {
        let payload = proptest::option::of(inner.clone());
        prop_oneof![
            inner.clone().prop_map(Type::list),
            (inner.clone(), 0..3_u32).prop_map(|(element, length)| Type::fixed_list(element, length)),
            (inner.clone(), inner.clone()).prop_map(|(key, value)| Type::map(key, value)),
            named(inner.clone()).prop_map(Type::record),
            vec(inner.clone(), 1..4).prop_map(Type::tuple),
            named(payload.clone()).prop_map(Type::variant),
            names().prop_map(Type::enumeration),
            inner.prop_map(Type::option),
            (payload.clone(), payload).prop_map(|(ok, err)| Type::result(ok, err)),
            names().prop_map(Type::flags),
        ]
    })
}

/// Returns a value of the type.
pub(crate) fn value(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::S8 => any::<i8>().prop_map(Value::S8).boxed(),
        Type::U8 => any::<u8>().prop_map(Value::U8).boxed(),
        Type::S16 => any::<i16>().prop_map(Value::S16).boxed(),
        Type::U16 => any::<u16>().prop_map(Value::U16).boxed(),
        Type::S32 => any::<i32>().prop_map(Value::S32).boxed(),
        Type::U32 => any::<u32>().prop_map(Value::U32).boxed(),
        Type::S64 => any::<i64>().prop_map(Value::S64).boxed(),
        Type::U64 => any::<u64>().prop_map(Value::U64).boxed(),
        Type::F32 => {
            any::<u32>().prop_map(|bits| normal(&Type::F32, Value::F32(f32::from_bits(bits)))).boxed()
        }
        Type::F64 => {
            any::<u64>().prop_map(|bits| normal(&Type::F64, Value::F64(f64::from_bits(bits)))).boxed()
        }
        Type::Char => any::<char>().prop_map(Value::Char).boxed(),
        Type::String => {
            vec(any::<char>(), 0..6).prop_map(|text| Value::String(text.into_iter().collect())).boxed()
        }
        Type::Data => vec(any::<i32>(), 0..4)
            .prop_map(|numbers| Value::data(&format!("{numbers:?}")).expect("a list of numbers is JSON"))
            .boxed(),
        Type::List(element) if **element == Type::U8 => {
            vec(any::<u8>(), 0..80).prop_map(Value::Bytes).boxed()
        }
        Type::List(element) => vec(value(element), 0..4).prop_map(Value::List).boxed(),
        Type::FixedList(element, length) => {
            vec(value(element), *length as usize).prop_map(Value::List).boxed()
        }
        Type::Map(key, item) => {
            let ty = ty.clone();
            vec((value(key), value(item)), 0..4)
                .prop_map(move |entries| normal(&ty, Value::Map(entries)))
                .boxed()
        }
        Type::Record(fields) => {
            let names: Vec<Name> = fields.iter().map(|field| field.name.clone()).collect();
            let values: Vec<_> = fields.iter().map(|field| value(&field.ty)).collect();
            values.prop_map(move |values| Value::Record(names.iter().cloned().zip(values).collect())).boxed()
        }
        Type::Tuple(types) => types.iter().map(value).collect::<Vec<_>>().prop_map(Value::Tuple).boxed(),
        Type::Variant(cases) => {
            let case = proptest::sample::select(cases.to_vec());
            let carried = case.prop_flat_map(|case| (Just(case.name), payload(case.ty.as_ref())));
            carried.prop_map(|(name, payload)| Value::Variant(name, payload)).boxed()
        }
        Type::Enum(names) => proptest::sample::select(names.to_vec()).prop_map(Value::Enum).boxed(),
        Type::Option(some) => prop_oneof![Just(None), payload(Some(some))].prop_map(Value::Option).boxed(),
        Type::Result { ok, err } => {
            let ok = payload(ok.as_deref()).prop_map(|payload| Value::Result(Ok(payload)));
            let err = payload(err.as_deref()).prop_map(|payload| Value::Result(Err(payload)));
            prop_oneof![ok, err].boxed()
        }
        Type::Flags(names) => {
            let count = names.len();
            subsequence(names.to_vec(), 0..=count).prop_map(Value::Flags).boxed()
        }
    }
}

fn scalar() -> impl Strategy<Value = Type> {
    use Type::{Bool, Char, F32, F64, S8, S16, S32, S64, String, U8, U16, U32, U64};
    proptest::sample::select(vec![Bool, S8, U8, S16, U16, S32, U32, S64, U64, F32, F64, Char, String])
}

fn names() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(NAMES.to_vec(), 1..=NAMES.len()).prop_shuffle()
}

fn named<S: Strategy>(member: S) -> impl Strategy<Value = Vec<(&'static str, S::Value)>> {
    let names = subsequence(NAMES.to_vec(), 4).prop_shuffle();
    (names, vec(member, 1..4)).prop_map(|(names, members)| names.into_iter().zip(members).collect())
}

fn payload(ty: Option<&Type>) -> BoxedStrategy<Option<Box<Value>>> {
    match ty {
        Some(ty) => value(ty).prop_map(|value| Some(Box::new(value))).boxed(),
        None => Just(None).boxed(),
    }
}

/// Returns the type with a change at each place, as long as there are changes: 0 and 1 replace the type, 2 makes it an
/// option, 3 what an option holds, 4 turns its members around, 5 takes one away, 6 adds a field that may be absent, any
/// other leaves it alone.
fn changed(ty: &Type, changes: &mut impl Iterator<Item = (u8, Type)>) -> Type {
    let (change, other) = changes.next().unwrap_or((u8::MAX, Type::Bool));
    match (change, ty) {
        (0 | 1, _) => return other,
        (2, _) => return Type::option(ty.clone()),
        (3, Type::Option(some)) => return (**some).clone(),
        _ => {}
    }
    let mut inside = |ty: &Type| changed(ty, &mut *changes);
    match ty {
        Type::List(element) => Type::list(inside(element)),
        Type::FixedList(element, _) if change == 4 => Type::list(inside(element)),
        Type::FixedList(element, length) => Type::fixed_list(inside(element), *length),
        Type::Map(key, value) if change == 4 => Type::list(Type::tuple([inside(key), inside(value)])),
        Type::Map(key, value) => Type::map(inside(key), inside(value)),
        Type::Record(fields) => {
            let fields = fields.iter().map(|field| (field.name.clone(), inside(&field.ty)));
            let extra = (change == 6).then(|| (Name::from("extra"), Type::option(Type::Bool)));
            Type::record(rearranged(fields.chain(extra).collect(), change))
        }
        Type::Tuple(types) => Type::tuple(rearranged(types.iter().map(inside).collect(), change)),
        Type::Variant(cases) => {
            let cases = cases.iter().map(|case| (case.name.clone(), case.ty.as_ref().map(&mut inside)));
            Type::variant(rearranged(cases.collect(), change))
        }
        Type::Enum(names) => Type::enumeration(rearranged(names.to_vec(), change)),
        Type::Option(some) => Type::option(inside(some)),
        Type::Result { ok, err } => Type::result(ok.as_deref().map(&mut inside), err.as_deref().map(inside)),
        Type::Flags(names) => Type::flags(rearranged(names.to_vec(), change)),
        Type::Bool
        | Type::S8
        | Type::U8
        | Type::S16
        | Type::U16
        | Type::S32
        | Type::U32
        | Type::S64
        | Type::U64
        | Type::F32
        | Type::F64
        | Type::Char
        | Type::String
        | Type::Data => ty.clone(),
    }
}

fn rearranged<T>(mut members: Vec<T>, change: u8) -> Vec<T> {
    match change {
        4 => members.reverse(),
        5 => drop(members.pop()),
        _ => {}
    }
    members
}

fn normal(ty: &Type, value: Value) -> Value {
    ty.conform(value).unwrap()
}
