"""Everything we say to other servers: signed, guarded, bounded and patient.

A stranger's message names a host. `urls` reads what it named, `guard` dials only addresses that are open to us,
`fetch` reads a bounded answer, `resolver` remembers documents and keys in the peer's record, `client` signs and
posts, and `backoff` leaves a failing peer in peace.
"""
