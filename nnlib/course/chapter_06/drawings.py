"""Chapter 6's still figures."""
