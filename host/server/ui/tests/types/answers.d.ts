// The answer of `GET` by the path of the request, out of the types that are generated from openapi.json.

import type { components, paths } from "api-types";

declare global {
  /** The objects of the API by their names in the document. */
  type Schemas = components["schemas"];
  /** What `GET` of the path answers. A text that is only known when the page runs may lead to anything; a path that the API does not have, to nothing. */
  type Answer<P extends string> = string extends P ? any : Json<paths[Fits<`/api/v1${WithoutQuery<P>}`>]>;
}

type WithoutQuery<P extends string> = P extends `${infer Path}?${string}` ? Path : P;

/** A path of the document with any text in place of its parameters. */
type Pattern<K extends string> = K extends `${infer Before}{${string}}${infer After}` ? `${Before}${string}${Pattern<After>}` : K;

/** The paths of the document that a path fits exactly: the fixed parts are the same. */
type Fits<P extends string> = { [K in keyof paths]: K extends string ? (P extends Pattern<K> ? (Pattern<K> extends P ? K : never) : never) : never }[keyof paths];

type Json<T> = T extends { get: { responses: { 200: { content: { "application/json": infer Answer } } } } } ? Answer : never;
