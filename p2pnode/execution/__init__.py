"""Runs artefacts in single-use worker processes and says what became of them.

The node imports `runner`, `devices`, `policy` and `tensors`; the libraries that open foreign
artefacts (`wasmtime`, `onnx`, `onnxruntime`, `numpy`) are imported by worker processes only.
"""
