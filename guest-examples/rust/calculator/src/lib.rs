//! Arithmetic that also prints: what it prints is the run's log, what it returns is the run's value.

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world calculator {
            /// Prints `a + b = c` and returns c.
            export add: func(a: s64, b: s64) -> s64;
            /// Prints `a * b = c` and returns c.
            export multiply: func(a: s64, b: s64) -> s64;
        }
    "
});

struct Calculator;

impl Guest for Calculator {
    fn add(a: i64, b: i64) -> i64 {
        let Some(sum) = a.checked_add(b) else { panic!("{a} + {b} does not fit into an s64") };
        println!("{a} + {b} = {sum}");
        sum
    }

    fn multiply(a: i64, b: i64) -> i64 {
        let Some(product) = a.checked_mul(b) else { panic!("{a} * {b} does not fit into an s64") };
        println!("{a} * {b} = {product}");
        product
    }
}

export!(Calculator);
