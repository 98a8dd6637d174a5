;; Types that cannot be written down: `take-stream` and `take-future` get a channel, not a value. `answer` is
;; a task all the same, on an engine with component-model async: without it the types are invalid.
(component
  (core module $m
    (func (export "take") (param i32))
    (func (export "answer") (result i32) (i32.const 42)))
  (core instance $i (instantiate $m))
  (type $stream (stream u8))
  (type $future (future string))
  (func (export "take-stream") (param "bytes" $stream) (canon lift (core func $i "take")))
  (func (export "take-future") (param "text" $future) (canon lift (core func $i "take")))
  (func (export "answer") (result u32) (canon lift (core func $i "answer"))))
