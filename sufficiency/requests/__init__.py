"""The parts of a request that change a case: pins, budgets, equity floors."""
