//! The journal in SQLite, with real files and processes.

#[cfg(test)]
mod damage;
#[cfg(test)]
mod inputs;
#[cfg(unix)]
#[cfg(test)]
mod kill;
#[cfg(test)]
mod logs;
#[cfg(unix)]
#[cfg(test)]
mod processes;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod read_only;
#[cfg(unix)]
#[cfg(test)]
mod registry;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod schedules;
#[cfg(unix)]
#[cfg(test)]
mod stall;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod tagged;
#[cfg(test)]
mod upkeep;
#[cfg(test)]
mod values;
