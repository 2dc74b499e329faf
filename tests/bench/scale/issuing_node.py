"""One node that issues in batches for so many seconds: `python -m tests.bench.scale.issuing_node`.

Says `ready`, waits for a line, issues, and tells how many certificates it has committed.
"""

import json
import sys
import time

from portseal.wiring import House
from tests.bench.site import request_for
from tests.software_keys import SoftwareKey

_BATCH = 200
_PER_SECOND = 2000
"""Requests made ready for a second of measuring."""


def main() -> None:
    seconds = float(sys.argv[1])
    with House.opened() as house:
        authority = house.authorities.issuing
        requests = [
            ("operator", request_for(SoftwareKey.generate().public_key))
            for _ in range(int(_PER_SECOND * seconds) + _BATCH)
        ]
        batches = [requests[at : at + _BATCH] for at in range(0, len(requests), _BATCH)]
        authority.issue_many(authority.prepare_many(batches.pop()[:1]))  # warms up
        print("ready", flush=True)
        sys.stdin.readline()
        started, done = time.perf_counter(), 0
        while batches and time.perf_counter() - started < seconds:
            done += len(authority.issue_many(authority.prepare_many(batches.pop())))
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
