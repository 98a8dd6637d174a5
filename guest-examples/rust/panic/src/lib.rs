//! Misbehaving: panics some calls deep. The message goes to stderr, then the guest traps; the trap's
//! backtrace has the names of the functions below, because the release profile keeps names.

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world panic {
            /// Panics with the message.
            export boom: func(message: string);
        }
    "
});

struct PanicGuest;

impl Guest for PanicGuest {
    fn boom(message: String) {
        light_the_fuse(&message);
    }
}

export!(PanicGuest);

#[inline(never)]
fn light_the_fuse(message: &str) {
    watch_it_burn(message);
}

#[inline(never)]
fn watch_it_burn(message: &str) {
    explode(message);
}

#[inline(never)]
fn explode(message: &str) {
    panic!("{message}");
}
