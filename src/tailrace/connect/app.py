"""The worker's REST interface: the reading part of Apache Kafka Connect's.

Answers and errors have Kafka Connect's form; an error is `{"error_code", "message"}`.
"""

from importlib.metadata import version
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tailrace.connect.plugins import PLUGINS
from tailrace.connect.worker import Worker


def make_app(worker: Worker) -> Starlette:
    """Make the application for one worker."""

    def info(request: Request) -> Response:
        return JSONResponse({"version": version("tailrace"), "commit": "unknown", "kafka_cluster_id": None})

    def connectors(request: Request) -> Response:
        expand = set(request.query_params.getlist("expand"))
        if not expand:
            return JSONResponse(list(worker.connectors))
        return JSONResponse({name: _expanded(worker, name, expand) for name in worker.connectors})

    def connector(request: Request) -> Response:
        return JSONResponse(_info(worker, _known(worker, request)))

    def config(request: Request) -> Response:
        return JSONResponse(worker.connectors[_known(worker, request)].original)

    def status(request: Request) -> Response:
        return JSONResponse(worker.connector_status(_known(worker, request)))

    def plugins(request: Request) -> Response:
        found = [plugin for plugin in PLUGINS if plugin.kind in ("source", "sink")]
        return JSONResponse(
            [{"class": plugin.name, "type": plugin.kind, "version": version("tailrace")} for plugin in found]
        )

    return Starlette(
        routes=[
            Route("/", info),
            Route("/connectors", connectors),
            Route("/connectors/{connector}", connector),
            Route("/connectors/{connector}/config", config),
            Route("/connectors/{connector}/status", status),
            Route("/connector-plugins", plugins),
        ],
        exception_handlers={HTTPException: _error},
    )


def _known(worker: Worker, request: Request) -> str:
    name: str = request.path_params["connector"]
    if name not in worker.connectors:
        raise HTTPException(404, f"Connector {name} not found")
    return name


def _info(worker: Worker, name: str) -> dict[str, Any]:
    status = worker.connector_status(name)
    tasks = [{"connector": name, "task": task["id"]} for task in status["tasks"]]
    config = dict(worker.connectors[name].original)
    return {"name": name, "config": config, "tasks": tasks, "type": status["type"]}


def _expanded(worker: Worker, name: str, expand: set[str]) -> dict[str, Any]:
    parts = {"status": worker.connector_status(name), "info": _info(worker, name)}
    return {part: content for part, content in parts.items() if part in expand}


def _error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error_code": error.status_code, "message": error.detail}, error.status_code)
