"""A laboratory: networks of real nodes on one machine, with liars, cuts and crashes on request.

Nothing here is part of an operator's node. `node` wraps the real one with faults, `founding` makes
a network's keys, genesis and configuration, `processes` starts and stops, `testnet` remembers what
runs, `readiness` waits for it, `commands` is the command line, `demo` shows a job's whole life and
`real` plays scenarios of the simulator.
"""
