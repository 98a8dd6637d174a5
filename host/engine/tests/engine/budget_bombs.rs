//! Components that reach no bound alone, and take too much memory or time all together.

use hostel_engine::Bound;

use crate::bombs::{assembled, check_bound, loaded};

/// A component with so many functions, segments of data, globals and elements, the last three set by code.
fn mixed(functions: usize, data: usize, globals: usize, elements: usize) -> Vec<u8> {
    let data: String = (0..data).map(|number| format!("(data (i32.const {}) \"x\")", number * 300)).collect();
    assembled(&format!(
        "(component (core module (type $t (func)) (memory 100) (table {elements} funcref) (func $f (type $t)) {}
            {} {data} (elem (i32.const 0) funcref {})))",
        "(func (type $t))".repeat(functions),
        "(global funcref (ref.func $f))".repeat(globals),
        "(ref.func $f)".repeat(elements),
    ))
}

#[test]
fn what_each_may_have_alone_nobody_may_have_together() {
    loaded(&mixed(5_000, 500, 500, 2_000));
    check_bound(&mixed(100_000, 10, 10, 79_000), Bound::Memory);
    check_bound(&mixed(60_000, 19_000, 15_000, 10), Bound::Memory);
    check_bound(&mixed(60_000, 15_000, 10_000, 75_000), Bound::Memory);
    check_bound(&mixed(50_000, 16_000, 19_000, 1_000), Bound::Memory);
    check_bound(&mixed(30_000, 18_000, 19_000, 60_000), Bound::Memory);
}

#[test]
fn time_is_bounded_as_memory_is() {
    let of = |lowered: usize, functions: usize| {
        let each = |line: &str| {
            (0..lowered).map(|number| line.replace('N', &number.to_string())).collect::<String>()
        };
        assembled(&format!(
            r#"(component (type $f (func (param "x" (tuple {}))))
            (import "a" (instance $a (alias outer 1 $f (type $f)) {}))
            (core module $m (memory (export "m") 1) {})
            (core instance $i (instantiate $m)) {})"#,
            "string ".repeat(100),
            each(r#"(export "fN" (func (type $f)))"#),
            "(func)".repeat(functions),
            each(r#"(core func (canon lower (func $a "fN") (memory (core memory $i "m"))))"#),
        ))
    };
    loaded(&of(100, 1_000));
    check_bound(&of(180, 40_000), Bound::Time);
}

#[test]
fn names_of_functions_are_bounded_and_other_custom_sections_are_not() {
    use wasm_encoder::{CustomSection, Module};
    let with = |name: &str, bytes: usize| {
        let data = vec![0; bytes];
        let mut module = Module::new();
        module.section(&CustomSection { name: name.into(), data: (&*data).into() });
        crate::bombs::component(&module)
    };
    loaded(&with("names", (64 << 20) + 1));
    check_bound(&with("name", (64 << 20) + 1), Bound::FunctionNames);
}

#[test]
fn each_export_of_a_function_counts() {
    let exported = |times: usize| {
        let exports: String = (0..times).map(|number| format!("(export \"e{number}\" (func $f))")).collect();
        assembled(&format!("(component (core module (func $f) {exports}))"))
    };
    loaded(&exported(1_000));
    check_bound(&exported(50_000), Bound::Entries);
}
