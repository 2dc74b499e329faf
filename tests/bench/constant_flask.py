"""The least that a Flask application can do: one constant answer, served as `portseal serve` does.

`python -m tests.bench.constant_flask PORT`.
"""

import sys

from flask import Flask, Response
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

application = Flask(__name__)


@application.get("/")
def constant() -> Response:
    """Look at nothing, answer at once."""
    return Response(b"\x30" * 500, mimetype="application/octet-stream")


if __name__ == "__main__":
    Granian(
        "tests.bench.constant_flask:application",
        interface=Interfaces.WSGI,
        port=int(sys.argv[1]),
        workers=1,
        blocking_threads=4,
        log_level=LogLevels.warning,
    ).serve()
