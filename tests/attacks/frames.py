"""The WebSocket as bytes: frames as no library would write them."""

from base64 import b64encode
from itertools import cycle
from struct import pack, unpack
from typing import Any, NamedTuple

import orjson

from tests.attacks.wire import Wire, request

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
PATH = "/api/v1/ws"
MASK = b"\x01\x02\x03\x04"
UPGRADE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: " + b64encode(b"k" * 16).decode(),
)


class Frame(NamedTuple):
    """What the server sent."""

    opcode: int
    payload: bytes

    @property
    def close_code(self) -> int:
        assert self.opcode == CLOSE, self
        return int(unpack("!H", self.payload[:2])[0])

    @property
    def json(self) -> Any:  # noqa: ANN401  Whatever it is.
        assert self.opcode == TEXT, self
        return orjson.loads(self.payload)


def frame(
    payload: bytes = b"",
    opcode: int = TEXT,
    *,
    final: bool = True,
    reserved: int = 0,
    masked: bool = True,
    length: int | None = None,
) -> bytes:
    """Return a client's frame; `length` is what its header says, however long it is."""
    first = (0x80 if final else 0) | reserved << 4 | opcode
    told = len(payload) if length is None else length
    bit = 0x80 if masked else 0
    if told < 126:
        head = pack("!BB", first, bit | told)
    elif told < 2**16:
        head = pack("!BBH", first, bit | 126, told)
    else:
        head = pack("!BBQ", first, bit | 127, told)
    if not masked:
        return head + payload
    return head + MASK + bytes(a ^ b for a, b in zip(payload, cycle(MASK), strict=False))


class Socket(Wire):
    """A WebSocket whose handshake is done."""

    def __init__(self, url: str, *lines: str, source: str = "127.0.0.1") -> None:
        super().__init__(url, source)
        self.send(request("GET", PATH, *UPGRADE, *lines))
        reply = self.reply()
        assert reply.status == 101, reply

    def next(self) -> Frame:
        """Read one frame."""
        first, size = self.exactly(2)
        assert first & 0x80, "ours are whole"
        assert not size & 0x80, "ours are not masked"
        if size == 126:
            (size,) = unpack("!H", self.exactly(2))
        elif size == 127:
            (size,) = unpack("!Q", self.exactly(8))
        return Frame(first & 0x0F, self.exactly(size))

    def say(self, **fields: object) -> None:
        """Send an operation."""
        self.send(frame(orjson.dumps(fields)))

    def ask(self, **fields: object) -> Any:  # noqa: ANN401  Whatever the result is.
        """Send an operation, and return what it is answered with, result or error."""
        self.say(id="mine", **fields)
        return self.answer("mine")

    def answer(self, frame_id: object) -> Any:  # noqa: ANN401
        """Skip to an answer, past what channels bring."""
        while True:
            said = self.next().json
            if "id" in said and said["id"] == frame_id:
                return said.get("result", said.get("error"))

    def end(self) -> int:
        """Skip to the goodbye, and return its code."""
        while True:
            found = self.next()
            if found.opcode == CLOSE:
                return found.close_code
