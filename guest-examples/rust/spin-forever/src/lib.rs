//! Misbehaving: computes and never returns. Only a host that can interrupt guests survives it.

use std::hint::black_box;
use std::thread::sleep;
use std::time::Duration;

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world spin-forever {
            /// Never returns, whatever its type says.
            export spin: func() -> u32;
            /// Sleeps first, prints `spinning`, then never returns.
            export spin-after: func(ms: u32) -> u32;
        }
    "
});

struct SpinForever;

impl Guest for SpinForever {
    fn spin() -> u32 {
        round_and_round()
    }

    fn spin_after(ms: u32) -> u32 {
        sleep(Duration::from_millis(ms.into()));
        println!("spinning");
        round_and_round()
    }
}

export!(SpinForever);

fn round_and_round() -> ! {
    let mut n = 0_u32;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}
