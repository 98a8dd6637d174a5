//! Components whose types and instances are small in the file, and large wherever they are used: each use counts as all of it.

use hostel_engine::Bound;

use crate::bombs::{assembled, check_bound, component, loaded};

/// A tuple of so many tuples of 900 numbers, as `$t`. It is walked through wherever it is used.
fn large(tuples: usize) -> String {
    format!("(type $s (tuple {})) (type $t (tuple {}))", "u8 ".repeat(900), "$s ".repeat(tuples))
}

/// The number of types in it.
fn nodes(tuples: usize) -> usize {
    1 + tuples * 901
}

/// A component with this type, a module, and so many times a line in which `N` is a number.
fn uses(tuples: usize, before: &str, line: &str, times: usize) -> Vec<u8> {
    let types = large(tuples);
    let lines: String = (0..times).map(|number| line.replace('N', &number.to_string())).collect();
    assembled(&format!(
        r#"(component (core module $m (memory (export "m") 1) (func (export "f") (param i32))
            (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable))
            (core instance $i (instantiate $m)) {types} {before} {lines})"#
    ))
}

#[test]
fn each_use_of_a_type_counts_as_all_of_it() {
    let lift = r#"(func (type $f) (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r"))))"#;
    let lower = r#"(core func (canon lower (func $l) (memory (core memory $i "m"))))"#;
    let stream = "(core func (canon stream.new $g))";
    let function = r#"(type $f (func (param "x" $t)))"#;
    let import = format!(r#"{function} (import "l" (func $l (type $f)))"#);
    for (what, before, line) in [
        ("lifted", function, lift),
        ("lowered", &import, lower),
        ("returned", "", r#"(core func (canon task.return (result $t) (memory (core memory $i "m"))))"#),
        ("sent by streams", "(type $g (stream $t))", stream),
        ("imported", function, r#"(import "iN" (func (type $f)))"#),
        ("imported as it is", "", r#"(import "iN" (type (eq $t)))"#),
        ("taken by a component", "", "(component (alias outer 1 $t (type)))"),
        ("taken by a type", "", "(type (instance (alias outer 1 $t (type))))"),
    ] {
        loaded(&uses(10, before, line, 3));
        let bound = if what == "lowered" { Bound::Passed } else { Bound::Compared };
        let tuples = 500;
        let bytes = uses(tuples, before, line, 1 + 10_000_000 / nodes(tuples));
        check_bound(&bytes, bound);
    }
}

#[test]
fn uses_of_types_are_bounded_in_total() {
    let lift = r#"(func (type $f) (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r"))))"#;
    let lifts = |times| uses(110, r#"(type $f (func (param "x" $t)))"#, lift, times);
    // The function is one more.
    let most = 10_000_000 / (nodes(110) + 1);
    loaded(&lifts(most));
    check_bound(&lifts(most + 1), Bound::Compared);
}

/// An instance type of so many resources, as `$t`.
fn resources(count: usize) -> String {
    let exports: String =
        (0..count).map(|number| format!(r#"(export "r{number}" (type (sub resource)))"#)).collect();
    format!("(type $t (instance {exports}))")
}

#[test]
fn resources_are_created_again_wherever_their_instance_is_imported() {
    let imports = |count: usize| {
        (0..count).map(|number| format!(r#"(import "i{number}" (instance (type $t)))"#)).collect::<String>()
    };
    let exports = |count: usize| imports(count).replace("import", "export");
    let types = resources(900);
    // One after the other in the file, without the section of types between them.
    let same = r#"(import "t" (type $u (eq $t)))"#;
    let again = imports(400).replace("$t", "$u");
    for text in [
        format!("(component {types} {})", imports(400)),
        format!("(component {})", format!("(component {types} {})", imports(90)).repeat(8)),
        format!("(component (type (instance {types} {})))", exports(400)),
        format!("(component (type (component {types} {})))", imports(400)),
        format!("(component {types} {same} {again})"),
    ] {
        check_bound(&assembled(&text), Bound::Copied);
    }
    loaded(&assembled(&format!("(component {types} {})", imports(20))));
}

#[test]
fn what_instances_export_is_copied_wherever_they_are_used() {
    let exports: String = (0..900).map(|number| format!(r#"(export "f{number}" (func))"#)).collect();
    let of = |line: &str, times: usize| {
        let import = format!(r#"(import "i" (instance $i {exports}))"#);
        let inner = r#"(component $c (import "i" (instance)))"#;
        let lines: String = (0..times).map(|number| line.replace('N', &number.to_string())).collect();
        assembled(&format!("(component {import} {inner} {lines})"))
    };
    for line in [
        r#"(instance (instantiate $c (with "i" (instance $i))))"#,
        r#"(instance (export "a" (instance $i)))"#,
    ] {
        loaded(&of(line, 300));
        check_bound(&of(line, 340), Bound::Copied);
    }
}

#[test]
fn components_that_take_others_twice_do_not_double() {
    let doubling = |levels: usize| {
        let one = |level: usize| {
            let take = format!("(alias outer 1 $c{} (component))", level - 1);
            format!("(component $c{level} {take} {take})")
        };
        let all: String = (1..=levels).map(one).collect();
        assembled(&format!("(component (component $c0) {all})"))
    };
    loaded(&doubling(10));
    check_bound(&doubling(30), Bound::Copied);
}

#[test]
fn the_lists_of_resources_of_all_instances_are_bounded() {
    let of = |resources: usize, instances: usize| {
        let types = "(type (resource (rep i32)))".repeat(resources);
        let instances = "(instance (instantiate $e))".repeat(instances);
        let inner = format!("(component $d (component $e) {instances})");
        assembled(&format!("(component {types} {inner} {})", "(instance (instantiate $d))".repeat(9)))
    };
    loaded(&of(1_000, 900));
    check_bound(&of(9_000, 900), Bound::Listed);
    check_bound(&of(1, 1_200), Bound::Instances);
}

#[test]
fn fields_cases_and_names_are_counted() {
    let cases: String = (0..1_000).map(|number| format!("\"c{number}\" ")).collect();
    let of =
        |ty: &str, count: usize| assembled(&format!("(component {})", format!("(type {ty})").repeat(count)));
    let record: String = (0..1_000).map(|number| format!("(field \"f{number}\" u8)")).collect();
    let variant: String = (0..1_000).map(|number| format!("(case \"c{number}\")")).collect();
    let params: String = (0..1_000).map(|number| format!("(param \"p{number}\" u8)")).collect();
    for ty in [
        format!("(enum {cases})"),
        format!("(flags {})", cases.replace("\"c32\" ", "")),
        format!("(record {record})"),
        format!("(variant {variant})"),
        format!("(func {params})"),
        format!("(tuple {})", "u8 ".repeat(1_000)),
    ] {
        check_bound(&of(&ty, 502), Bound::Fields);
    }
    loaded(&of(&format!("(enum {cases})"), 500));
}

#[test]
fn declarations_are_bounded_in_length_before_they_are_read() {
    let names: String = (0..7_500).map(|number| format!("\"{}{number}\" ", "n".repeat(115))).collect();
    let of =
        |count: usize| assembled(&format!("(component {})", format!("(type (enum {names}))").repeat(count)));
    loaded(&of(4));
    check_bound(&of(5), Bound::Declared);
}

#[test]
fn instances_inside_each_other_are_bounded() {
    let chain = |levels: usize| {
        let all: String = (1..levels)
            .map(|level| format!(r#"(instance $i{level} (export "a" (instance $i{})))"#, level - 1))
            .collect();
        assembled(&format!(r#"(component (import "i" (instance $i0)) {all})"#))
    };
    loaded(&chain(100));
    check_bound(&chain(120), Bound::Nesting);
    check_bound(&chain(400), Bound::Nesting);
}

#[test]
fn imports_of_modules_count_each_time_they_are_instantiated() {
    let of = |imports: usize, instances: usize| {
        let imports: Vec<_> = (0..imports).map(|number| format!("f{number}")).collect();
        let exported: String = imports.iter().map(|name| format!("(export \"{name}\")")).collect();
        let imported: String =
            imports.iter().map(|name| format!("(import \"\" \"{name}\" (func))")).collect();
        let instances = r#"(core instance (instantiate $n (with "" (instance $i))))"#.repeat(instances);
        assembled(&format!(
            "(component (core module $m (func {exported})) (core module $n {imported})
             (core instance $i (instantiate $m)) {instances})"
        ))
    };
    loaded(&of(100, 100));
    check_bound(&of(9_000, 120), Bound::Definitions);
}

#[test]
fn globals_and_segments_are_counted_even_if_nothing_has_to_be_done_for_them() {
    use wasm_encoder::{ConstExpr, DataSection, GlobalSection, GlobalType, Module, ValType};
    let mut globals = GlobalSection::new();
    for _ in 0..200_001 {
        globals.global(
            GlobalType { val_type: ValType::I32, mutable: false, shared: false },
            &ConstExpr::i32_const(0),
        );
    }
    let mut module = Module::new();
    module.section(&globals);
    check_bound(&component(&module), Bound::Globals);
    let mut data = DataSection::new();
    for _ in 0..200_001 {
        data.passive([]);
    }
    let mut module = Module::new();
    module.section(&data);
    check_bound(&component(&module), Bound::Segments);
}

#[test]
fn functions_that_components_make_for_modules_count_in_each_instance() {
    let of = |functions: usize, instances: usize| {
        let drops = "(core func (canon resource.drop $r))".repeat(functions);
        let instances = "(instance (instantiate $c))".repeat(instances);
        assembled(&format!("(component (component $c (type $r (resource (rep i32))) {drops}) {instances})"))
    };
    loaded(&of(100, 240));
    check_bound(&of(100, 251), Bound::Lowered);
    check_bound(&of(25_001, 0), Bound::Lowered);
}
