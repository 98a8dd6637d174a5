;; Calls an async function of another component `n` times, none of which ever returns: what a limit on subtasks counts.
;; The callee gives way each time it is asked to go on (1 is YIELD), and so lives for as long as the caller does.
(component
  (component $endless
    (core module $m
      (func (export "stay") (result i32) (i32.const 1))
      (func (export "go-on") (param i32 i32 i32) (result i32) (i32.const 1)))
    (core instance $i (instantiate $m))
    (func (export "stay") async
      (canon lift (core func $i "stay") async (callback (core func $i "go-on")))))
  (component $forker
    (import "stay" (func $stay async))
    (core func $stay (canon lower (func $stay) async))
    (core module $m
      (import "endless" "stay" (func $stay (result i32)))
      (func (export "fork") (param $n i32) (result i32)
        (local $made i32)
        (block $end
          (loop $more
            (br_if $end (i32.ge_u (local.get $made) (local.get $n)))
            (drop (call $stay))
            (local.set $made (i32.add (local.get $made) (i32.const 1)))
            (br $more)))
        (local.get $made)))
    (core instance $i (instantiate $m
      (with "endless" (instance (export "stay" (func $stay))))))
    (func (export "fork") (param "n" u32) (result u32)
      (canon lift (core func $i "fork"))))
  (instance $endless (instantiate $endless))
  (instance $forker (instantiate $forker (with "stay" (func $endless "stay"))))
  (export "fork" (func $forker "fork")))
