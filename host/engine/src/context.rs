//! `hostel:task/context`: what a task may ask about the run it executes for.

use wasmtime::component::{HasSelf, Linker};

use crate::guest::Guest;

/// Generated from `wit/`, which documents it.
mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit", world: "task" });
}

use bindings::hostel::task::context::{self, Host};

/// Offers the interface to guests.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    context::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

impl Host for Guest {
    fn run_id(&mut self) -> String {
        self.call.run.to_string()
    }

    fn task_key(&mut self) -> String {
        self.call.function.key().to_string()
    }

    fn attempt(&mut self) -> u32 {
        self.call.attempt
    }
}
