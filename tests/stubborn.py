"""A child process whose solver is deaf (seeks on, whatever is asked), slow (hears, and needs its time) or stuck (hears, and never ends).

``stubborn.py deaf``
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from typing import Any

import sufficiency.workflow
from api.jobs.child import main
from api.jobs.process import STOP_S
from solver.result import Progress

SLOW_S = 1.0 + STOP_S
search = sufficiency.workflow._search


def deaf(*given: Any) -> Any:
    """Never ends."""
    while True:
        time.sleep(1.0)


def slow(*given: Any) -> Any:
    """Has a plan of its own, waits until it is told to stop, and ends with the plan a while later."""
    *rest, how, proof = given
    how.report(Progress(1.0, "parts", 1.0, 0.0))
    while not how.interrupted():
        time.sleep(0.02)
    time.sleep(SLOW_S)
    return search(*rest, replace(how, interrupted=lambda: False), proof)


def stuck(*given: Any) -> Any:
    """Has a plan of its own, hears that it is to stop, and does not bring that to its end."""
    how = given[-2]
    how.report(Progress(1.0, "parts", 1.0, 0.0))
    while True:
        how.interrupted()
        time.sleep(0.02)


sufficiency.workflow._search = {"deaf": deaf, "slow": slow, "stuck": stuck}[sys.argv[1]]
main()
os._exit(0)  # without waiting for the listener
