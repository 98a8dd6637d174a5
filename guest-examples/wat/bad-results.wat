;; Results that are not what their type promises. Each call runs to its end and fails only when the host
;; reads the result: a list or string that reaches past the end of memory, text that is not UTF-8, numbers
;; that are no character, no case of a variant or enum, and a list that is not aligned. `bool-2` is no error:
;; every number but 0 is true.
(component
  (core module $m
    (memory (export "memory") 1)
    ;; 0: a list of 2^28 items at 64. 8: a list of 4 items at the last byte. 16: "\ff\fe" as text.
    ;; 24: 4 items at address 65. 32: 4294967295 bytes at 64.
    (data (i32.const 0) "\40\00\00\00\00\00\00\10")
    (data (i32.const 8) "\ff\ff\00\00\04\00\00\00")
    (data (i32.const 16) "\30\00\00\00\02\00\00\00")
    (data (i32.const 24) "\41\00\00\00\04\00\00\00")
    (data (i32.const 32) "\40\00\00\00\ff\ff\ff\ff")
    (data (i32.const 48) "\ff\fe")
    (func (export "long-list") (result i32) (i32.const 0))
    (func (export "list-at-end") (result i32) (i32.const 8))
    (func (export "not-utf8") (result i32) (i32.const 16))
    (func (export "unaligned-list") (result i32) (i32.const 24))
    (func (export "long-string") (result i32) (i32.const 32))
    (func (export "result-outside") (result i32) (i32.const 0x7fff0000))
    (func (export "surrogate") (result i32) (i32.const 0xd800))
    (func (export "char-too-large") (result i32) (i32.const 0x110000))
    (func (export "enum-7") (result i32) (i32.const 7))
    (func (export "option-2") (result i32) (i32.const 56))
    (data (i32.const 56) "\02\00\00\00\01\00\00\00")
    (func (export "bool-2") (result i32) (i32.const 2)))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $mem))
  (type $suit' (enum "clubs" "diamonds" "hearts" "spades"))
  (export $suit "suit" (type $suit'))
  (func (export "long-list") (result (list u64)) (canon lift (core func $i "long-list") (memory $mem)))
  (func (export "list-at-end") (result (list u8)) (canon lift (core func $i "list-at-end") (memory $mem)))
  (func (export "unaligned-list") (result (list u32)) (canon lift (core func $i "unaligned-list") (memory $mem)))
  (func (export "not-utf8") (result string) (canon lift (core func $i "not-utf8") (memory $mem)))
  (func (export "long-string") (result string) (canon lift (core func $i "long-string") (memory $mem)))
  (func (export "result-outside") (result string) (canon lift (core func $i "result-outside") (memory $mem)))
  (func (export "surrogate") (result char) (canon lift (core func $i "surrogate")))
  (func (export "char-too-large") (result char) (canon lift (core func $i "char-too-large")))
  (func (export "enum-7") (result $suit) (canon lift (core func $i "enum-7")))
  (func (export "option-2") (result (option u32)) (canon lift (core func $i "option-2") (memory $mem)))
  (func (export "bool-2") (result bool) (canon lift (core func $i "bool-2"))))
