//! What holds for every type and every value of it.

use hostel_core::{Type, Value};
use proptest::{prelude::*, sample::Index};

use crate::{
    strategy::{ty, typed_pair, typed_value, typed_value_and_kin, value},
    wit,
};

proptest! {
    #[test]
    fn a_type_reads_back_from_wit_and_from_canonical_bytes(ty in ty()) {
        prop_assert_eq!(&wit::ty(&ty.to_string()), &ty);
        prop_assert_eq!(&Type::from_canonical(&ty.to_canonical().unwrap()).unwrap(), &ty);
    }

    #[test]
    fn a_value_in_normal_form_conforms_as_it_is((ty, value) in typed_value()) {
        prop_assert_eq!(ty.conform(value.clone()).unwrap(), value);
    }

    #[test]
    fn the_order_of_fields_flags_and_entries_does_not_matter((ty, value) in typed_value()) {
        prop_assert_eq!(ty.conform(backwards(value.clone())).unwrap(), value);
    }

    #[test]
    fn a_value_reads_back_from_wave((ty, value) in typed_value()) {
        let text = value.to_wave();
        prop_assert_eq!(Value::from_wave(&text, &ty).unwrap(), value, "{}", text);
    }

    #[test]
    fn a_value_reads_back_from_json((ty, value) in typed_value()) {
        let json = value.to_json(&ty);
        prop_assert_eq!(serde_json::to_string(&value.as_json(&ty)).unwrap(), json.to_string());
        prop_assert_eq!(Value::from_json(&json, &ty).unwrap(), value, "{}", json);
    }

    #[test]
    fn a_value_reads_back_from_canonical_bytes((ty, value) in typed_value()) {
        let bytes = value.to_canonical(&ty).unwrap();
        prop_assert_eq!(Value::from_canonical(&bytes).unwrap(), (ty, value));
    }

    #[test]
    fn canonical_bytes_are_prefix_and_payload((ty, value) in typed_value()) {
        let mut bytes = ty.to_canonical().unwrap();
        ty.encode_payload(&value, &mut bytes).unwrap();
        prop_assert_eq!(bytes, value.to_canonical(&ty).unwrap());
    }

    #[test]
    fn values_of_one_type_are_equal_if_their_bytes_are((ty, a, b) in typed_pair()) {
        let same_bytes = a.to_canonical(&ty).unwrap() == b.to_canonical(&ty).unwrap();
        prop_assert_eq!(same_bytes, a == b);
    }

    #[test]
    fn values_of_two_types_have_different_bytes((ty, a) in typed_value(), (other, b) in typed_value()) {
        let same_bytes = a.to_canonical(&ty).unwrap() == b.to_canonical(&other).unwrap();
        prop_assert_eq!(same_bytes, (ty, a) == (other, b));
    }

    #[test]
    fn random_bytes_are_refused_or_canonical(mut bytes in proptest::collection::vec(0..0x20_u8, 0..40)) {
        bytes.insert(0, 1);
        is_refused_or_canonical(&bytes)?;
    }

    #[test]
    fn damaged_bytes_are_refused_or_canonical(
        (ty, value) in typed_value(), at in any::<Index>(), byte in any::<u8>(), damage in 0..4_u8,
    ) {
        let mut bytes = value.to_canonical(&ty).unwrap();
        let at = at.index(bytes.len());
        match damage {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            2 => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
        is_refused_or_canonical(&bytes)?;
    }

    #[test]
    fn a_value_of_another_type_is_refused_by_all_or_conforms((ty, value) in typed_value(), other in ty()) {
        let _ = other.encode_payload(&value, &mut Vec::new());
        let _ = value.to_json(&other);
        let _ = Value::from_wave(&value.to_wave(), &other);
        let _ = Value::from_json(&value.to_json(&ty), &other);
        if let Ok(conformed) = other.conform(value) {
            prop_assert!(conformed.to_canonical(&other).is_ok());
        }
    }

    #[test]
    fn a_type_may_take_its_own_values(ty in ty()) {
        prop_assert_eq!(ty.may_take(&ty), Ok(()));
    }

    #[test]
    fn what_a_type_may_not_take_does_not_conform((source, value, kin) in typed_value_and_kin(), other in ty()) {
        for ty in [kin, other] {
            if let Err(error) = ty.may_take(&source) {
                let conformed = ty.conform(value.clone());
                prop_assert!(conformed.is_err() || is_hollow(&value), "{} <- {}: {}", ty, source, error);
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\](){}:,\"'a-c0-2 %\\\\.-]{0,16}", ty in ty()) {
        if let Err(error) = Value::from_wave(&text, &ty) {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn wasm_wave_writes_the_same_text((ty, value) in typed_value()) {
        if let Some(their_ty) = their_type(&ty) {
            let text = value.to_wave();
            let theirs: wasm_wave::value::Value = wasm_wave::from_str(&their_ty, &text).unwrap();
            prop_assert_eq!(wasm_wave::to_string(&theirs).unwrap(), text);
        }
    }

    #[test]
    fn a_float_is_written_with_its_shortest_digits(number in any::<f32>().prop_filter("finite", |f| f.is_finite())) {
        let json = Value::F32(number).to_json(&Type::F32).to_string();
        prop_assert_eq!(json.parse::<f32>().unwrap().to_bits(), number.to_bits());
    }

    #[test]
    fn no_canonical_form_is_shorter_than_the_least((ty, value) in typed_value()) {
        prop_assert!(value.least_canonical_bytes() <= value.to_canonical(&ty).unwrap().len());
    }

    #[test]
    fn a_footprint_is_at_least_what_the_bytes_need(bytes in value(&Type::list(Type::U8))) {
        let Value::Bytes(held) = &bytes else { unreachable!() };
        prop_assert!(bytes.footprint() >= held.len());
    }
}

fn is_refused_or_canonical(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok((ty, value)) = Value::from_canonical(bytes) {
        prop_assert_eq!(value.to_canonical(&ty).unwrap(), bytes);
        prop_assert_eq!(ty.conform(value.clone()).unwrap(), value);
    }
    Ok(())
}

/// Returns whether there is a list, map or set of flags in the value without anything in it, or an absent option.
fn is_hollow(value: &Value) -> bool {
    let inside = |payload: &Option<Box<Value>>| payload.as_deref().is_some_and(is_hollow);
    match value {
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(items) => items.is_empty() || items.iter().any(is_hollow),
        Value::Map(entries) => {
            entries.is_empty() || entries.iter().any(|(k, v)| is_hollow(k) || is_hollow(v))
        }
        Value::Record(fields) => fields.iter().any(|(_, value)| is_hollow(value)),
        Value::Tuple(items) => items.iter().any(is_hollow),
        Value::Variant(_, payload) | Value::Result(Ok(payload) | Err(payload)) => inside(payload),
        Value::Option(payload) => payload.is_none() || inside(payload),
        Value::Flags(names) => names.is_empty(),
        Value::Bool(_)
        | Value::S8(_)
        | Value::U8(_)
        | Value::S16(_)
        | Value::U16(_)
        | Value::S32(_)
        | Value::U32(_)
        | Value::S64(_)
        | Value::U64(_)
        | Value::F32(_)
        | Value::F64(_)
        | Value::Char(_)
        | Value::String(_)
        | Value::Enum(_) => false,
    }
}

/// Turns around everything whose order carries no meaning.
fn backwards(value: Value) -> Value {
    let inside = |payload: Option<Box<Value>>| payload.map(|payload| Box::new(backwards(*payload)));
    match value {
        Value::Record(fields) => {
            Value::Record(fields.into_iter().rev().map(|(name, value)| (name, backwards(value))).collect())
        }
        Value::Flags(names) => Value::Flags(names.into_iter().rev().collect()),
        Value::Map(entries) => {
            Value::Map(entries.into_iter().rev().map(|(k, v)| (backwards(k), backwards(v))).collect())
        }
        Value::List(items) => Value::List(items.into_iter().map(backwards).collect()),
        Value::Tuple(items) => Value::Tuple(items.into_iter().map(backwards).collect()),
        Value::Variant(name, payload) => Value::Variant(name, inside(payload)),
        Value::Option(payload) => Value::Option(inside(payload)),
        Value::Result(outcome) => Value::Result(outcome.map(inside).map_err(inside)),
        scalar @ (Value::Bool(_)
        | Value::S8(_)
        | Value::U8(_)
        | Value::S16(_)
        | Value::U16(_)
        | Value::S32(_)
        | Value::U32(_)
        | Value::S64(_)
        | Value::U64(_)
        | Value::F32(_)
        | Value::F64(_)
        | Value::Char(_)
        | Value::String(_)
        | Value::Bytes(_)
        | Value::Enum(_)) => scalar,
    }
}

/// Returns the type in wasm-wave's own terms, which lack maps and, for reading, fixed-length lists.
fn their_type(ty: &Type) -> Option<wasm_wave::value::Type> {
    use wasm_wave::value::Type as Theirs;
    let payload = |ty: Option<&Type>| match ty {
        Some(ty) => their_type(ty).map(Some),
        None => Some(None),
    };
    match ty {
        Type::Bool => Some(Theirs::BOOL),
        Type::S8 => Some(Theirs::S8),
        Type::U8 => Some(Theirs::U8),
        Type::S16 => Some(Theirs::S16),
        Type::U16 => Some(Theirs::U16),
        Type::S32 => Some(Theirs::S32),
        Type::U32 => Some(Theirs::U32),
        Type::S64 => Some(Theirs::S64),
        Type::U64 => Some(Theirs::U64),
        Type::F32 => Some(Theirs::F32),
        Type::F64 => Some(Theirs::F64),
        Type::Char => Some(Theirs::CHAR),
        Type::String => Some(Theirs::STRING),
        Type::List(element) => their_type(element).map(Theirs::list),
        Type::FixedList(..) | Type::Map(..) | Type::Data => None,
        Type::Record(fields) => {
            let fields: Option<Vec<_>> =
                fields.iter().map(|f| Some((&*f.name, their_type(&f.ty)?))).collect();
            Theirs::record(fields?)
        }
        Type::Tuple(types) => Theirs::tuple(types.iter().map(their_type).collect::<Option<Vec<_>>>()?),
        Type::Variant(cases) => {
            let cases: Option<Vec<_>> =
                cases.iter().map(|c| Some((&*c.name, payload(c.ty.as_ref())?))).collect();
            Theirs::variant(cases?)
        }
        Type::Enum(names) => Theirs::enum_ty(names.iter().map(|name| &**name)),
        Type::Option(some) => their_type(some).map(Theirs::option),
        Type::Result { ok, err } => Some(Theirs::result(payload(ok.as_deref())?, payload(err.as_deref())?)),
        Type::Flags(names) => Theirs::flags(names.iter().map(|name| &**name)),
    }
}
