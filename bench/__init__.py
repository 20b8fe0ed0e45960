"""The speed figures of the gateway, beside those of others on the same machine in the same run: `make bench`.

Each subject stands for itself: it starts its servers, measures, and ends them. What is measured is alone on one core,
with the storage and the load on others, and everything takes turns with what it is compared with. What is told is the
median of the rounds and the ratio: absolute figures are those of one machine, ratios travel better. The method is
explained in `docs/performance.md`.

- `machine`: cores, and what /proc knows of a process: processor time, memory.
- `process`: starts and ends servers. `place`: where files are.
- `servers`, `rivals`: Apache and nginx; what the gateway is compared with. `gateways`: the gateway itself.
- `peer`: another provider that shares, signs and exchanges tokens, so that access is gained in the real way.
- `load`: what asks over HTTP: wrk, curl, a probe of latency, senders of signed messages.
- `openssh`: its server and its client. `kinds`: the kinds of storage that the gateway knows.
- `subject`: what a measurement is made of. `relay`, `webdav`, `sftp`, `sessions`, `transfer`: the subjects.
- `report`: the tables, the JSON, the page.
"""
