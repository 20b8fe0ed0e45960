"""Everything we say to other servers: signed, guarded, bounded and patient."""
