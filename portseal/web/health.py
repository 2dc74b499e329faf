"""Liveness and readiness, for a load balancer and for people who wait for the start."""

from flask import Blueprint, Response, jsonify

from portseal.wiring import House


def health_blueprint(house: House) -> Blueprint:
    """`/health/live`: the process answers. `/health/ready`: database and token answer, too."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/health/live")
    def live() -> Response:
        return jsonify(status="live")

    @blueprint.get("/health/ready")
    def ready() -> Response:
        house.check()
        return jsonify(status="ready")

    return blueprint
