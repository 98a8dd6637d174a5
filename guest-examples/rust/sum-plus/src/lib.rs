//! A scalar and a list: mapped over many values of one with the other held fixed.

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world sum-plus {
            /// x plus the sum of the list.
            export sum-plus: func(x: s64, %list: list<s64>) -> s64;
        }
    "
});

struct SumPlus;

impl Guest for SumPlus {
    fn sum_plus(x: i64, list: Vec<i64>) -> i64 {
        match list.iter().try_fold(x, |sum, n| sum.checked_add(*n)) {
            Some(sum) => sum,
            None => panic!("the sum does not fit into an s64"),
        }
    }
}

export!(SumPlus);
