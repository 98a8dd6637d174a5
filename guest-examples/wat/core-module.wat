;; Not a component but a core module, as a compiler writes it for targets older than wasm32-wasip2.
(module
  (func (export "add-one") (param i64) (result i64)
    (i64.add (local.get 0) (i64.const 1))))
