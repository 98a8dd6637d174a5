//! The bounds on components, and the errors for components that exceed them.

use std::fmt;

use hostel_core::bytes_text;

/// A quantity of a component that is bounded, so that compiling takes bounded time and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bound {
    /// Components and modules, including the outermost one.
    Parts,
    /// The nesting depth of components.
    Depth,
    /// What is defined in the components (instances, functions, aliases, exports), for each time they are instantiated.
    Definitions,
    /// The size of calls between components: the values in the types of parameters and results, for each function that
    /// is lowered and each time the calling component is instantiated. A function counts 40 in addition, a string, a
    /// list or a map 50, and a character 5.
    Passed,
    /// The size of types, each time they are used: where a function is lifted or lowered, where something is imported, exported or
    /// instantiated, and where a component takes a type from another. Each use walks through all of the type.
    Compared,
    /// What instances and components export, each time they are used: imported, exported, given to another component, or part of
    /// another instance.
    Copied,
    /// Fields of records and tuples, cases, flags, and parameters of component functions.
    Fields,
    /// Instances, components and the types of what they export inside each other. The parser panics at 128.
    Nesting,
    /// The instances of components, each with everything that is instantiated in it.
    Instances,
    /// Functions that components make for core modules, in all their instances: lowered ones, and those for resources, streams and
    /// tasks. The compiler makes code for each.
    Lowered,
    /// Resource types times instances of components: the compiler copies a list of all for each of them.
    Listed,
    /// The length of the sections in which components declare types, imports, exports and instances, and of the types of modules.
    Declared,
    /// Types, of components and modules.
    Types,
    /// Parameters and results of all core function types, and fields of all structures.
    CoreParams,
    /// The nesting depth of declarations of component and instance types.
    TypeDepth,
    /// The cost of entering functions from outside their module: for each function that is exported or in a segment of
    /// elements, for each further export of one with 20 more, and for each type of functions, 24, its parameters and results, and a 500th of their square.
    Entries,
    /// Imports and exports of all modules.
    CoreExterns,
    /// Imports and exports of all components.
    Externs,
    /// The length of a name in a component type, or of something that a component imports or exports.
    Name,
    /// The length of the name of a field, case or flag: values contain it wherever they are text, for each byte that is stored of them.
    Label,
    /// Functions in all modules.
    Functions,
    /// The code of all functions.
    Code,
    /// The code of one function.
    Body,
    /// The operators of each function that compute a value, squared, in all functions. The compiler may compute all values of one
    /// chain before those of another that needs them, so all are live at once, and allocating registers takes time with the square
    /// of their number. An operator on floats or vectors counts as three.
    Squares,
    /// The locals of one function, including its parameters.
    Locals,
    /// The values that one function merges where branches meet, times the places where it does: a local that was set in an `if`, or
    /// in a block that is left from several places, and the results of these. A quarter of the square of the shifts, rotations, `memory.grow` and `table.init` counts, too. The compiler's memory
    /// grows with that.
    BodyMerges,
    /// The values that each function merges, squared, four times the values times places, and ten times the square of the shifts, rotations
    /// and `memory.grow`, in all functions. The compiler's time grows with that.
    Merges,
    /// The compiler's work for one function: locals and values on the stack times blocks, each as often as loops are
    /// around it, and times calls and divisions; nested and consecutive blocks, and arguments of calls.
    BodyWork,
    /// The total work for all functions beyond four for each byte of their code.
    Work,
    /// The cost of the operators of one function beyond their bytes, as bytes of plain code.
    BodyExtra,
    /// The same in all functions.
    Extra,
    /// The length of a constant expression: the initial value of a global or table, the offset or an element of a segment.
    Constant,
    /// The length of all constant expressions.
    Constants,
    /// The initial sizes of the tables of all modules, and the functions in their segments: they are laid out at
    /// compile time.
    TableElements,
    /// Elements that only code can set when an instance begins: of segments that are not active, contain expressions,
    /// or have a table or position that is not known in advance. The compiler generates code for each of them.
    SetElements,
    /// Segments of data that only code can set when an instance begins: of modules in which one is for an imported memory, goes to a
    /// place that is not known before, or all lie far apart.
    SetData,
    /// Globals whose first value code computes: all but plain constants.
    SetGlobals,
    /// Globals of all modules.
    Globals,
    /// Segments of data and of elements in all modules.
    Segments,
    /// The memory for everything in the component together, as `budget.rs` estimates it, without what its functions take while they
    /// are compiled.
    Memory,
    /// The processor time of the quick compiler for everything in the component together, in milliseconds.
    Time,
    /// The length of the custom sections with names of functions, which the compiled code contains.
    FunctionNames,
    /// Custom sections; how long the others are does not matter, for they are skipped.
    CustomSections,
}

impl Bound {
    /// Every bound.
    pub const ALL: [Self; 43] = [
        Self::Parts,
        Self::Depth,
        Self::Definitions,
        Self::Passed,
        Self::Compared,
        Self::Copied,
        Self::Fields,
        Self::Nesting,
        Self::Instances,
        Self::Lowered,
        Self::Listed,
        Self::Declared,
        Self::Types,
        Self::CoreParams,
        Self::TypeDepth,
        Self::Entries,
        Self::CoreExterns,
        Self::Externs,
        Self::Name,
        Self::Label,
        Self::Functions,
        Self::Code,
        Self::Body,
        Self::Squares,
        Self::Locals,
        Self::BodyMerges,
        Self::Merges,
        Self::BodyWork,
        Self::Work,
        Self::BodyExtra,
        Self::Extra,
        Self::Constant,
        Self::Constants,
        Self::TableElements,
        Self::SetElements,
        Self::SetData,
        Self::SetGlobals,
        Self::Globals,
        Self::Segments,
        Self::Memory,
        Self::Time,
        Self::FunctionNames,
        Self::CustomSections,
    ];

    /// The maximum for a component.
    pub const fn allowed(self) -> u64 {
        match self {
            Self::Parts | Self::Name => 1_000,
            Self::Label => 128,
            Self::Depth => 32,
            // Of the second: about 15 s of processor time, and 400 MiB.
            Self::Definitions | Self::Passed => 1_000_000,
            // About 3 s of processor time.
            Self::Compared => 10_000_000,
            Self::Copied => 300_000,
            Self::Fields => 500_000,
            Self::Nesting => 110,
            Self::Instances => 10_000,
            // 11 s, 320 MiB.
            Self::Lowered => 25_000,
            Self::Listed => 50_000_000,
            Self::Declared => 4 << 20,
            Self::Types | Self::CoreExterns => 100_000,
            // 800 MiB.
            Self::SetElements => 80_000,
            // The time grows with the square: 8 s and 415 MiB.
            Self::SetData | Self::SetGlobals => 20_000,
            Self::Globals | Self::Segments => 200_000,
            Self::Memory => 640 << 20,
            Self::Time => 15_000,
            Self::CoreParams => 1_000_000,
            Self::TypeDepth => 200,
            // About 15 s of processor time, or 1 GiB where they are many and small.
            Self::Entries => 2_000_000,
            Self::Externs | Self::CustomSections => 10_000,
            // Empty ones take 5.5 KiB each, about 0.8 GiB together.
            Self::Functions => 150_000,
            Self::Code | Self::FunctionNames => 64 << 20,
            Self::Body => 1 << 20,
            // CPython has 15,000,000,000, and takes 10 s. Components designed to be slow take minutes.
            Self::Squares => 24_000_000_000,
            Self::Locals => 20_000,
            // 760 MiB. CPython has 17,000,000, StarlingMonkey 65,000,000 in a function of 170 KiB.
            Self::BodyMerges => 120_000_000,
            // About 20 s of processor time: 10,000,000,000 take 25 s. CPython has 600,000,000, StarlingMonkey 2,100,000,000.
            Self::Merges => 8_000_000_000,
            Self::BodyWork => 25_000_000,
            // Less than half a minute of processor time, extrapolated from 24,000,000, which took 18.6 s.
            Self::Work => 35_000_000,
            Self::BodyExtra => 200_000,
            // Estimated as 1 GiB for one component, at 512 bytes each, even if all its functions are compiled at the same time.
            Self::Extra => 2_000_000,
            // Compiled as functions are, and the memory for one grows faster than its length.
            Self::Constant => 1_000,
            Self::Constants => 4 << 20,
            // As many tables as an instance may have, each as large as it may be.
            Self::TableElements => 3_200_000,
        }
    }

    /// The name of the counted quantity, such as `functions`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Parts => "components and modules",
            Self::Depth => "components inside each other",
            Self::Definitions => "definitions in all instances",
            Self::Passed => "values passed between components",
            Self::Compared => "types in all uses of types",
            Self::Copied => "exports in all uses of instances",
            Self::Fields => "fields, cases and parameters of component types",
            Self::Nesting => "instances and types inside each other",
            Self::Instances => "instances of components",
            Self::Lowered => "functions for core modules in all instances",
            Self::Listed => "resource types times instances of components",
            Self::Declared => "bytes of declarations",
            Self::Types => "types",
            Self::CoreParams => "parameters, results and fields of core types",
            Self::TypeDepth => "type declarations inside each other",
            Self::Entries => "costs of entering functions from outside",
            Self::CoreExterns => "imports and exports of modules",
            Self::Externs => "imports and exports of components",
            Self::Name => "bytes in one name",
            Self::Label => "bytes in the name of one field, case or flag",
            Self::Functions => "functions",
            Self::Code => "bytes of code",
            Self::Body => "bytes of code in one function",
            Self::Squares => "squared computing operators, function by function",
            Self::Locals => "locals in one function",
            Self::BodyMerges => "merges of values in one function",
            Self::Merges => "squared merges of values, function by function",
            Self::BodyWork => "values at branches and calls of one function",
            Self::Work => "values at branches and calls beyond 4 a byte",
            Self::BodyExtra => "bytes of extra cost in one function",
            Self::Extra => "bytes of extra cost",
            Self::Constant => "bytes in one constant expression",
            Self::Constants => "bytes of constant expressions",
            Self::TableElements => "elements of tables",
            Self::SetElements => "elements of tables set by code",
            Self::SetData => "segments of data set by code",
            Self::SetGlobals => "globals set by code",
            Self::Globals => "globals",
            Self::Segments => "segments of data and elements",
            Self::Memory => "bytes of memory for everything in it",
            Self::Time => "milliseconds for everything in it",
            Self::FunctionNames => "bytes of names of functions",
            Self::CustomSections => "custom sections",
        }
    }

    /// The maximum for a component, in readable form: `1 MiB`.
    pub fn allowed_text(self) -> String {
        if matches!(self, Self::Code | Self::Body | Self::Declared | Self::Memory | Self::FunctionNames) {
            return bytes_text(self.allowed());
        }
        self.allowed().to_string()
    }
}

/// A component exceeds a bound.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Excess {
    /// The bound.
    pub bound: Bound,
    /// The amount, as far as it was counted.
    pub found: u64,
    /// The position, such as `function 12 of module 3`. Functions are counted as in backtraces, including imported
    /// ones, and modules and components together in file order, from 0.
    pub place: String,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bound, found, place } = self;
        write!(f, "{place}: {found} {}, at most {} are allowed", bound.name(), bound.allowed_text())
    }
}
