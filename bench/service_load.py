"""Time to answer of a running service under many users: ``python -m bench.service_load --url http://127.0.0.1:8000``.

Each of 100 users asks once every 2 s: 60 % tables, 30 % map layers, 10 % list pages; half of the requests bear the tag of the answer that
the user had before. A time is from the moment at which a request was due until all of its answer is there, in ms, so that a late client
counts too. ``--solve`` has the service make a plan of the same case meanwhile. Asks this machine only, for a bounded time.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from api.auth.settings import is_loopback
from sufficiency.outputs.map_page import BLOCKS

SHARES: Final = {"tables": 60, "map layers": 30, "list pages": 10}
CASE_TABLES: Final = ("pupils", "placements", "travel", "settings", "pools", "projects")
TABLES: Final = ("projects", "places", "needs", "unmet", "funding", "travel", "placements")
LONGEST_S: Final = 900
MOST_USERS: Final = 500
TIMEOUT_S: Final = 30


@dataclass
class Told:
    """What was measured."""

    ms: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in SHARES})
    statuses: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


def addresses(client: httpx.Client, plan: dict[str, Any]) -> dict[str, list[str]]:
    """Kind -> what is asked for of a plan and its case."""
    here = f"/v1/plans/{plan['id']}"
    councils = client.get(f"/v1/cases/{plan['case_id']}").json()["councils"]
    codes = [council["code"] for council in councils[:10]]
    rows = [f"{here}/tables/{name}?limit={limit}&offset={at}" for name in TABLES for limit, at in ((100, 0), (100, 100), (1000, 0))]
    rows += [f"{here}/tables/needs?council_code={code}" for code in codes]
    rows += [f"{here}/tables/needs?sort=-demand&demand.min=5&limit=100"]
    items = f"/v1/ogc/plans/{plan['id']}/collections"
    drawn = [f"{here}/map/{block}" for block in BLOCKS]
    drawn += [f"{items}/settings/items?limit=1000", f"{items}/projects_after/items", f"{items}/flows/items?limit=1000"]
    drawn += [f"{items}/areas/items?council_code={code}" for code in codes]
    lists = ["/v1/cases", "/v1/plans", "/v1/runs", f"/v1/plans?case_id={plan['case_id']}", "/v1/plans?limit=10"]
    return {"tables": rows, "map layers": drawn, "list pages": lists}


def addresses_of_case(client: httpx.Client, case_id: str) -> dict[str, list[str]]:
    """Kind -> what is asked for of a case that need not have a plan."""
    here = f"/v1/cases/{case_id}"
    case = client.get(here).raise_for_status().json()
    codes, (year, *_) = [council["code"] for council in case["councils"][:10]], case["academic_years"]
    rows = [f"{here}/tables/{name}?limit={limit}&offset={at}" for name in CASE_TABLES for limit, at in ((100, 0), (100, 100), (1000, 0))]
    rows += [f"{here}/tables/{name}?council_code={code}" for name in ("settings", "projects") for code in codes]
    rows += [f"{here}/tables/pupils?need=ASD&academic_year={year}&pupils_placed.min=5&sort=-pupils_placed"]
    drawn = [f"{here}/map/{block}" for block in BLOCKS]
    return {"tables": rows, "map layers": drawn, "list pages": ["/v1/cases", "/v1/runs", f"{here}/versions"]}


def warmed(client: httpx.Client, asked: dict[str, list[str]]) -> tuple[dict[str, list[str]], dict[str, str], float]:
    """The addresses that this service has (a plan may be without a map), their tags, and the slowest first answer in ms."""
    tags, slowest = {}, 0.0
    for url in itertools.chain.from_iterable(asked.values()):
        began = time.perf_counter()
        answer = client.get(url)
        slowest = max(slowest, (time.perf_counter() - began) * 1000)
        if answer.status_code == 200:
            tags[url] = answer.headers["etag"]
        elif "/map/" not in url:
            raise SystemExit(f"{url} is answered {answer.status_code}: {answer.text[:200]}")
    return {kind: [url for url in urls if url in tags] for kind, urls in asked.items()}, tags, slowest


@contextmanager
def solving(client: httpx.Client, case_id: str, wanted: bool, seconds: float) -> Iterator[str]:
    """Has the service make a plan of a case meanwhile; yields what it does."""
    if not wanted:
        yield "no"
        return
    body = {"request": {"case_id": case_id, "name": "Beside a load", "time_limit_s": seconds + 600}}
    run = f"/v1/runs/{client.post('/v1/runs', json=body).raise_for_status().json()['id']}"
    until = time.monotonic() + 120
    while client.get(run).json()["state"] == "queued" and time.monotonic() < until:
        time.sleep(0.5)
    yield run
    client.post(f"{run}/cancel")


async def load(url: str, headers: dict[str, str], asked: dict[str, list[str]], tags: dict[str, str], args: argparse.Namespace) -> Told:
    """All users for the time asked."""
    told = Told()
    limits = httpx.Limits(max_connections=args.users, max_keepalive_connections=args.users)
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=TIMEOUT_S) as client:
        began = time.perf_counter() + 0.5
        users = (
            _user(client, random.Random(f"{args.seed} {number}"), asked, dict(tags), began + args.every * number / args.users, args, told)
            for number in range(args.users)
        )
        await asyncio.gather(*users)
    return told


async def _user(
    client: httpx.AsyncClient,
    dice: random.Random,
    asked: dict[str, list[str]],
    tags: dict[str, str],
    first: float,
    args: argparse.Namespace,
    told: Told,
) -> None:
    for number in range(int(args.seconds / args.every)):
        due = first + number * args.every
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        (kind,) = dice.choices(list(SHARES), list(SHARES.values()))
        url, conditional = dice.choice(asked[kind]), dice.random() < 0.5
        try:
            answer = await client.get(url, headers={"If-None-Match": tags[url]} if conditional else {})
        except httpx.HTTPError as error:
            told.errors.append(f"{url}: {type(error).__name__}")
            continue
        told.ms[kind].append((time.perf_counter() - due) * 1000)
        told.statuses[str(answer.status_code)] += 1
        if answer.status_code not in (200, 304):
            told.errors.append(f"{url}: {answer.status_code}")
        elif answer.status_code == 200:
            tags[url] = answer.headers["etag"]


def report(told: Told, slowest_ms: float, solve: str) -> str:
    """Times in ms by kind, as text."""
    lines = [f"{'kind':<12}{'requests':>10}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}{'most ms':>10}"]
    every = [ms for kind in told.ms.values() for ms in kind]
    for kind, ms in {**told.ms, "all": every}.items():
        if len(ms) > 1:
            cuts = statistics.quantiles(ms, n=100, method="inclusive")
            lines.append(f"{kind:<12}{len(ms):>10,}{cuts[49]:>10.1f}{cuts[94]:>10.1f}{cuts[98]:>10.1f}{max(ms):>10.1f}")
    lines += [
        f"statuses: {json.dumps(dict(sorted(told.statuses.items())))}",
        f"errors: {len(told.errors)}" + "".join(f"\n  {error}" for error in told.errors[:10]),
        f"slowest first answer, before the load: {slowest_ms:.0f} ms",
        f"a solve beside it: {solve}",
    ]
    return "\n".join(lines) + "\n"


def _asked(client: httpx.Client, args: argparse.Namespace, parser: argparse.ArgumentParser) -> tuple[dict[str, list[str]], str]:
    """What is asked for, and the case that a solve beside it is of."""
    if args.case:
        return addresses_of_case(client, args.case), args.case
    plans = client.get(f"/v1/plans/{args.plan}" if args.plan else "/v1/plans?limit=1").raise_for_status().json()
    found = [plans] if args.plan else plans["items"]
    if not found:
        parser.error("the service has no plan yet: make one first (docs/api.md)")
    return addresses(client, found[0]), str(found[0]["case_id"])


def main() -> None:
    """Measures and writes the report; exit status 1 when a request was not answered as it should."""
    parser = argparse.ArgumentParser(prog="python -m bench.service_load", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="a service on this machine that has a plan")
    parser.add_argument("--plan", help="id of the plan; default: the newest")
    parser.add_argument("--case", help="id of a case, whose own tables and map are asked for in place of a plan's")
    parser.add_argument("--key", default="", help="API key, where the service wants one")
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--every", type=float, default=2.0, help="seconds from one request of a user to the next")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--solve", action="store_true", help="have a plan of the case made meanwhile")
    args = parser.parse_args()
    if not is_loopback(httpx.URL(args.url).host):
        parser.error("only a service on this machine is put under load")
    if not (0 < args.seconds <= LONGEST_S and 0 < args.users <= MOST_USERS and args.every >= 0.1):
        parser.error(f"at most {LONGEST_S} s and {MOST_USERS} users, each asking at most 10 times a second")
    headers = {"Authorization": f"Bearer {args.key}"} if args.key else {}
    with httpx.Client(base_url=args.url, headers=headers, timeout=TIMEOUT_S * 10) as client:
        asked, case_id = _asked(client, args, parser)
        asked, tags, slowest = warmed(client, asked)
        with solving(client, case_id, args.solve, args.seconds) as solve:
            told = asyncio.run(load(args.url, headers, asked, tags, args))
            state = f"{solve}, {client.get(solve).json()['state']} at the end" if args.solve else solve
    sys.stdout.write(report(told, slowest, state))
    sys.exit(int(bool(told.errors)))


if __name__ == "__main__":
    main()
