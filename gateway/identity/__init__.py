"""Who a local user is."""
