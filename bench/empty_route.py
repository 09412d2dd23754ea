"""The floor: a FastAPI route that takes a body and does nothing with it, under the vault's own server settings.

python -m bench.empty_route PORT
"""

import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response

from evidence_vault.cli.serve import server_config, settle_memory


def create_empty_app() -> FastAPI:
    """Return an app that answers `POST /` with 201 once the body has arrived."""
    app = FastAPI(openapi_url=None)

    @app.post("/")
    async def nothing(request: Request) -> Response:
        await request.body()
        return Response(b"{}", status_code=201, media_type="application/json")

    return app


if __name__ == "__main__":
    app = create_empty_app()
    settle_memory()
    uvicorn.Server(server_config(app, host="127.0.0.1", port=int(sys.argv[1]))).run()
