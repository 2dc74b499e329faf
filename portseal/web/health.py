"""Liveness and readiness, for a load balancer and for people who wait for the start."""

from flask import Blueprint, Flask, Response, jsonify

from portseal import problems
from portseal.wiring import House


def create_health(house: House) -> Flask:
    """An application that tells its health and nothing else; 404 to the rest."""
    app = Flask("portseal", static_folder=None)
    problems.install(app)
    app.register_blueprint(health_blueprint(house))
    return app


def health_blueprint(house: House) -> Blueprint:
    """`/health/live`: the process answers. `/health/ready`: database and token answer, too,
    and the journal takes records: without that nothing is signed."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/health/live")
    def live() -> Response:
        return jsonify(status="live")

    @blueprint.get("/health/ready")
    def ready() -> Response:
        house.check()
        return jsonify(status="ready")

    return blueprint
