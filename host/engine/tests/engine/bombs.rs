//! Components made to hurt whoever loads them: each is refused with a clear text, or is loaded like any other.

use std::fmt::Write;
use std::time::Duration;

use hostel_core::{Digest, ErrorKind};
use hostel_engine::{
    Bound, Component, Engine, EngineOptions, LoadError, MAX_COMPONENT_BYTES, MAX_TEXT_BYTES,
};
use wasm_encoder::{
    BlockType, CodeSection, CustomSection, ExportKind, ExportSection, Function, FunctionSection, HeapType,
    Instruction, Module, ModuleSection, NameMap, NameSection, NestedComponentSection, RawSection, RefType,
    TableSection, TableType, TypeSection, ValType,
};

use crate::{ENGINE, run_with};

pub(crate) fn loaded(bytes: &[u8]) -> Component {
    ENGINE.load_bytes(bytes).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn refused(bytes: &[u8]) -> LoadError {
    let error = ENGINE.load_bytes(bytes).err().expect("a refusal");
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().len() < 3_000, "{} bytes", error.to_string().len());
    error
}

/// The binary of a text that may be too long to be assembled by the engine.
pub(crate) fn assembled(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Checks what there was too much of, and how much was found where.
fn check_excess(bytes: &[u8], bound: Bound, found: u64, place: &str) {
    match refused(bytes) {
        LoadError::TooComplex(excess) => {
            assert_eq!((excess.bound, excess.found, &*excess.place), (bound, found, place), "{excess}");
        }
        other => panic!("expected an excess of {bound:?}, found {other}"),
    }
}

/// Checks what there was too much of.
pub(crate) fn check_bound(bytes: &[u8], bound: Bound) {
    match refused(bytes) {
        LoadError::TooComplex(excess) => assert_eq!(excess.bound, bound, "{excess}"),
        other => panic!("expected an excess of {bound:?}, found {other}"),
    }
}

/// A component of one module.
pub(crate) fn component(module: &Module) -> Vec<u8> {
    let mut component = wasm_encoder::Component::new();
    component.section(&ModuleSection(module));
    component.finish()
}

/// A module with functions of no parameters, the first of which it exports as `f`.
fn module(bodies: &[Function]) -> Module {
    module_of(bodies, false)
}

fn module_of(bodies: &[Function], with_table: bool) -> Module {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let (mut functions, mut code) = (FunctionSection::new(), CodeSection::new());
    for body in bodies {
        functions.function(0);
        code.function(body);
    }
    let mut exports = ExportSection::new();
    exports.export("f", ExportKind::Func, 0);
    module.section(&types).section(&functions);
    if with_table {
        let mut tables = TableSection::new();
        let (minimum, maximum) = (1, None);
        let element_type = RefType::FUNCREF;
        tables.table(TableType { element_type, minimum, maximum, table64: false, shared: false });
        module.section(&tables);
    }
    module.section(&exports).section(&code);
    module
}

/// The same, and a table.
fn module_with_table(bodies: &[Function]) -> Module {
    module_of(bodies, true)
}

fn body(locals: u32, instructions: impl IntoIterator<Item = Instruction<'static>>) -> Function {
    let mut body = Function::new((locals > 0).then_some((locals, ValType::I32)));
    for instruction in instructions {
        body.instruction(&instruction);
    }
    body.instruction(&Instruction::End);
    body
}

fn repeated(instructions: &[Instruction<'static>], count: usize) -> Vec<Instruction<'static>> {
    std::iter::repeat_n(instructions, count).flatten().cloned().collect()
}

/// So many blocks of one byte of code and two around it, beside each other.
fn blocks(count: usize) -> impl Iterator<Item = Instruction<'static>> {
    let block = [Instruction::Block(BlockType::Empty), Instruction::End];
    std::iter::repeat_n(block, count).flatten()
}

/// A component whose function takes the last of these types, each of which is defined by those before it. In core it has
/// these parameters.
fn of_types(params: &str, types: impl Iterator<Item = String>) -> String {
    let mut text = format!(
        r#"(component (core module $m (memory (export "m") 1) (func (export "f") (param {params}))
            (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable))
            (core instance $i (instantiate $m)) "#
    );
    let mut last = 0;
    for (number, ty) in types.enumerate() {
        write!(text, "(type $t{number} {ty})").unwrap();
        last = number;
    }
    write!(
        text,
        r#"(func (export "f") (param "x" $t{last})
            (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r")))))"#
    )
    .unwrap();
    text
}

/// Types of which each is twice the one before.
fn doubling(levels: usize) -> String {
    let tuple = |level: usize| match level.checked_sub(1) {
        None => "(tuple u8 u8)".to_owned(),
        Some(before) => format!("(tuple $t{before} $t{before})"),
    };
    of_types("i32", (0..levels).map(tuple))
}

/// The component in which `inner` stands so many levels deep.
fn nested(levels: usize) -> Vec<u8> {
    let mut bytes = wasm_encoder::Component::new();
    for _ in 0..levels {
        let mut outer = wasm_encoder::Component::new();
        outer.section(&NestedComponentSection(&bytes));
        bytes = outer;
    }
    bytes.finish()
}

/// A component in which one calls functions of another that take tuples of so many options, and so many pairs of the two.
fn adapters(functions: usize, values: usize, pairs: usize) -> String {
    let types = format!(
        r#"(type $t (tuple {})) (type $f (func (param "x" $t)))"#,
        vec!["(option u8)"; values].join(" ")
    );
    let memory = r#"(memory (export "m") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)"#;
    let each = |line: &dyn Fn(usize) -> String| (0..functions).map(line).collect::<Vec<_>>().join("\n");
    let lifted = each(&|n| {
        format!(
            r#"(func (export "f{n}") (type $f) (canon lift (core func $i "f{n}")
                (memory (core memory $i "m")) (realloc (core func $i "realloc"))))"#
        )
    });
    let lowered = each(&|n| {
        format!(
            r#"(core func $l{n} (canon lower (func $a "f{n}")
                (memory (core memory $i "m")) (realloc (core func $i "realloc"))))"#
        )
    });
    format!(
        r#"(component
        (component $callee
            (core module $m {memory} {bodies})
            (core instance $i (instantiate $m)) {types} {lifted})
        (component $caller {types}
            (import "a" (instance $a (alias outer $caller $f (type $f)) {exports}))
            (core module $m {memory}) (core instance $i (instantiate $m)) {lowered}
            (core module $u {imports})
            (core instance (instantiate $u (with "" (instance {given})))))
        {instances})"#,
        bodies = each(&|n| format!(r#"(func (export "f{n}") (param i32))"#)),
        exports = each(&|n| format!(r#"(export "f{n}" (func (type $f)))"#)),
        imports = each(&|n| format!(r#"(import "" "f{n}" (func (param i32)))"#)),
        given = each(&|n| format!(r#"(export "f{n}" (func $l{n}))"#)),
        instances = (0..pairs)
            .map(|n| format!(r#"(instance $a{n} (instantiate $callee)) (instance (instantiate $caller (with "a" (instance $a{n}))))"#))
            .collect::<String>(),
    )
}

#[test]
fn what_is_compared_when_components_are_instantiated_is_bounded() {
    // A type that has the one before it twice, and a component that imports the last.
    let doubling = |depth: usize, times: usize| {
        let types: String = (1..=depth)
            .map(|n| {
                format!(
                    r#"(type $p{n} (instance (export "a" (instance (type $p{0}))) (export "b" (instance (type $p{0})))))"#,
                    n - 1
                )
            })
            .collect();
        let types = format!("(type $p0 (instance)) {types}");
        let instances = r#"(instance (instantiate $c (with "i" (instance $i))))"#.repeat(times);
        format!(
            r#"(component (component $c {types} (import "i" (instance (type $p{depth})))) {types}
            (import "i" (instance $i (type $p{depth}))) {instances})"#
        )
    };
    check_bound(doubling(16, 900).as_bytes(), Bound::Compared);
    loaded(doubling(6, 3).as_bytes());
}

#[test]
fn functions_that_can_be_entered_from_outside_are_bounded_by_what_they_take() {
    let module = |functions: usize, refer: &str| {
        let (params, ways) = (vec![ValType::I64; 1_000], refer.contains("export"));
        let mut types = TypeSection::new();
        types.ty().function(params, []);
        let (mut section, mut code, mut exports) =
            (FunctionSection::new(), CodeSection::new(), ExportSection::new());
        for number in 0..functions as u32 {
            section.function(0);
            code.function(&body(0, vec![Instruction::Unreachable]));
            if ways {
                // Once more counts as much, and 20 in addition.
                exports.export(&format!("{number}"), ExportKind::Func, number);
                exports.export(&format!("again-{number}"), ExportKind::Func, number);
            }
        }
        let mut module = Module::new();
        module.section(&types).section(&section).section(&exports).section(&code);
        component(&module)
    };
    // The type counts, too.
    let entry = 24 + 1_000 + 1_000 * 1_000 / 500;
    check_excess(&module(1_000, "export"), Bound::Entries, 331 * entry + 329 * (entry + 20), "module 1");
    loaded(&module(20, "export"));
    loaded(&module(1_000, "nothing"));
    let elements = format!(
        r#"(component (core module (type $t (func (param {}))) (func $f (type $t) unreachable)
            (func $g (type $t) unreachable) (table 10 funcref) {}))"#,
        "i64 ".repeat(1_000),
        "(elem (i32.const 0) func $f $g $f) (elem declare funcref (ref.func $g))".repeat(300)
    );
    loaded(elements.as_bytes());
}

#[test]
fn values_that_wait_for_each_other_are_bounded_without_any_branch() {
    let too_much_work =
        |operators: Vec<Instruction<'static>>| match refused(&component(&module(&[body(1, operators)]))) {
            LoadError::TooComplex(excess) => assert_eq!(excess.bound, Bound::BodyWork, "{excess}"),
            other => panic!("{other}"),
        };
    let constant = |number: usize| Instruction::F32Const((number as f32).into());
    let sum = |count: usize| {
        let constants = (0..count).map(constant);
        let adds = repeated(&[Instruction::F32Add], count - 1);
        constants.chain(adds).chain([Instruction::Drop]).collect::<Vec<_>>()
    };
    too_much_work(sum(10_000));
    loaded(&component(&module(&[body(1, sum(1_000))])));
    // Never more than two on the stack.
    let chain = |count: usize| {
        let adds = (0..count).flat_map(|number| [constant(number), Instruction::F32Add]);
        [constant(0)].into_iter().chain(adds).chain([Instruction::Drop]).collect::<Vec<_>>()
    };
    too_much_work(chain(20_000));
    loaded(&component(&module(&[body(1, chain(2_000))])));
}

/// A function of two chains: each value of the second needs one of the first, and the last of the first is used before.
fn two_chains(first: &[Instruction<'static>], second: Instruction<'static>, links: usize) -> Function {
    let (get, set) = (Instruction::LocalGet, Instruction::LocalSet);
    let other = [Instruction::LocalTee(0), get(1), second, set(1)];
    let link = [&[get(0)][..], first, &other].concat();
    body(2, [repeated(&link, links), vec![get(0), set(0), get(1), Instruction::Drop]].concat())
}

#[test]
fn values_that_are_live_at_once_are_bounded_by_the_operators_that_compute_them() {
    use Instruction::{I32Add, I32Clz, I32Xor, LocalGet};
    let double = [LocalGet(0), I32Add];
    assert!(loaded(&component(&module(&[two_chains(&double, I32Xor, 1_000)]))).is_optimised());
    // The optimising compiler takes more than two seconds for this one.
    let mut options = EngineOptions::default();
    (options.max_instances, options.optimise) = (16, false);
    let engine = Engine::new(options).unwrap();
    let slow = engine.load_bytes(&component(&module(&[two_chains(&double, I32Xor, 10_000)]))).unwrap();
    assert_eq!(slow.is_optimised(), !cfg!(target_arch = "x86_64"));
    // Sixty of these have exactly as much as is allowed.
    let many = component(&module(&vec![two_chains(&double, I32Xor, 10_000); 61]));
    check_excess(&many, Bound::Squares, 61 * 20_000 * 20_000, "module 1");
    // Operators other than plain ones on integers count as three.
    let others = component(&module(&vec![two_chains(&[I32Clz], I32Xor, 10_000); 16]));
    check_excess(&others, Bound::Squares, 16 * 40_000 * 40_000, "module 1");
}

#[test]
fn rows_of_constants_cost_what_the_compiler_makes_of_them() {
    let row = |operators: &[Instruction<'static>], count: usize| {
        component(&module(&[body(
            1,
            [vec![Instruction::LocalGet(0)], repeated(operators, count), vec![Instruction::Drop]].concat(),
        )]))
    };
    let one = [Instruction::I32Const(1), Instruction::I32Add];
    loaded(&row(&one, 10_000));
    match refused(&row(&one, 100_000)) {
        LoadError::TooComplex(excess) => assert_eq!(excess.bound, Bound::BodyExtra, "{excess}"),
        other => panic!("{other}"),
    }
    let apart = [Instruction::I32Const(1), Instruction::Nop, Instruction::I32Add];
    match refused(&row(&apart, 200_000)) {
        LoadError::TooComplex(excess) => assert_eq!(excess.bound, Bound::BodyExtra, "{excess}"),
        other => panic!("{other}"),
    }
}

#[test]
fn instances_that_double_are_not_listed() {
    let doubling = |depth: usize| {
        let instances: String = (1..=depth)
            .map(|n| {
                format!(
                    r#"(instance $i{n} (export "a" (instance $i{0})) (export "b" (instance $i{0})))"#,
                    n - 1
                )
            })
            .collect();
        format!(
            r#"(component (core module $m (func (export "f"))) (core instance $c (instantiate $m))
                (func $f (canon lift (core func $c "f"))) (instance $i0 (export "f" (func $f))) {instances}
                (export "i" (instance $i{depth})))"#
        )
    };
    check_bound(doubling(16).as_bytes(), Bound::Copied);
    check_bound(doubling(12).as_bytes(), Bound::Externs);
    assert_eq!(loaded(doubling(4).as_bytes()).exports().len(), 16);
    // What is imported by such a type and never instantiated costs as much.
    let types: String = (1..=16)
        .map(|n| {
            let before = n - 1;
            format!(r#"(type $p{n} (instance (export "a" (instance (type $p{before}))) (export "b" (instance (type $p{before})))))"#)
        })
        .collect();
    let imports = r#"(component (import "i" (instance (type $p16))))"#.repeat(100);
    match refused(format!("(component (type $p0 (instance)) {types} {imports})").as_bytes()) {
        LoadError::TooComplex(excess) => assert_eq!(excess.bound, Bound::Compared, "{excess}"),
        other => panic!("{other}"),
    }
}

#[test]
fn tables_that_begin_with_a_function_enter_it() {
    let of = |functions: usize| {
        let tables: String = (0..functions).map(|n| format!("(table 1 funcref (ref.func $f{n}))")).collect();
        let functions: String =
            (0..functions).map(|n| format!("(func $f{n} (type $t) unreachable)")).collect();
        assembled(&format!(
            "(component (core module (type $t (func (param {}))) {functions} {tables}))",
            "i64 ".repeat(1_000)
        ))
    };
    check_excess(&of(1_000), Bound::Entries, 662 * (24 + 1_000 + 2_000), "module 1");
}

#[test]
fn what_components_pass_to_each_other_is_bounded_in_all_their_instances() {
    loaded(adapters(10, 40, 2).as_bytes());
    // Each pair has so many functions, and each of these 40 + 1 + 3 × 100 units.
    let of_pair = 400 * (40 + 1 + 3 * 100);
    check_excess(adapters(400, 100, 9).as_bytes(), Bound::Passed, 8 * of_pair, "component 0");
}

#[test]
fn types_that_double_are_not_written_down() {
    let loaded = loaded(doubling(16).as_bytes());
    let reason = loaded.exports()[0].callable.as_ref().unwrap_err();
    assert_eq!(reason, "the text of its signature is over 256 KiB");
    assert!(self::loaded(doubling(10).as_bytes()).function(Some("f")).is_ok());
    check_bound(doubling(60).as_bytes(), Bound::Compared);
}

#[test]
fn many_signatures_have_a_bound_together() {
    let mut text = doubling(10);
    text.pop();
    for number in 0..100 {
        let lift =
            r#"(canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r")))"#;
        write!(text, r#"(func (export "f{number}") (param "x" $t9) {lift})"#).unwrap();
    }
    text.push(')');
    let loaded = loaded(text.as_bytes());
    let callable = loaded.exports().iter().filter(|export| export.callable.is_ok()).count();
    assert_eq!((loaded.exports().len(), callable), (101, 7));
    let last = loaded.exports()[100].callable.as_ref().unwrap_err();
    assert!(last.starts_with("the texts of all signatures of the component are over 1 MiB"), "{last}");
}

#[test]
fn types_may_nest_as_deep_as_values_can_be_written() {
    let lists = |levels: usize| {
        let list = |level: usize| match level.checked_sub(1) {
            None => "(list u8)".to_owned(),
            Some(before) => format!("(list $t{before})"),
        };
        of_types("i32 i32", (0..levels).map(list))
    };
    let deepest = loaded(lists(99).as_bytes()).function(Some("f")).unwrap();
    let value = format!("{}{}", "[".repeat(99), "]".repeat(99));
    let arguments = hostel_core::Arguments::new().positional(&*value);
    assert_eq!(deepest.signature().bind_text(arguments).unwrap()[0].to_wave(), value);
    for levels in [101, 10_000] {
        let error = refused(lists(levels).as_bytes()).to_string();
        assert!(error.contains("type nesting is too deep"), "{levels}: {error}");
    }
}

#[test]
fn declarations_inside_each_other_do_not_overflow_the_stack() {
    let nested = |levels: usize, kind: u8| {
        let mut data = vec![1, kind];
        for _ in 1..levels {
            data.extend([1, 1, kind]);
        }
        data.push(0);
        let mut bytes = wasm_encoder::Component::new();
        bytes.section(&RawSection { id: 7, data: &data });
        bytes.finish()
    };
    for kind in [0x41, 0x42] {
        loaded(&nested(200, kind));
        check_excess(&nested(201, kind), Bound::TypeDepth, 201, "component 0");
        check_excess(&nested(1_000_000, kind), Bound::TypeDepth, 1_000_000, "component 0");
    }
}

#[test]
fn thousands_of_exports_are_inspected_and_more_are_refused() {
    let exports = |count: usize| {
        let mut text = String::from(
            r#"(component (core module $m (func (export "f") (result i32) i32.const 1))
                (core instance $i (instantiate $m))"#,
        );
        for number in 0..count {
            let lift = r#"(canon lift (core func $i "f"))"#;
            write!(text, r#"(func (export "f{number}") (result u32) {lift})"#).unwrap();
        }
        text + ")"
    };
    let component = loaded(exports(5_000).as_bytes());
    assert_eq!(component.exports().len(), 5_000);
    assert!(component.function(Some("f4999")).is_ok());
    let error = component.function(Some("g")).unwrap_err().to_string();
    assert!(error.ends_with(", f19 and 4980 more"), "{error}");
    check_excess(&assembled(&exports(10_001)), Bound::Externs, 10_001, "component 0");
}

#[test]
fn long_names_are_refused_or_cut_wherever_they_stand() {
    let long = "n".repeat(1_000_000);
    let some = "n".repeat(1_001);
    let of = |export: &str, import: &str, param: &str, field: &str| {
        format!(
            r#"(component (import "{import}" (instance))
                (core module $m (func (export "f") (param i32))) (core instance $i (instantiate $m))
                (type $r' (record (field "{field}" u32))) (export $r "r" (type $r'))
                (func (export "{export}") (param "{param}" $r) (canon lift (core func $i "f"))))"#
        )
    };
    loaded(of("e", "i", "p", "f").as_bytes());
    for text in [of(&some, "i", "p", "f"), of("e", &some, "p", "f"), of("e", "i", &some, "f")] {
        check_excess(text.as_bytes(), Bound::Name, 1_001, "component 0");
    }
    loaded(of("e", "i", "p", &"f".repeat(128)).as_bytes());
    for ty in ["(record (field LABEL u32))", "(variant (case LABEL))", "(enum LABEL)", "(flags LABEL)"] {
        let label = format!("\"{}\"", "f".repeat(129));
        let text = format!("(component (type $t {}))", ty.replace("LABEL", &label));
        check_excess(text.as_bytes(), Bound::Label, 129, "component 0");
    }
    for text in [
        of(&long, "i", "p", "f"),
        of("e", &long, "p", "f"),
        of("e", "i", &long, "f"),
        of("e", "i", "p", &long),
    ] {
        assert!(matches!(refused(&assembled(&text)), LoadError::Malformed(_)));
    }
    // Of a section that is skipped nothing matters.
    let mut bytes = wasm_encoder::Component::new();
    bytes.section(&CustomSection { name: "n".repeat(90_000).into(), data: [][..].into() });
    loaded(&bytes.finish());
}

#[tokio::test]
async fn a_long_name_of_a_function_is_cut_in_a_backtrace() {
    for bytes in [90_000, 1_000_000] {
        let mut module = module(&[body(0, [Instruction::Unreachable])]);
        let (mut functions, mut names) = (NameMap::new(), NameSection::new());
        functions.append(0, &"n".repeat(bytes));
        names.functions(&functions);
        module.section(&names);
        let binary = exporting(&module);
        let function = loaded(&binary).function(Some("f")).unwrap();
        let ran = run_with(&function, &[], hostel_core::Limits::default()).await;
        let [frame] = &*ran.trap().backtrace else { panic!("{:?}", ran.trap()) };
        assert_eq!(frame.function, Some(format!("{}…", "n".repeat(500))));
    }
}

/// A component that exports the first function of a module as `f`.
fn exporting(module: &Module) -> Vec<u8> {
    use wasm_encoder::{
        Alias, CanonicalFunctionSection, CanonicalOption, ComponentAliasSection, ComponentExportKind,
        ComponentExportSection, ComponentTypeSection, InstanceSection, ModuleArg,
    };
    let mut component = wasm_encoder::Component::new();
    component.section(&ModuleSection(module));
    let mut instances = InstanceSection::new();
    instances.instantiate::<[(&str, ModuleArg); 0], &str>(0, []);
    let mut aliases = ComponentAliasSection::new();
    aliases.alias(Alias::CoreInstanceExport { instance: 0, kind: ExportKind::Func, name: "f" });
    let mut types = ComponentTypeSection::new();
    types.function().params::<[(&str, wasm_encoder::ComponentValType); 0], _>([]).result(None);
    let mut lifted = CanonicalFunctionSection::new();
    lifted.lift(0, 0, Vec::<CanonicalOption>::new());
    let mut exports = ComponentExportSection::new();
    exports.export("f", ComponentExportKind::Func, 0, None);
    component.section(&instances).section(&aliases).section(&types).section(&lifted).section(&exports);
    component.finish()
}

#[test]
fn custom_sections_are_skipped_up_to_a_number() {
    let custom = |count: usize, bytes: usize| {
        let data = vec![0xff; bytes];
        let mut component = wasm_encoder::Component::new();
        for _ in 0..count {
            component.section(&CustomSection { name: "names".into(), data: (&*data).into() });
        }
        component.finish()
    };
    loaded(&custom(10_000, 0));
    loaded(&custom(1, 100 << 20));
    check_excess(&custom(100_000, 0), Bound::CustomSections, 10_001, "component 0");
}

#[test]
fn functions_are_bounded_in_number_and_each_in_size() {
    let nops = |bytes: usize| component(&module(&[body(0, vec![Instruction::Nop; bytes - 2])]));
    loaded(&nops(1 << 20));
    check_excess(&nops((1 << 20) + 1), Bound::Body, (1 << 20) + 1, "function 0 of module 1");
    let many = component(&module(&vec![body(0, []); 150_001]));
    check_excess(&many, Bound::Functions, 150_001, "module 1");
    let code = component(&module(&vec![body(0, vec![Instruction::Nop; 10_000]); 6_710]));
    check_excess(&code, Bound::Code, 6_710 * 10_002, "module 1");
    let error = refused(&nops((1 << 20) + 1)).to_string();
    assert_eq!(
        error,
        "the component is too complex to compile: function 0 of module 1: 1048577 bytes of code in one \
         function, at most 1 MiB are allowed"
    );
}

#[test]
fn a_section_that_claims_much_is_not_believed() {
    let mut module = Module::new();
    module.section(&RawSection { id: 3, data: &[0xff, 0xff, 0xff, 0xff, 0x0f] });
    check_excess(&component(&module), Bound::Functions, u64::from(u32::MAX), "module 1");
}

#[test]
fn locals_and_branches_are_bounded_together() {
    let of = |locals: u32, count: usize| component(&module(&[body(locals, blocks(count))]));
    loaded(&of(20_000, 0));
    check_excess(&of(20_001, 0), Bound::Locals, 20_001, "function 0 of module 1");
    check_excess(&of(u32::MAX, 0), Bound::Locals, u64::from(u32::MAX), "function 0 of module 1");
    // Two blocks each, where it begins and where it ends, and the end of the function. What is around them, and they
    // themselves beside each other, is little.
    let work = |blocks: u64| blocks * 10_003 + (2 * blocks - 1) / 8 + blocks * blocks / 64;
    check_excess(&of(10_000, 1_250), Bound::BodyWork, work(2_501), "function 0 of module 1");
    // In the sum, four for each byte of a body come with its size: three of each block, and five around them.
    let many = vec![body(10_000, blocks(1_200)); 2];
    let sum = 2 * (work(2_401) - 4 * (3 * 1_200 + 5));
    check_excess(&component(&module(&many)), Bound::Work, sum, "module 1");
}

#[test]
fn a_small_function_of_loops_in_loops_is_refused() {
    let open = vec![Instruction::Loop(BlockType::Empty); 1_000];
    let close = vec![Instruction::End; 1_000];
    let bytes = component(&module(&[body(100, open.into_iter().chain(close))]));
    // Each loop is three blocks and one where it ends, and as many times as there are loops around it, and once more.
    let blocks = (1..=1_000).map(|depth| 4 * (depth + 1)).sum::<u64>() + 1;
    let work = blocks * 103 + blocks / 8 + 4_001 * 4_001 / 64;
    check_excess(&bytes, Bound::BodyWork, work, "function 0 of module 1");
}

#[test]
fn functions_without_locals_are_bounded_too() {
    let inside = |open: Instruction<'static>, count: usize| {
        [vec![open; count], vec![Instruction::End; count]].concat()
    };
    let on_stack = |count: usize| {
        let tests = [Instruction::I32Const(0), Instruction::If(BlockType::Empty), Instruction::End];
        [vec![Instruction::I32Const(1); count], repeated(&tests, count), vec![Instruction::Drop; count]]
            .concat()
    };
    let call = Instruction::CallIndirect { type_index: 0, table_index: 0 };
    let calls = [Instruction::I32Const(0), call];
    let gets = [Instruction::I32Const(0), Instruction::TableGet(0), Instruction::Drop];
    let sets = [Instruction::I32Const(0), Instruction::RefNull(HeapType::FUNC), Instruction::TableSet(0)];
    for (what, allowed, refused) in [
        (
            "loops",
            inside(Instruction::Loop(BlockType::Empty), 1_000),
            inside(Instruction::Loop(BlockType::Empty), 16_000),
        ),
        (
            "blocks",
            inside(Instruction::Block(BlockType::Empty), 8_000),
            inside(Instruction::Block(BlockType::Empty), 48_000),
        ),
        ("stack", on_stack(2_000), on_stack(32_000)),
        ("calls", repeated(&calls, 5_000), repeated(&calls, 20_000)),
        ("gets", repeated(&gets, 5_000), repeated(&gets, 20_000)),
        ("sets", repeated(&sets, 5_000), repeated(&sets, 20_000)),
    ] {
        let of = |instructions: Vec<_>| component(&module_with_table(&[body(0, instructions)]));
        loaded(&of(allowed));
        match self::refused(&of(refused)) {
            LoadError::TooComplex(excess) => assert_eq!(excess.bound, Bound::BodyWork, "{what}: {excess}"),
            other => panic!("{what}: {other}"),
        }
    }
}

/// A module with a memory, tables and a function that repeats some operators.
fn repeating(operators: &str, count: usize) -> Vec<u8> {
    let operators = operators.repeat(count);
    let text = format!(
        "(component (core module (type $v (func)) (memory 1) (table $t 9 funcref) (table $s 9 funcref)
            (data $d) (elem $e func $f)
            (func $f (param $x i32) {operators})))"
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn operators_count_by_what_they_cost_the_compiler() {
    let three = "local.get 0 local.get 0 local.get 0";
    // What a repetition costs, beyond the bytes it has.
    for (operators, bytes, cost) in [
        (format!("{three} memory.copy "), 10, 40),
        (format!("{three} memory.fill "), 9, 40),
        (format!("{three} memory.init $d "), 10, 40),
        (format!("{three} table.copy $t $s "), 10, 52),
        (format!("{three} table.init $t $e "), 10, 40),
        ("local.get 0 ref.null func local.get 0 table.fill $t ".to_owned(), 9, 52),
        ("ref.null func local.get 0 table.grow $t drop ".to_owned(), 8, 40 + 14),
        ("ref.null $v call_ref $v ".to_owned(), 4, 40 + 14),
        ("local.get 0 memory.grow drop ".to_owned(), 5, 14),
        ("i32.const 7 local.get 0 i32.rotl drop ".to_owned(), 6, 14),
        ("local.get 0 f32.convert_i32_s f32.sqrt drop ".to_owned(), 5, 14 + 14),
    ] {
        let allowed = 200_000 / (cost - bytes);
        match refused(&repeating(&operators, allowed + 10)) {
            LoadError::TooComplex(excess) => assert_eq!(
                (excess.bound, &*excess.place),
                (Bound::BodyExtra, "function 0 of module 1"),
                "{operators}: {excess}"
            ),
            other => panic!("{operators}: {other}"),
        }
        loaded(&repeating(&operators, 200));
    }
}

#[test]
fn what_operators_cost_is_bounded_in_all_functions_together() {
    let copy = [
        Instruction::I32Const(0),
        Instruction::I32Const(0),
        Instruction::I32Const(0),
        Instruction::MemoryCopy { src_mem: 0, dst_mem: 0 },
    ];
    let bytes = component(&module(&vec![body(0, repeated(&copy, 5_000)); 14]));
    // Ten bytes of code each, and two around them.
    check_excess(&bytes, Bound::Extra, 14 * (5_000 * 30 - 2), "module 1");
}

#[test]
fn values_that_live_across_calls_and_divisions_are_bounded() {
    let divide =
        [Instruction::I32Const(7), Instruction::LocalGet(0), Instruction::I32DivS, Instruction::Drop];
    for (what, operators) in [("calls", vec![Instruction::Call(0)]), ("divisions", divide.to_vec())] {
        let of = |count: usize| component(&module(&[body(5_000, repeated(&operators, count))]));
        loaded(&of(100));
        match refused(&of(5_000)) {
            LoadError::TooComplex(excess) => assert_eq!(excess.bound, Bound::BodyWork, "{what}: {excess}"),
            other => panic!("{what}: {other}"),
        }
    }
    let stack = [
        vec![Instruction::I32Const(1); 5_000],
        vec![Instruction::Call(0); 5_001],
        vec![Instruction::Drop; 5_000],
    ];
    match refused(&component(&module(&[body(0, stack.concat())]))) {
        LoadError::TooComplex(excess) => assert_eq!(excess.bound, Bound::BodyWork, "{excess}"),
        other => panic!("{other}"),
    }
}

#[test]
fn values_that_meet_at_the_edges_of_jump_tables_are_bounded() {
    // Each table has edges to two blocks, and a local is changed before each.
    let tables = |count: usize, edges: usize| {
        let add = |local| {
            [
                Instruction::LocalGet(local),
                Instruction::I32Const(1),
                Instruction::I32Add,
                Instruction::LocalSet(local),
            ]
        };
        let targets: Vec<u32> = (0..).map(|edge| edge % 2).take(edges).collect();
        let table = [
            vec![Instruction::Block(BlockType::Empty); 2],
            add(0).to_vec(),
            vec![Instruction::LocalGet(0), Instruction::BrTable(targets.into(), 0), Instruction::End],
            add(1).to_vec(),
            vec![Instruction::End],
        ];
        component(&module(&[body(2, repeated(&table.concat(), count))]))
    };
    loaded(&tables(10, 200));
    for (count, edges) in [(500, 200), (50, 2_000), (5_000, 20), (4_000, 200)] {
        match refused(&tables(count, edges)) {
            LoadError::TooComplex(excess) => assert_eq!(excess.bound, Bound::BodyWork, "{excess}"),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn calls_with_many_arguments_and_results_cost_more() {
    let calls = |count: usize| {
        let (values, given) = ("i64 ".repeat(100), "i64.const 7 ".repeat(100));
        let (calls, dropped) = ("call $wide ".repeat(count), "drop ".repeat(100));
        assembled(&format!(
            "(component (core module (type $wide (func (param {values}) (result {values})))
                (func $wide (type $wide) unreachable) (func {given} {calls} {dropped})))"
        ))
    };
    loaded(&calls(20));
    match refused(&calls(1_200)) {
        LoadError::TooComplex(excess) => assert_eq!(excess.bound, Bound::BodyExtra, "{excess}"),
        other => panic!("{other}"),
    }
}

#[test]
fn the_stack_is_as_high_as_it_is_after_branches_and_ends() {
    // Each leaves nothing on the stack, however it is left; of what leaves one value, so many would be refused.
    let result = BlockType::Result(ValType::I32);
    let (one, drop) = (Instruction::I32Const(1), Instruction::Drop);
    let shapes = [
        vec![
            Instruction::Block(result),
            one.clone(),
            one.clone(),
            Instruction::Br(0),
            Instruction::End,
            drop.clone(),
        ],
        vec![
            one.clone(),
            Instruction::If(result),
            one.clone(),
            Instruction::Else,
            Instruction::Unreachable,
            Instruction::End,
            drop.clone(),
        ],
        vec![one.clone(), Instruction::BrIf(0), Instruction::Call(0)],
        vec![
            Instruction::Loop(result),
            one.clone(),
            one.clone(),
            Instruction::BrIf(1),
            Instruction::End,
            drop,
        ],
    ];
    for shape in shapes {
        loaded(&component(&module(&[body(0, repeated(&shape, 5_000))])));
    }
}

#[test]
fn a_wide_type_counts_where_it_is_used() {
    let mut types = TypeSection::new();
    types.ty().function(vec![ValType::I32; 1_000], vec![ValType::I32; 1_000]);
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0).function(1);
    let mut code = CodeSection::new();
    code.function(&body(0, vec![Instruction::Unreachable]));
    code.function(&body(0, [Instruction::Unreachable].into_iter().chain(vec![Instruction::Call(0); 12_501])));
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    check_excess(&component(&module), Bound::BodyWork, 62_103_971, "function 1 of module 1");
    let mut module = Module::new();
    let mut types = TypeSection::new();
    for _ in 0..10_010 {
        types.ty().function(vec![ValType::I32; 100], []);
    }
    module.section(&types);
    check_excess(&component(&module), Bound::CoreParams, 1_000_100, "module 1");
}

#[test]
fn no_instance_takes_more_than_a_few_places_of_the_pool() {
    let demanding = |error: LoadError, expected: &str| {
        assert!(matches!(error, LoadError::TooDemanding(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    let instances = |module: &str, count: usize| {
        let mut text = format!("(component (core module $m {module})");
        text.push_str(&"(core instance (instantiate $m))".repeat(count));
        text + ")"
    };
    for (module, allowed, what) in [
        ("", 128, "core module instances"),
        ("(memory 1)", 16, "memories"),
        ("(table 1 funcref)", 32, "tables"),
    ] {
        loaded(instances(module, allowed).as_bytes());
        demanding(refused(instances(module, allowed + 1).as_bytes()), what);
    }
}

#[test]
fn a_component_whose_parts_have_too_many_memories_to_call_each_other_is_refused() {
    // Each instance has a memory, from which the calls of the last one take a text.
    let calls = |instances: usize| {
        let each = |text: &dyn Fn(usize) -> String| (0..instances).map(text).collect::<String>();
        format!(
            r#"(component
                 (component $part
                   (core module $m
                     (memory (export "m") 1)
                     (func (export "f") (param i32 i32))
                     (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 0))
                   (core instance $i (instantiate $m))
                   (func (export "f") (param "text" string)
                     (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r")))))
                 (component $user
                   {imports}
                   (core module $memory (memory (export "m") 1))
                   (core instance $own (instantiate $memory))
                   {lowered}
                   (core module $m {core_imports} (func (export "run")))
                   (core instance $i (instantiate $m (with "" (instance {core_exports}))))
                   (func (export "run") (canon lift (core func $i "run"))))
                 {parts}
                 (instance $user (instantiate $user {arguments}))
                 (export "run" (func $user "run")))"#,
            imports = each(&|n| format!(r#"(import "f{n}" (func $f{n} (param "text" string)))"#)),
            lowered = each(&|n| format!(
                r#"(core func $l{n} (canon lower (func $f{n}) (memory (core memory $own "m"))))"#
            )),
            core_imports = each(&|n| format!(r#"(import "" "f{n}" (func (param i32 i32)))"#)),
            core_exports = each(&|n| format!(r#"(export "f{n}" (func $l{n}))"#)),
            parts = each(&|n| format!("(instance $p{n} (instantiate $part))")),
            arguments = each(&|n| format!(r#"(with "f{n}" (func $p{n} "f"))"#)),
        )
    };
    match refused(calls(100).as_bytes()) {
        LoadError::TooDemanding(demand) => {
            assert!(demand.contains("memories count exceeds limit"), "{demand}")
        }
        other => panic!("expected too much of a demand, found {other}"),
    }
    assert!(loaded(calls(10).as_bytes()).function(None).is_ok());
}

#[test]
fn components_inside_each_other_are_bounded_in_depth_and_number() {
    loaded(&nested(31));
    check_excess(&nested(32), Bound::Depth, 33, "component 32");
    check_excess(&nested(1_000), Bound::Depth, 33, "component 32");
    let beside = |count: usize| {
        let mut outer = wasm_encoder::Component::new();
        for _ in 0..count {
            outer.section(&NestedComponentSection(&wasm_encoder::Component::new()));
        }
        outer.finish()
    };
    loaded(&beside(999));
    check_excess(&beside(1_000), Bound::Parts, 1_001, "component 1000");
}

#[test]
fn components_that_are_instantiated_twice_in_each_other_are_counted_out() {
    let doubling = |levels: usize| {
        let mut text = String::from("(component $c0)");
        for level in 1..=levels {
            let before = level - 1;
            text = format!(
                "(component $c{level} {text} (instance (instantiate $c{before})) (instance (instantiate $c{before})))"
            );
        }
        text
    };
    loaded(doubling(10).as_bytes());
    check_excess(doubling(30).as_bytes(), Bound::Instances, 16_383, "component 17");
    let aliases = |each: usize| {
        let aliases = r#"(alias export $i "f" (func))"#.repeat(each);
        let import = r#"(import "i" (instance $i (export "f" (func))))"#;
        let inner = format!("(component $c {import} {aliases})");
        let instances = r#"(instance (instantiate $c (with "i" (instance $i))))"#.repeat(900);
        assembled(&format!("(component {import} {inner} {instances})"))
    };
    loaded(&aliases(100));
    check_bound(&aliases(1_200), Bound::Definitions);
    let alias = "(component (component $a) (component (alias outer 1 $a (component $b)) (instance (instantiate $b))))";
    loaded(alias.as_bytes());
    let imported = r#"(component (component (import "c" (component $c)) (instance (instantiate $c))))"#;
    let error = refused(imported.as_bytes()).to_string();
    assert!(
        error.contains("component 1: it instantiates a component that it imports or takes from an instance"),
        "{error}"
    );
}

#[test]
fn types_and_core_externs_have_bounds() {
    let mut types = TypeSection::new();
    let mut exports = ExportSection::new();
    for number in 0..100_001 {
        types.ty().function([], []);
        exports.export(&number.to_string(), ExportKind::Func, 0);
    }
    let mut of_types = Module::new();
    of_types.section(&types);
    check_excess(&component(&of_types), Bound::Types, 100_001, "module 1");
    let mut of_exports = Module::new();
    of_exports.section(&exports);
    check_excess(&component(&of_exports), Bound::CoreExterns, 100_001, "module 1");
}

#[test]
fn elements_of_tables_are_bounded() {
    let of = |tables: &str, place: &str, count: usize| {
        let items = "$f ".repeat(count);
        format!("(component (core module {tables} (func $f) (elem {place} func {items})))").into_bytes()
    };
    let own = "(table 80000 funcref)";
    loaded(&of(own, "(i32.const 0)", 80_000));
    for (tables, place) in [
        ("", ""),
        ("", "declare"),
        (own, "(i32.const 1)"),
        ("(table 80001 funcref) (global $g i32 (i32.const 0))", "(global.get $g)"),
        (r#"(import "a" "t" (table 80001 funcref))"#, "(i32.const 0)"),
        ("(table 80001 funcref (ref.func $f))", "(i32.const 0)"),
        ("(table 80001 funcref) (elem (i32.const 80001) func $f)", "(i32.const 0)"),
    ] {
        let before = tables.matches("elem").count() as u64;
        check_excess(&of(tables, place, 80_001), Bound::SetElements, 80_001 + before, "module 1");
    }
    let expressions = "(ref.null func)".repeat(80_001);
    let text =
        format!("(component (core module (table 80001 funcref) (elem (i32.const 0) funcref {expressions})))");
    check_excess(&assembled(&text), Bound::SetElements, 80_001, "module 1");
}

#[test]
fn tables_that_begin_large_are_bounded_together() {
    let module = |size: u32| format!("(core module (func $f) (table {size} funcref (ref.func $f)))");
    let most = module(100_000).repeat(32);
    loaded(format!("(component {most})").as_bytes());
    let more = format!("(component {most} {})", module(1));
    check_excess(more.as_bytes(), Bound::TableElements, 3_200_001, "module 33");
}

#[test]
fn constant_expressions_are_bounded_wherever_they_stand() {
    let sum = |terms: usize| format!("i32.const 0 {}", "i32.const 1 i32.add ".repeat(terms));
    let at = |place: &str, expression: &str| {
        let text = place.replace("EXPR", expression);
        assembled(&format!("(component (core module (memory 1) (table 1 funcref) {text}))"))
    };
    for place in ["(global i32 EXPR)", "(data (offset EXPR) \"\")", "(elem (offset EXPR))"] {
        loaded(&at(place, &sum(332)));
        check_excess(&at(place, &sum(333)), Bound::Constant, 1_002, "module 1");
    }
    let many = at(&"(global i32 EXPR)".repeat(4_300), &sum(332));
    check_excess(&many, Bound::Constants, 4_199 * 999, "module 1");
}

#[test]
fn data_that_code_sets_is_bounded() {
    let of = |memory: &str, place: &dyn Fn(usize) -> String| {
        let data: String = (0..20_001).map(|number| format!("(data {} \"x\")", place(number))).collect();
        assembled(&format!("(component (core module {memory} {data}))"))
    };
    let beside = |number: usize| format!("(i32.const {number})");
    let apart = |number: usize| format!("(i32.const {})", number * 100);
    let imported = |_: usize| "(global.get 0)".to_owned();
    loaded(&of("(memory 1)", &beside));
    for (memory, place) in [
        ("(memory 100)", &apart as &dyn Fn(usize) -> String),
        (r#"(import "a" "m" (memory 1))"#, &beside),
        ("(memory 0)", &beside),
        (r#"(import "a" "g" (global i32)) (memory 1)"#, &imported),
    ] {
        check_excess(&of(memory, place), Bound::SetData, 20_001, "module 1");
    }
}

#[test]
fn globals_that_code_sets_are_bounded() {
    let of = |value: &str| {
        let globals = format!("(global {value})").repeat(20_001);
        assembled(&format!("(component (core module (func $f) {globals} (elem declare func $f)))"))
    };
    for plain in ["i32 (i32.const 1)", "f64 (f64.const 1)", "funcref (ref.null func)"] {
        loaded(&of(plain));
    }
    for value in ["funcref (ref.func $f)", "i32 (i32.const 1) (i32.const 1) i32.add"] {
        check_excess(&of(value), Bound::SetGlobals, 20_001, "module 1");
    }
}

#[test]
fn data_far_apart_makes_no_large_code() {
    let module = r#"(core module (memory 256) (data (i32.const 0) "a") (data (i32.const 0xffffff) "b"))"#;
    let dir = tempfile::tempdir().unwrap();
    let mut options = EngineOptions::default();
    options.compile_cache_dir = Some(dir.path().to_owned());
    options.max_instances = 16;
    Engine::new(options)
        .unwrap()
        .load_bytes(format!("(component {})", module.repeat(10)).as_bytes())
        .unwrap();
    let entries = std::fs::read_dir(dir.path()).unwrap();
    let sizes: Vec<u64> = entries.map(|entry| entry.unwrap().metadata().unwrap().len()).collect();
    assert!(matches!(sizes[..], [size] if size < 1 << 20), "{sizes:?}");
}

#[test]
fn text_is_bounded_in_length_and_depth() {
    let text = format!("(component {})", " ".repeat(MAX_TEXT_BYTES as usize));
    assert_eq!(
        refused(text.as_bytes()).to_string(),
        "the WebAssembly text has 524300 bytes: expected at most 512 KiB; convert it to a binary with \
         `wasm-tools parse`"
    );
    for opening in ["(component ", "(", "(component (core module (func (block "] {
        let deep = opening.repeat(12_000);
        assert!(matches!(refused(deep.as_bytes()), LoadError::Text(_)));
    }
    // A mistake is shown with its line, and the line may be as long as the text.
    let error = refused(format!("(component (oops \"{}\"))", "x".repeat(400_000)).as_bytes());
    assert!(error.to_string().ends_with('…'), "{error}");
}

#[test]
fn bytes_are_bounded_as_files_are() {
    let mut bytes = wasm_encoder::Component::new().finish();
    bytes.resize(MAX_COMPONENT_BYTES as usize + 1, 0);
    let error = refused(&bytes).to_string();
    assert_eq!(error, "the component has 268435457 bytes: expected at most 256 MiB");
}

#[test]
fn a_compile_that_takes_too_long_is_given_up_and_its_work_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let with = |timeout: Duration| {
        let mut options = EngineOptions::default();
        options.compile_cache_dir = Some(dir.path().to_owned());
        options.max_instances = 16;
        options.compile_timeout = timeout;
        Engine::new(options).unwrap()
    };
    let bytes = std::fs::read(hostel_guests::ARITH).unwrap();
    let hasty = with(Duration::ZERO);
    let error = hasty.load_bytes(&bytes).err().unwrap();
    assert!(matches!(error, LoadError::CompileTimeout { limit: Duration::ZERO }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    // What was begun goes on, and once it is done it needs no compiler.
    while hasty.load_compiled(&Digest::of(&bytes)).unwrap().is_none() {
        std::thread::yield_now();
    }
    assert!(hasty.load_bytes(&bytes).unwrap().function(Some("add")).is_ok());
    assert!(with(Duration::MAX).load_bytes(std::fs::read(hostel_guests::TEXT).unwrap().as_slice()).is_ok());
}

#[test]
fn an_engine_can_be_dropped_while_it_compiles() {
    let mut options = EngineOptions::default();
    options.max_instances = 16;
    options.compile_timeout = Duration::ZERO;
    let engine = Engine::new(options).unwrap();
    let bytes = component(&module(&vec![body(10, blocks(1_000)); 100]));
    assert!(matches!(engine.load_bytes(&bytes), Err(LoadError::CompileTimeout { .. })));
    drop(engine);
    // Its threads end by themselves; others are not touched by it.
    assert!(loaded(&bytes).exports().is_empty());
}

#[test]
fn every_bound_stands_in_the_documentation() {
    let docs = include_str!("../../../../docs/sandbox.md");
    for bound in Bound::ALL {
        let row = format!("| {} | {} |", bound.name(), bound.allowed_text());
        assert!(docs.contains(&row), "docs/sandbox.md lacks: {row}");
    }
}
