//! A real server on a real socket.

#[cfg(test)]
mod client;
#[cfg(test)]
#[cfg(feature = "otel")]
mod collector;
#[cfg(test)]
mod running;

#[cfg(test)]
mod batches;
#[cfg(test)]
mod blobs;
#[cfg(test)]
mod cached;
#[cfg(test)]
mod dashboard;
#[cfg(test)]
mod document;
#[cfg(test)]
mod ending;
#[cfg(test)]
mod expansion;
#[cfg(test)]
mod full;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod live;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod restricted;
#[cfg(test)]
mod slice;
#[cfg(test)]
#[cfg(feature = "otel")]
mod spans;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod walk;
