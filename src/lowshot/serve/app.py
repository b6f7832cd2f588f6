"""The routes: each says what it takes and gives, and leaves the work to the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lowshot import __version__
from lowshot.errors import BadLabels, LowshotError
from lowshot.gallery import Answer
from lowshot.serve import docs, schema
from lowshot.serve.bodies import read_descriptions, read_renaming
from lowshot.serve.edge import PROBLEM, Edge, faults, note, route_of
from lowshot.serve.metrics import MEDIA_TYPE as METRICS_TYPE
from lowshot.serve.originals import Original, tag, thumbnail
from lowshot.serve.places import Held
from lowshot.serve.problems import Refused, problem, problem_of
from lowshot.serve.service import Service
from lowshot.serve.settings import Settings
from lowshot.serve.site import Site, is_known

Given = TypeVar("Given")

Label = Annotated[str, InPath(description="The class; `/` in it as `%2F`.")]
Id = Annotated[int, InPath(description="The example.")]
Size = Annotated[int | None, Query(ge=16, le=1024, description="The longer side of a PNG of a picture.")]

routes = APIRouter(default_response_class=Response, responses=schema.PROBLEMS)


def make_app(settings: Settings) -> Edge:
    """The whole application."""
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    app = FastAPI(
        title="lowshot",
        version=__version__,
        description="Recognize anything from one to five examples.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service, app.state.site = service, Site()
    app.include_router(routes)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    return Edge(app, service, {("POST", "/v1/identify"): _identify_at_once(app)})


def _identify_at_once(app: FastAPI) -> ASGIApp:
    """The route that is asked all the time, without the framework around it: that takes as long as the rest of it."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"], scope["route"] = app, _IDENTIFY
        request = Request(scope, receive)
        try:
            response = await identify(request)
        except Exception as error:
            handler = next(handler for kind, handler in _HANDLERS.items() if isinstance(error, kind))
            response = await handler(request, error)
        await response(scope, receive, send)

    return answer


# What is asked and enrolled.


@routes.post("/v1/identify", tags=["identify"], **schema.IDENTIFY)
async def identify(request: Request) -> Response:
    """Say what each item shows, or that it shows nothing enrolled."""
    service = _service(request)
    async with service.admitted() as held:
        body = await _body(request, held)
        job = await _unless_gone(request, service.ask(_content_type(request), body, held))
    return _json({"answers": list(map(_answer, job.names, job.answers))})


@routes.post("/v1/classes/{label:path}/examples", status_code=201, tags=["classes"], **schema.ENROLL)
async def enroll(label: Label, request: Request) -> Response:
    """Enroll items under a label: all or none, on the disk when this is answered. The same item is not enrolled twice."""
    _check_label(label)
    service = _service(request)
    async with service.admitted() as held:
        body = await _body(request, held)
        ids = await _unless_gone(request, service.enroll(label, _content_type(request), body, held))
    return _json({"label": label, "ids": ids}, 201)


@routes.post("/v1/descriptions", status_code=201, tags=["classes"], **schema.DESCRIBE)
async def describe(request: Request) -> Response:
    """Enroll classes by what is said of them, all or none, before there is an example; or beside their examples."""
    service = _service(request)
    async with service.admitted() as held:
        said = read_descriptions(await _body(request, held), service.settings.max_files)
        held.take(items=len(said) - 1)
        for label in said:
            _check_label(label)
        ids = await service.write(lambda: service.gallery.describe(said))
    return _json({"ids": ids}, 201)


@routes.get("/v1/classes", tags=["classes"], **schema.gives(schema.Classes))
async def classes(request: Request) -> Response:
    """Every class, how many examples it has, and its oldest one."""
    return _json(await _reading(request, lambda service: service.overview()))


@routes.get("/v1/classes/{label:path}", tags=["classes"], **schema.gives(schema.Class))
async def show_class(label: Label, request: Request) -> Response:
    """The examples of a class, oldest first."""
    records = await _reading(request, lambda service: service.gallery.examples(label))
    return _json({"label": label, "examples": records})


@routes.patch("/v1/classes/{label:path}", tags=["classes"], **schema.RENAME)
async def rename_class(label: Label, request: Request) -> Response:
    """Give a class another label; it joins a class that has this label already."""
    async with _service(request).admitted() as held:
        to = read_renaming(await _body(request, held))
        _check_label(to)
        number = await _service(request).write(lambda: _service(request).gallery.rename_class(label, to))
    return _json({"label": to, "renamed": number})


@routes.delete("/v1/classes/{label:path}", tags=["classes"], **schema.gives(schema.Removed))
async def remove_class(label: Label, request: Request) -> Response:
    """Remove a class with all its examples."""
    return _json({"removed": await _writing(request, lambda service: service.gallery.remove_class(label))})


@routes.get("/v1/examples/{id}", tags=["examples"], **schema.gives(schema.Example))
async def show_example(id: Id, request: Request) -> Response:
    """What is known of an example."""
    return _json(await _reading(request, lambda service: service.gallery.example(id)))


@routes.delete("/v1/examples/{id}", tags=["examples"], **schema.gives(schema.Removed))
async def remove_example(id: Id, request: Request) -> Response:
    """Remove an example; a class without any is gone."""
    return _json({"removed": await _writing(request, lambda service: service.gallery.remove([id]))})


@routes.get("/v1/examples/{id}/image", tags=["examples"], **schema.IMAGE)
async def show_picture(
    id: Id,
    request: Request,
    size: Size = None,
) -> Response:
    """The picture an example was enrolled from."""
    service = _service(request)
    async with service.admitted():
        original = await service.read(lambda: service.original(id))
        if not original.is_picture:
            raise Refused("not-found", f"example {id} is no picture: ask for /v1/examples/{id}/file")
        return await _shown(request, original, size)


@routes.get("/v1/examples/{id}/file", tags=["examples"], **schema.FILE)
async def show_file(id: Id, request: Request, size: Size = None) -> Response:
    """The file an example was enrolled from: a picture, a sound or a text; of a description, what it says."""
    service = _service(request)
    async with service.admitted():
        return await _shown(request, await service.read(lambda: service.original(id)), size)


# What is known of the whole gallery.


@routes.get("/v1/check", tags=["gallery"], **schema.gives(schema.Found))
async def check(request: Request) -> Response:
    """What the gallery is worth, and what is wrong with it: see `lowshot gallery check`."""
    return await _study(request, "check")


@routes.get("/v1/map", tags=["gallery"], **schema.gives(schema.Map))
async def show_map(request: Request) -> Response:
    """The examples, or a thousand of them, on a plane: near where they look alike."""
    return await _study(request, "map")


@routes.get("/v1/encoder", tags=["gallery"], **schema.gives(schema.EncoderCard))
async def encoder(request: Request) -> Response:
    """What turns items into features."""
    gallery = _service(request).gallery
    card = gallery.card.model_dump(mode="json")
    return _json({**card, "fingerprint": gallery.fingerprint, "keeps_items": gallery.keeps_items})


# How the service is.


@routes.get("/healthz", tags=["service"], **schema.gives(schema.Status))
async def healthz() -> Response:
    """Whether this process is alive."""
    return _json({"status": "ok"})


@routes.get("/readyz", tags=["service"], **schema.gives(schema.Status))
async def readyz(request: Request) -> Response:
    """Whether requests are answered: the encoder is loaded, the gallery can be read, and the end is not near."""
    service = _service(request)
    if not service.is_ready:
        raise Refused("draining", "the service is about to end: ask another one")
    await _reading(request, lambda service: service.gallery.version())
    return _json({"status": "ok"})


@routes.get("/metrics", tags=["service"], **schema.METRICS)
async def metrics(request: Request) -> Response:
    """Counts and times, as Prometheus reads them."""
    return Response(_service(request).metrics.text(), media_type=METRICS_TYPE)


# The page.


@routes.get("/", include_in_schema=False)
async def page(request: Request) -> Response:
    """The page."""
    site: Site = request.app.state.site
    return site.response("index.html", request)


@routes.get("/page/{name}", include_in_schema=False)
async def page_file(name: str, request: Request) -> Response:
    """A file of the page."""
    site: Site = request.app.state.site
    if name not in site:
        raise Refused("not-found", "the page has no such file")
    return site.response(name, request)


@routes.get("/docs", include_in_schema=False)
async def documentation(request: Request) -> Response:
    """What the API is."""
    app: FastAPI = request.app
    return Response(docs.page(app.openapi()), headers={"Content-Security-Policy": docs.POLICY}, media_type="text/html")


# What they share.


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _json(content: Any, status: int = 200) -> Response:
    return Response(to_json(content), status, media_type="application/json")


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "")


def _answer(name: str, answer: Answer) -> dict[str, Any]:
    return {"name": name, "unknown": answer.unknown, **vars(answer)}


async def _shown(request: Request, original: Original, size: int | None) -> Response:
    """An example's file, or a small picture of it.

    Not to be kept unasked: another gallery, served here tomorrow, has other items under the same ids.
    """
    headers = {
        "ETag": tag(original.file, size),
        "Cache-Control": "private, no-cache",
        "Content-Type": original.media_type,
        **({schema.DESCRIBED: "1"} if original.described else {}),
        **schema.SANDBOX,
    }
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if size is None or not original.is_picture:
        return Response(original.file, headers=headers)
    small = await _service(request).decode(lambda: thumbnail(original.file, size))
    return Response(small, headers={**headers, "Content-Type": "image/png"})


def _check_label(label: str) -> None:
    if label in (".", ".."):
        raise BadLabels(f"the label {label!r} cannot be used here: no browser can ask for it")


async def _body(request: Request, held: Held) -> bytes:
    """All of the body. Raises Refused as soon as it is known to be too large."""
    most = _service(request).settings.max_body
    said = request.headers.get("content-length", "0")
    size, parts = 0, []
    if said.isdecimal() and int(said[:20]) > most:
        raise Refused("too-large", f"the request has {said[:20]} bytes, {most} are allowed: send it in parts")
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise Refused("too-large", f"the request has more than {most} bytes: send it in parts")
        held.take(size=len(part))
        parts.append(part)
    return b"".join(parts)


async def _unless_gone(request: Request, work: Awaitable[Given]) -> Given:
    """What was asked for. Where the client goes away meanwhile it is not done any more, as far as it was not begun."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())  # after the body there is nothing but this to come
    gone.add_done_callback(lambda _: task.cancel())
    try:
        return await task
    except asyncio.CancelledError:
        if gone.done() and not gone.cancelled():
            raise ClientDisconnect from None
        raise
    finally:
        gone.cancel()


async def _reading(request: Request, work: Callable[[Service], Given]) -> Given:
    service = _service(request)
    async with service.admitted():
        return await service.read(lambda: work(service))


async def _writing(request: Request, work: Callable[[Service], Given]) -> Given:
    service = _service(request)
    async with service.admitted():
        return await service.write(lambda: work(service))


async def _study(request: Request, name: str) -> Response:
    service = _service(request)
    async with service.admitted():
        return Response(await service.studies.json(name), media_type="application/json")


# What goes wrong.


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, LowshotError)
    service = _service(request)
    request.scope[PROBLEM] = note(service, error)
    return problem(error, service.gallery.place)


async def _refuse_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = ".".join(map(str, first["loc"][1:]))
    return await _refuse(request, Refused("bad-parameters", f"{name}: {first['msg']}"))


async def _refuse_http(request: Request, error: Exception) -> Response:
    """Of the framework: no such route, or no such method there."""
    assert isinstance(error, HTTPException)
    kind = {404: "not-found", 405: "method"}.get(error.status_code, "malformed")
    request.scope[PROBLEM] = note(_service(request), Refused(kind, error.detail))
    response = problem_of(kind, error.detail, status=error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody reads it; the log says 499."""
    return Response(status_code=499)


async def _fail(request: Request, error: Exception) -> Response:
    """A fault of ours: what it was is for the log."""
    faults.error("%s %s failed", request.method, route_of(request.scope), exc_info=error)
    request.scope[PROBLEM] = note(_service(request), Refused("internal", type(error).__name__))
    return problem_of("internal", "the log of the service says more")


_HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = MappingProxyType(
    {
        LowshotError: _refuse,
        HTTPException: _refuse_http,
        RequestValidationError: _refuse_parameters,
        ClientDisconnect: _gone,
        Exception: _fail,
    }
)
_IDENTIFY = next(route for route in routes.routes if getattr(route, "path", "") == "/v1/identify")
