"""The constraint families, one function each: what is built, where places are, what is paid, what flows are held to."""
