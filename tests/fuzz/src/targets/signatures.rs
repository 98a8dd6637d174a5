//! Any type in the signature of a component: what is inspected is what was written.

use arbitrary::{Result, Unstructured};
use hostel_core::{Case, Field, Type};

use super::components;
use crate::{Target, typed};

pub(super) const TARGET: Target = Target::new("signatures", run, 800);

fn run(bytes: &[u8]) {
    let _ = try_run(&mut Unstructured::new(bytes));
}

fn try_run(input: &mut Unstructured<'_>) -> Result<()> {
    let (param, result) = (typed::ty(input)?, typed::ty(input)?);
    let text = component(&param, &result);
    let component = match components::load(text.as_bytes()) {
        Ok(component) => component,
        // No component has a fixed-length list of nothing, and keys of maps are simple.
        Err(error) => {
            assert!(text.contains("(map ") || text.contains(" 0)"), "{error}: {text}");
            return Ok(());
        }
    };
    let export = component.exports().first().expect("it exports a function");
    let signature = export.callable.as_ref().unwrap_or_else(|reason| panic!("{reason}: {text}"));
    let params: Vec<_> = signature.params.iter().map(|param| (&*param.name, &param.ty)).collect();
    assert_eq!(
        (params.as_slice(), signature.result.as_ref()),
        (&[("a", &param)][..], Some(&result)),
        "{text}"
    );
    Ok(())
}

/// Returns the text of a component with a function that takes and gives these.
fn component(param: &Type, result: &Type) -> String {
    let mut names = Names::default();
    let (param_text, result_text) = (names.of(param), names.of(result));
    let core_param = flat_within(param, MAX_FLAT_PARAMS).join(" ");
    let core_result = flat_within(result, MAX_FLAT_RESULTS).join(" ");
    format!(
        r#"(component
{}(core module $m
  (memory (export "memory") 1)
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
  (func (export "g") (param {core_param}) (result {core_result}) unreachable))
(core instance $i (instantiate $m))
(alias core export $i "memory" (core memory $memory))
(func (export "g") (param "a" {param_text}) (result {result_text})
  (canon lift (core func $i "g") (memory $memory) (realloc (core func $i "realloc")))))"#,
        names.definitions
    )
}

/// How many values a core function takes and returns before they are in memory (Canonical ABI, "Flattening").
const MAX_FLAT_PARAMS: usize = 16;
const MAX_FLAT_RESULTS: usize = 1;

fn flat_within(ty: &Type, most: usize) -> Vec<&'static str> {
    let flat = flat(ty);
    if flat.len() > most { vec!["i32"] } else { flat }
}

/// Returns the core types that a value is passed as.
fn flat(ty: &Type) -> Vec<&'static str> {
    let cases = |cases: &mut dyn Iterator<Item = Option<&Type>>| {
        let mut all = vec!["i32"];
        for case in cases.flatten() {
            for (place, core) in flat(case).into_iter().enumerate() {
                match all.get_mut(place + 1) {
                    None => all.push(core),
                    Some(other) if *other == core => {}
                    Some(other) => {
                        *other =
                            if [*other, core].iter().all(|ty| ty.ends_with("32")) { "i32" } else { "i64" }
                    }
                }
            }
        }
        all
    };
    match ty {
        Type::S64 | Type::U64 => vec!["i64"],
        Type::F32 => vec!["f32"],
        Type::F64 => vec!["f64"],
        Type::String | Type::List(_) | Type::Map(..) => vec!["i32", "i32"],
        Type::FixedList(element, length) => (0..*length).flat_map(|_| flat(element)).collect(),
        Type::Record(fields) => fields.iter().flat_map(|field| flat(&field.ty)).collect(),
        Type::Tuple(types) => types.iter().flat_map(flat).collect(),
        Type::Variant(all) => cases(&mut all.iter().map(|case| case.ty.as_ref())),
        Type::Option(some) => cases(&mut [Some(&**some)].into_iter()),
        Type::Result { ok, err } => cases(&mut [ok.as_deref(), err.as_deref()].into_iter()),
        _ => vec!["i32"],
    }
}

/// Types that have to have a name, exported, where a function is that has them.
#[derive(Default)]
struct Names {
    definitions: String,
    count: usize,
}

impl Names {
    /// Returns a type as text, after what it is made of was defined.
    fn of(&mut self, ty: &Type) -> String {
        match ty {
            Type::Record(fields) => {
                let field = |Field { name, ty }: &Field| format!("(field \"{name}\" {})", self.of(ty));
                let fields: Vec<_> = fields.iter().map(field).collect();
                self.named(&format!("(record {})", fields.join(" ")))
            }
            Type::Variant(cases) => {
                let case = |Case { name, ty }: &Case| match ty {
                    Some(ty) => format!("(case \"{name}\" {})", self.of(ty)),
                    None => format!("(case \"{name}\")"),
                };
                let cases: Vec<_> = cases.iter().map(case).collect();
                self.named(&format!("(variant {})", cases.join(" ")))
            }
            Type::Enum(names) => self.named(&format!("(enum \"{}\")", names.join("\" \""))),
            Type::Flags(names) => self.named(&format!("(flags \"{}\")", names.join("\" \""))),
            Type::List(element) => format!("(list {})", self.of(element)),
            Type::FixedList(element, length) => format!("(list {} {length})", self.of(element)),
            Type::Map(key, value) => format!("(map {} {})", self.of(key), self.of(value)),
            Type::Tuple(types) => {
                let types: Vec<_> = types.iter().map(|ty| self.of(ty)).collect();
                format!("(tuple {})", types.join(" "))
            }
            Type::Option(some) => format!("(option {})", self.of(some)),
            Type::Result { ok, err } => {
                let ok = ok.as_deref().map(|ok| format!(" {}", self.of(ok))).unwrap_or_default();
                let err = err.as_deref().map(|err| format!(" (error {})", self.of(err))).unwrap_or_default();
                format!("(result{ok}{err})")
            }
            scalar => scalar.to_string(),
        }
    }

    fn named(&mut self, definition: &str) -> String {
        let number = self.count;
        self.count += 1;
        self.definitions += &format!("(type $t{number} {definition})\n");
        self.definitions += &format!("(export $e{number} \"t{number}\" (type $t{number}))\n");
        format!("$e{number}")
    }
}
