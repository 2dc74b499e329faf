"""Issue one complete list and tell how long it took and how much memory the process used."""

import json
import resource
import time

from portseal.wiring import House


def main() -> None:
    with House.opened() as house:
        _, issuer = house.crl_issuers
        issuer.issue(shard=8)  # a small one: token, database and pkilint are there
        started = time.perf_counter()
        crl = issuer.issue()
        seconds = time.perf_counter() - started
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": megabytes, "entries": crl.entries}))


if __name__ == "__main__":
    main()
