"""A real HTTP server on loopback around an application that must know its own origin."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask
from werkzeug.serving import make_server


@contextmanager
def served(make: Callable[[str], Flask]) -> Iterator[str]:
    """Serve an application that must know its own origin; give that origin."""
    app: Flask | None = None

    def call(environ: dict[str, object], start: Callable[..., object]) -> object:
        assert app is not None
        return app(environ, start)  # type: ignore[arg-type]

    server = make_server("127.0.0.1", 0, call, threaded=True)  # type: ignore[arg-type]
    origin = f"http://127.0.0.1:{server.server_port}"
    app = make(origin)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield origin
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()
