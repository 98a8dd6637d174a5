//! The schema of bodies that are bytes, not JSON.

use utoipa::ToSchema;

/// Bytes as they are.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(crate) struct Binary(());
