"""The speed figures of the gateway, beside those of nginx on the same machine in the same run: `make bench`.

The gateway and nginx's `proxy_pass` stand before the same storage and are measured in turns, round by round, each
alone on one core, with the storage and the load on others. What is told is the median of the rounds and the ratio:
absolute figures are those of one machine, ratios travel better. The method is explained in `docs/performance.md`.

- `machine`: cores, and what /proc knows of a process: processor time, memory.
- `process`: starts and ends servers. `servers`: those that are measured, and those behind them.
- `peer`: another provider that shares, signs and exchanges tokens, so that access is gained in the real way.
- `load`: what asks: wrk, curl, a probe of latency, senders of signed messages.
- `measure`: the measurements. `report`: the table, the JSON, the page.
"""
