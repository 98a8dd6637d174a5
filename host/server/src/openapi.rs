//! The OpenAPI document: what the operations say about themselves, and what is true of all of them.

use hostel_wire::{CaseObject, EventObject, ProblemObject};
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, Info, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
};

use crate::access::SCHEME;

/// The document before the operations.
pub(crate) fn begin() -> OpenApi {
    let mut info = Info::new("Hostel", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "Runs functions of WebAssembly components, each in its own sandbox. Errors are problem details (RFC 9457). Instants are \
         RFC 3339, durations of requests texts such as `1.5s`. With the header `Accept-Integers: string`, integers beyond 2^53 are texts."
            .to_owned(),
    );
    let mut components = Components::new();
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let token =
        token.description(Some("A token; the scopes of an operation are what it has to have")).build();
    components.add_security_scheme(SCHEME, SecurityScheme::Http(token));
    add::<ProblemObject>(&mut components);
    // Those that are only named: inside of types, and in the data of events.
    add::<CaseObject>(&mut components);
    add::<EventObject>(&mut components);
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// Adds a schema, and those that it refers to.
fn add<T: ToSchema>(components: &mut Components) {
    components.schemas.insert(T::name().into_owned(), T::schema());
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    components.schemas.extend(schemas);
}

/// Adds to each operation that it may answer with a problem.
pub(crate) fn finish(document: &mut OpenApi) {
    let reference = Ref::from_schema_name(ProblemObject::name());
    let content = ContentBuilder::new().schema(Some(reference)).build();
    let problem =
        ResponseBuilder::new().description("A problem").content("application/problem+json", content).build();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            let responses = &mut operation.responses.responses;
            responses.entry("default".to_owned()).or_insert_with(|| RefOr::T(problem.clone()));
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all =
        [&mut item.get, &mut item.head, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
    all.into_iter().filter_map(Option::as_mut)
}
