;; A component without exports: valid, but there is no task in it.
(component
  (core module $m
    (func (export "unreachable-from-outside"))))
