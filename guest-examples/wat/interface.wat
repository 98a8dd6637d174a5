;; Tasks inside exported interfaces: `acme:math/ops@1.0.0` has `add` and `negate`, `acme:math/more@1.0.0`
;; has another `add`. `ops.add` and `more.add` are short for one function each.
(component
  (core module $m
    (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
    (func (export "add-f64") (param f64 f64) (result f64) (f64.add (local.get 0) (local.get 1)))
    (func (export "negate") (param i64) (result i64) (i64.sub (i64.const 0) (local.get 0))))
  (core instance $i (instantiate $m))
  (func $add (param "a" s64) (param "b" s64) (result s64)
    (canon lift (core func $i "add")))
  (func $add-f64 (param "a" f64) (param "b" f64) (result f64)
    (canon lift (core func $i "add-f64")))
  (func $negate (param "x" s64) (result s64)
    (canon lift (core func $i "negate")))
  (instance $ops
    (export "add" (func $add))
    (export "negate" (func $negate)))
  (instance $more
    (export "add" (func $add-f64)))
  (export "acme:math/ops@1.0.0" (instance $ops))
  (export "acme:math/more@1.0.0" (instance $more)))
