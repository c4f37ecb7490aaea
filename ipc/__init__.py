"""How processes of an instance talk: shared memory through the C core, and the control protocol.

`ipc.topology` builds instances, `ipc.views` reads and writes them, `ipc.tile` is a tile in Python,
`ipc.control` speaks ZeroMQ (CONTROL.md).  `ipc._core` is the C core itself (cffi: `ffi`, `lib`).
"""
