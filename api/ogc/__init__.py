"""OGC API - Features (17-069r4) of a plan: its layers, what may be asked of them, and the definition that clients read."""
