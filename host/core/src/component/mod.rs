//! Components as data: what they offer and ask for, how two of them differ, and by which names they are known.

mod capabilities;
mod diff;
mod find;
mod hook;
mod import;
mod manifest;
mod name;
mod reference;
mod script;
mod script_package;

pub use capabilities::*;
pub use diff::*;
pub use find::*;
pub use hook::*;
pub use import::*;
pub use manifest::*;
pub use name::*;
pub use reference::*;
pub use script::*;
pub use script_package::*;
