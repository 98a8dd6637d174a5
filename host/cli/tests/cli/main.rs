//! The real binary, as people and scripts use it.
//!
//! What people read stands in `snapshots/`. After a change that is meant, `INSTA_UPDATE=always cargo test -p hostel-cli`
//! writes it anew, to be looked over before it is kept.

#[cfg(test)]
mod hostel;

#[cfg(test)]
mod acting;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod apart;
#[cfg(test)]
mod arguments;
#[cfg(test)]
mod background;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod cache_faults;
#[cfg(test)]
mod cache_upkeep;
#[cfg(test)]
mod clock_jumps;
#[cfg(test)]
#[cfg(unix)]
mod compiling;
#[cfg(test)]
mod config;
#[cfg(test)]
mod data_dir;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod help;
#[cfg(test)]
mod history;
#[cfg(test)]
mod inspect;
#[cfg(test)]
mod interrupt;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod map;
#[cfg(test)]
#[cfg(unix)]
mod new;
#[cfg(test)]
#[cfg(unix)]
mod pushed_scripts;
#[cfg(test)]
#[cfg(unix)]
mod python;
#[cfg(test)]
mod registry;
#[cfg(test)]
#[cfg(unix)]
mod remote;
#[cfg(test)]
#[cfg(unix)]
mod remote_map;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod run;
#[cfg(test)]
#[cfg(unix)]
mod runtime_files;
#[cfg(test)]
mod scheduling;
#[cfg(test)]
#[cfg(unix)]
mod script_fetch;
#[cfg(test)]
#[cfg(unix)]
mod script_timers;
#[cfg(test)]
#[cfg(unix)]
mod script_web;
#[cfg(test)]
mod scripts;
#[cfg(test)]
#[cfg(unix)]
mod server;
#[cfg(test)]
#[cfg(unix)]
mod serving;
#[cfg(test)]
mod sharing;
#[cfg(test)]
#[cfg(unix)]
mod stdin;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod stored;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod trust;
#[cfg(test)]
#[cfg(unix)]
mod web_server;
