"""What we do only because some deployed peer needs it: who, what, why, source. The rest sees typed traits."""
