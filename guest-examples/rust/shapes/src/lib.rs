//! An echo for every kind of WIT type, to try out how a host reads, writes and passes values.

use std::cell::Cell;

use exports::hostel::examples::counters;

wit_bindgen::generate!({ path: "wit", world: "shapes" });

struct Shapes;

/// One function that returns its argument, per line.
macro_rules! echo {
    ($($name:ident: $type:ty;)*) => {
        $(fn $name(value: $type) -> $type {
            value
        })*
    };
}

impl Guest for Shapes {
    echo! {
        echo_bool: bool;
        echo_u8: u8;
        echo_u16: u16;
        echo_u32: u32;
        echo_u64: u64;
        echo_s8: i8;
        echo_s16: i16;
        echo_s32: i32;
        echo_s64: i64;
        echo_f32: f32;
        echo_f64: f64;
        echo_char: char;
        echo_string: String;
        echo_list: Vec<String>;
        echo_bytes: Vec<u8>;
        echo_tuple: (u8, String, bool);
        echo_record: Person;
        echo_variant: Shape;
        echo_enum: Suit;
        echo_option: Option<u32>;
        echo_nested_option: Option<Option<u32>>;
        echo_result: Result<u32, String>;
        echo_result_ok: Result<u32, ()>;
        echo_result_err: Result<(), String>;
        echo_result_empty: Result<(), ()>;
        echo_flags: Permissions;
        echo_many_flags: ManyFlags;
        echo_deep: Deep;
    }

    fn nothing() {}

    fn many_parameters(
        a: u8,
        b: u16,
        c: u32,
        d: u64,
        e: i8,
        f: i16,
        g: i32,
        h: i64,
        i: f32,
        j: f64,
        k: char,
        l: String,
        m: bool,
        n: Vec<u8>,
        o: Option<u64>,
        p: Suit,
        q: (u8, u8),
        r: Person,
    ) -> String {
        format!("{a} {b} {c} {d} {e} {f} {g} {h} {i} {j} {k} {l} {m} {n:?} {o:?} {p:?} {q:?} {}", r.name)
    }
}

/// What the handle `counter` stands for.
struct Counter {
    value: Cell<u32>,
}

impl counters::GuestCounter for Counter {
    fn new(start: u32) -> Self {
        Self { value: Cell::new(start) }
    }

    fn increment(&self) -> u32 {
        self.value.set(self.value.get().saturating_add(1));
        self.value.get()
    }
}

impl counters::Guest for Shapes {
    type Counter = Counter;

    fn read(counter: counters::CounterBorrow<'_>) -> u32 {
        counter.get::<Counter>().value.get()
    }

    fn take(counter: counters::Counter) -> u32 {
        counter.into_inner::<Counter>().value.get()
    }

    fn make(start: u32) -> counters::Counter {
        counters::Counter::new(Counter { value: Cell::new(start) })
    }

    fn answer() -> u32 {
        42
    }
}

export!(Shapes);
