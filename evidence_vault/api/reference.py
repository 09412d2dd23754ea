"""The API's own page, `/v1/docs`: every call with its parameters and answers, made from `/v1/openapi.json`.

Plain HTML without a script, and nothing in it comes from another host: a page of the vault must work where there
is no internet, and must not run anybody else's code beside a depositor's token.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import APIRouter, Request, Response

router = APIRouter(include_in_schema=False)

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b; }
h2 { border-bottom: 1px solid #ccc; margin-top: 2.5rem; text-transform: capitalize; }
h3 { font: 600 1rem ui-monospace, monospace; margin: 1.8rem 0 .3rem; }
h3 b { display: inline-block; min-width: 4rem; color: #0b5394; }
p { margin: .3rem 0; white-space: pre-line; }
table { border-collapse: collapse; margin: .5rem 0; }
td { padding: .1rem .8rem .1rem 0; vertical-align: top; }
code { font-family: ui-monospace, monospace; }
"""
_STYLE_SHA256 = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_SHA256}'; frame-ancestors 'none'"
"""The one style sheet, by its digest, and nothing else."""


@router.get("/docs")
def reference(request: Request) -> Response:
    """Show the page."""
    document = request.app.openapi()
    page = "\n".join(_page(document))
    return Response(page, media_type="text/html", headers={"Content-Security-Policy": POLICY})


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield "<!DOCTYPE html>"
    yield f'<html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])} API</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{_STYLE}</style></head><body>"
    yield f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
    yield '<p>For programs: <a href="/v1/openapi.json">openapi.json</a></p>'
    calls = [
        (call.get("tags", ["other"])[0], method, path, call)
        for path, methods in document["paths"].items()
        for method, call in methods.items()
    ]
    for tag in dict.fromkeys(tag for tag, *_ in calls):
        yield f"<h2>{escape(tag)}</h2>"
        for own, method, path, call in calls:
            if own == tag:
                yield from _call(method, path, call)
    yield "</body></html>"


def _call(method: str, path: str, call: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h3><b>{escape(method.upper())}</b> {escape(path)}</h3>"
    yield f"<p>{escape(call.get('description') or call.get('summary', ''))}</p>"
    rows = [
        (f"{p['name']} ({p['in']}{', required' if p.get('required') else ''})", p.get("description", ""))
        for p in call.get("parameters", [])
    ]
    bodies = call.get("requestBody", {}).get("content", {})
    rows += [("body", media_type) for media_type in bodies]
    rows += [
        (f"→ {status}", answer.get("description", ""))
        for status, answer in call.get("responses", {}).items()
        if status != "default"
    ]
    yield "<table>"
    yield from (f"<tr><td><code>{escape(a)}</code></td><td>{escape(b)}</td></tr>" for a, b in rows)
    yield "</table>"
