"""What happens later: deliveries, expiry, clean-up."""
