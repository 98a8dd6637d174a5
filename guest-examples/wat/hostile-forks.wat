;; Fork bombs of async calls. `blocked` calls a function `n` times that waits for ever without giving way, so that the
;; first call keeps its stack; `held-back` one that says it has no room, so that each call waits to begin; `uncancelled` asks
;; one to stop that does not listen, and waits until it has.
(component
  (component $called
    (core module $memory (memory (export "memory") 1))
    (core instance $memory (instantiate $memory))
    (alias core export $memory "memory" (core memory $mem))
    (core func $set-new (canon waitable-set.new))
    (core func $wait (canon waitable-set.wait (memory $mem)))
    (core func $hold-back (canon backpressure.inc))
    (core module $m
      (import "host" "set-new" (func $set-new (result i32)))
      (import "host" "wait" (func $wait (param i32 i32) (result i32)))
      (import "host" "hold-back" (func $hold-back))
      (func (export "block") (result i32) (call $wait (call $set-new) (i32.const 0)))
      (func (export "stay") (result i32) (i32.const 1))
      (func (export "close") (result i32) (call $hold-back) (i32.const 1))
      (func (export "on") (param i32 i32 i32) (result i32) (i32.const 1)))
    (core instance $i (instantiate $m (with "host" (instance
      (export "set-new" (func $set-new))
      (export "wait" (func $wait))
      (export "hold-back" (func $hold-back))))))
    (alias core export $i "on" (core func $on))
    (func (export "block") async (canon lift (core func $i "block") async (callback $on)))
    (func (export "stay") async (canon lift (core func $i "stay") async (callback $on)))
    (func (export "close") async (canon lift (core func $i "close") async (callback $on))))
  (component $caller
    (import "block" (func $block async))
    (import "stay" (func $stay async))
    (import "close" (func $close async))
    (core func $block (canon lower (func $block) async))
    (core func $stay (canon lower (func $stay) async))
    (core func $close (canon lower (func $close) async))
    (core func $cancel (canon subtask.cancel))
    (core module $m
      (import "called" "block" (func $block (result i32)))
      (import "called" "stay" (func $stay (result i32)))
      (import "called" "close" (func $close (result i32)))
      (import "called" "cancel" (func $cancel (param i32) (result i32)))
      (func (export "blocked") (param $n i32) (result i32)
        (local $made i32)
        (loop $more
          (drop (call $block))
          (local.set $made (i32.add (local.get $made) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $made) (local.get $n))))
        (local.get $made))
      (func (export "held-back") (param $n i32) (result i32)
        (local $made i32)
        (drop (call $close))
        (loop $more
          (drop (call $stay))
          (local.set $made (i32.add (local.get $made) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $made) (local.get $n))))
        (local.get $made))
      ;; The handle is in the upper bits.
      (func (export "uncancelled") (result i32)
        (call $cancel (i32.shr_u (call $stay) (i32.const 4)))))
    (core instance $i (instantiate $m (with "called" (instance
      (export "block" (func $block))
      (export "stay" (func $stay))
      (export "close" (func $close))
      (export "cancel" (func $cancel))))))
    (func (export "blocked") (param "n" u32) (result u32) (canon lift (core func $i "blocked")))
    (func (export "held-back") (param "n" u32) (result u32) (canon lift (core func $i "held-back")))
    (func (export "uncancelled") async (result u32) (canon lift (core func $i "uncancelled"))))
  (instance $called (instantiate $called))
  (instance $caller (instantiate $caller
    (with "block" (func $called "block"))
    (with "stay" (func $called "stay"))
    (with "close" (func $called "close"))))
  (export "blocked" (func $caller "blocked"))
  (export "held-back" (func $caller "held-back"))
  (export "uncancelled" (func $caller "uncancelled")))
