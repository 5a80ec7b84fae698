"""Who asks, and what they may do. docs/security.md tells the rules in words."""
