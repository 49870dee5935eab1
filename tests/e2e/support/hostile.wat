;; A program that says `now` on standard error, and then does what the instructions in braces
;; say.
(component
  (import "wasi:io/error@0.2.0" (instance $error
    (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error-type))
  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $output-stream (sub resource)))
    (alias outer 1 $error-type (type $aliased))
    (export "error" (type $error (eq $aliased)))
    (type $stream-error (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $exported (eq $stream-error)))
    (export "[method]output-stream.blocking-write-and-flush" (func
      (param "self" (borrow $output-stream)) (param "contents" (list u8))
      (result (result (error $exported)))))))
  (alias export $streams "output-stream" (type $output-stream))
  (import "wasi:cli/stderr@0.2.0" (instance $stderr
    (alias outer 1 $output-stream (type $aliased))
    (export "output-stream" (type $output-stream (eq $aliased)))
    (export "get-stderr" (func (result (own $output-stream))))))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable (type $aliased))
    (export "pollable" (type $pollable (eq $aliased)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))

  (core module $memory-module
    (memory (export "memory") 1)
    (data (i32.const 0) "now\n"))
  (core instance $memory-instance (instantiate $memory-module))
  (alias core export $memory-instance "memory" (core memory $memory))
  (core func $write (canon lower
    (func $streams "[method]output-stream.blocking-write-and-flush") (memory $memory)))
  (core func $get-stderr (canon lower (func $stderr "get-stderr")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $return (canon task.return (result (result))))
  (core func $new-set (canon waitable-set.new))

  (core module $program
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "get-stderr" (func $get-stderr (result i32)))
    (import "host" "block" (func $block (param i32)))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "return" (func $return (param i32)))
    (import "host" "new-set" (func $new-set (result i32)))
    (func $now (call $write (call $get-stderr) (i32.const 0) (i32.const 4) (i32.const 16)))
    (func $spin (call $now) (loop $again (br $again)))
    (func $poll (call $now) (call $block (call $subscribe (i64.const 3600000000000))))
    (func $start {start})
    (start $start)
    (func (export "run") (result i32) {run})
    (func (export "callback") (param i32 i32 i32) (result i32) {callback}))
  (core instance $instance (instantiate $program (with "host" (instance
    (export "write" (func $write))
    (export "get-stderr" (func $get-stderr))
    (export "block" (func $block))
    (export "subscribe" (func $subscribe))
    (export "return" (func $return))
    (export "new-set" (func $new-set))))))
  (func $run async (result (result)) (canon lift
    (core func $instance "run") async (callback (core func $instance "callback"))))
  (instance $exported-run (export "run" (func $run)))
  (export "wasi:cli/run@0.3.0" (instance $exported-run)))
