"""The recorder of tests/data/har: a real Chromium plays a page, and what its network did is written as Chrome writes
it.

`python -m tests.support.record_har` makes the recordings again. It needs Debian's package chromium. A developer would
open the page, and export the HAR from the network panel; this does the same by the DevTools protocol.
"""

import asyncio
import base64
import json
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from bench.server.process import ServerProcess
from tests.support.folders import ROOT

FOLDER = ROOT / "tests/data/har"

Json = dict[str, Any]


class Recorder:
    """The entries of a HAR, made from the events of DevTools' network domain."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._entries: dict[str, Json] = {}
        self._early: dict[str, list[tuple[str, Json]]] = {}
        self._bodies: list[asyncio.Task[None]] = []
        self._clock_offset_s = 0.0
        self._last_id = 0

    async def call(self, method: str, **parameters: Any) -> Json:
        """Return what DevTools answers."""
        self._last_id += 1
        answer = self._answers[self._last_id] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._last_id, "method": method, "params": parameters})
        answered: Json = await answer
        return answered

    async def listen(self) -> None:
        """Take all that DevTools says, until it ends."""
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told.get("result", {}))
            elif told["method"].startswith("Network."):
                self._take(told["method"].removeprefix("Network."), told["params"])

    async def har(self, with_secrets: bool) -> Json:
        """Return the recording. Without secrets it lacks what Chrome leaves out of a sanitized one."""
        await asyncio.gather(*self._bodies)
        entries = sorted(self._entries.values(), key=lambda entry: entry["startedDateTime"])
        text = json.dumps({"log": {"version": "1.2", "creator": {"name": "WebInspector", "version": "537.36"},
                                   "pages": [], "entries": entries}})  # fmt: skip
        har: Json = json.loads(text)
        if not with_secrets:
            for entry in har["log"]["entries"]:
                for part, hidden in (("request", ("cookie", "authorization")), ("response", ("set-cookie",))):
                    entry[part]["cookies"] = []
                    headers = entry[part]["headers"]
                    entry[part]["headers"] = [each for each in headers if each["name"].lower() not in hidden]
        return har

    def _take(self, event: str, told: Json) -> None:
        name = told.get("requestId", "")
        if event == "requestWillBeSent":
            self._clock_offset_s = told["wallTime"] - told["timestamp"]
            self._entries[name] = _entry(told["request"], told["wallTime"], told["type"].lower())
        elif event == "webSocketCreated":
            self._entries[name] = _entry({"url": told["url"], "method": "GET", "headers": {}}, 0.0, "websocket")
            self._entries[name]["_webSocketMessages"] = []
        entry = self._entries.get(name)
        if entry is None:
            self._early.setdefault(name, []).append((event, told))
            return
        for earlier in self._early.pop(name, ()):
            self._take(*earlier)
        if event == "webSocketWillSendHandshakeRequest":
            entry["startedDateTime"] = _moment(told["wallTime"])
            entry["request"]["headers"] = _headers(told["request"]["headers"])
        elif event == "webSocketHandshakeResponseReceived":
            entry["response"] |= {"status": 101, "headers": _headers(told["response"]["headers"])}
        elif event == "requestWillBeSentExtraInfo":
            entry["request"]["headers"] = _headers(told["headers"])
            entry["request"]["cookies"] = [_cookie(each["cookie"]) for each in told["associatedCookies"]]
        elif event == "responseReceivedExtraInfo":
            entry["response"]["headers"] = _headers(told["headers"])
        elif event == "responseReceived":
            response = told["response"]
            entry["response"] |= {"status": response["status"], "statusText": response["statusText"]}
            entry["response"]["content"]["mimeType"] = response["mimeType"]
        elif event in ("loadingFinished", "loadingFailed"):
            started = datetime.fromisoformat(entry["startedDateTime"]).timestamp()
            entry["time"] = (told["timestamp"] + self._clock_offset_s - started) * 1000
            if event == "loadingFinished":
                self._bodies.append(asyncio.create_task(self._read_bodies(name, entry)))
        elif event in ("webSocketFrameSent", "webSocketFrameReceived"):
            frame = told["response"]
            entry["_webSocketMessages"].append(
                {"type": "send" if event.endswith("Sent") else "receive",
                 "time": told["timestamp"] + self._clock_offset_s, "opcode": frame["opcode"],
                 "data": frame["payloadData"]}
            )  # fmt: skip

    async def _read_bodies(self, name: str, entry: Json) -> None:
        if entry["_resourceType"] in ("script", "document"):  # large, and of no interest here
            return
        body = await self.call("Network.getResponseBody", requestId=name)
        if "body" in body:
            entry["response"]["content"] |= {"text": body["body"], "size": len(body["body"])}
            if body["base64Encoded"]:
                entry["response"]["content"]["encoding"] = "base64"


def _entry(request: Json, wall_time_s: float, kind: str) -> Json:
    made: Json = {
        "_resourceType": kind,
        "startedDateTime": _moment(wall_time_s),
        "time": 0,
        "request": {"method": request["method"], "url": request["url"], "httpVersion": "HTTP/1.1",
                    "headers": _headers(request["headers"]), "queryString": [], "cookies": []},
        "response": {"status": 0, "statusText": "", "headers": [], "cookies": [], "content": {"size": 0}},
    }  # fmt: skip
    if request.get("postDataEntries"):
        body = b"".join(base64.b64decode(part["bytes"]) for part in request["postDataEntries"]).decode()
        types = [value for name, value in request["headers"].items() if name.lower() == "content-type"]
        made["request"]["postData"] = {"mimeType": types[0] if types else "", "text": body}
    return made


def _headers(headers: Json) -> list[Json]:
    return [{"name": name, "value": value} for name, value in headers.items()]


def _cookie(cookie: Json) -> Json:
    return {name: cookie[name] for name in ("name", "value", "path", "domain")}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


async def record(url: str, chromium: str) -> Recorder:
    """Return what the network of a Chromium did while the page there was at work."""
    with tempfile.TemporaryDirectory() as profile:
        arguments = ["--headless=new", "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
        browser = await asyncio.create_subprocess_exec(chromium, *arguments, "about:blank", stderr=subprocess.DEVNULL)
        try:
            port_file = Path(profile) / "DevToolsActivePort"
            while not port_file.exists() or not port_file.read_text().strip():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
            port = port_file.read_text().split()[0]
            return await _played(url, f"http://127.0.0.1:{port}/json/list")
        finally:
            browser.terminate()
            await browser.wait()


async def _played(url: str, pages: str) -> Recorder:
    async with aiohttp.ClientSession() as session:
        async with session.get(pages) as answer:
            targets = await answer.json(content_type=None)
        page = next(target for target in targets if target["type"] == "page")
        async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            recorder = Recorder(socket)
            listening = asyncio.create_task(recorder.listen())
            await recorder.call("Network.enable")
            await recorder.call("Page.navigate", url=url)
            title = "at work"
            while title in ("at work", "") or "/" in title:
                await asyncio.sleep(0.2)
                found = await recorder.call("Runtime.evaluate", expression="document.title")
                title = found["result"]["value"]
            if title != "done":
                sys.exit(f"the page says {title!r}")
            await recorder.har(with_secrets=True)  # reads the bodies while there is a browser
            listening.cancel()
            return recorder


async def main() -> None:
    """Record the session twice: by polling with an upgrade, as browsers do."""
    chromium = shutil.which("chromium") or sys.exit("install Debian's package chromium")
    with ServerProcess("tests.data.apps.recorded:app", directory=ROOT, core=None) as server:
        recorder = await record(f"{server.url}/page", chromium)
    for name, with_secrets in (("session.har", True), ("sanitized.har", False)):
        har = await recorder.har(with_secrets)
        (FOLDER / name).write_text(json.dumps(har, indent=1, ensure_ascii=False) + "\n")
        print(f"{name}: {len(har['log']['entries'])} entries")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
