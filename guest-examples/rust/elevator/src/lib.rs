//! Prints and sleeps: many of these at once show that a sleeping guest holds no thread.

use std::thread::sleep;
use std::time::Duration;

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world elevator {
            /// Moves to a floor, at one second per floor unless told otherwise, and returns the floor.
            export stop-at-floor: func(floor: u32, ms-per-floor: option<u32>) -> u32;
            /// Says what tasks are for.
            export explain-tasks: func();
        }
    "
});

const USUAL_MS_PER_FLOOR: u32 = 1_000;

struct Elevator;

impl Guest for Elevator {
    fn stop_at_floor(floor: u32, ms_per_floor: Option<u32>) -> u32 {
        println!("elevator moving to floor {floor}");
        let per_floor = Duration::from_millis(ms_per_floor.unwrap_or(USUAL_MS_PER_FLOOR).into());
        sleep(per_floor.saturating_mul(floor));
        println!("elevator stops on floor {floor}");
        floor
    }

    fn explain_tasks() {
        println!("run any code here!");
        println!("but maybe just a little bit");
    }
}

export!(Elevator);
