"""Named, versioned compositions: what the kind `builtin` can do without a foreign artefact.

A composition's version stands for its whole meaning, the bytes of its output included: whatever
changes them makes a new version. Modules of WebAssembly lie here compiled; their sources are in
the folders `01_wasm` and `05_render` of the examples.
"""
