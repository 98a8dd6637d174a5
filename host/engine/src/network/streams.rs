//! The two directions of a guest's TCP connection, with their bytes counted.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable};
use wasmtime_wasi::p2::{StreamError, StreamResult};

use super::{OverLimit, Traffic};

/// The receiving direction.
pub(crate) struct CountedInput {
    pub(crate) stream: DynInputStream,
    pub(crate) traffic: Arc<Traffic>,
}

/// The sending direction.
pub(crate) struct CountedOutput {
    pub(crate) stream: DynOutputStream,
    pub(crate) traffic: Arc<Traffic>,
}

impl From<OverLimit> for StreamError {
    fn from(over: OverLimit) -> Self {
        Self::LastOperationFailed(std::io::Error::from(over).into())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for CountedInput {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for CountedInput {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.traffic.check(0)?;
        let bytes = self.stream.read(size)?;
        self.traffic.receive(bytes.len())?;
        Ok(bytes)
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for CountedOutput {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for CountedOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let length = bytes.len();
        self.traffic.check(length)?;
        self.stream.write(bytes)?;
        self.traffic.send(length);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.stream.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.stream.check_write()
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}
