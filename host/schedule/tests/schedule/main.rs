//! When schedules are due: in every time zone, beside an oracle; and what single ones do.

#[cfg(test)]
mod oracle;

#[cfg(test)]
mod times;
