"""The recordings of a real switch, and a reading of them that shares no code with the product."""

import gzip
import json
import re
from pathlib import Path
from urllib.parse import unquote

RECORDINGS = Path(__file__).parent.parent / "recordings"
NAMES = sorted(path.name for path in RECORDINGS.glob("*.esl*"))
SMALL = [name for name in NAMES if (RECORDINGS / name).stat().st_size < 60_000]

_HEAD = re.compile(rb"(?:Content-Length: (\d+)\n|Content-Type: ([^\n]+)\n){2}\n")


def recorded(name: str) -> bytes:
    data = (RECORDINGS / name).read_bytes()
    return gzip.decompress(data) if name.endswith(".gz") else data


def messages(data: bytes) -> list[tuple[str, bytes]]:
    """Content type and body of every message of a recording."""
    found, at = [], 0
    while at < len(data):
        head = _HEAD.match(data, at)
        assert head, f"no message at byte {at}"
        end = head.end() + int(head[1])
        found.append((head[2].decode(), data[head.end() : end]))
        at = end
    return found


def event_headers(content_type: str, body: bytes) -> dict[str, str]:
    """The headers of an event by urllib and json alone (recorded events have no body)."""
    if content_type == "text/event-json":
        values = json.loads(body)
        return {k: v if isinstance(v, str) else "ARRAY::" + "|:".join(v) for k, v in values.items()}
    return {
        name: unquote(value, errors="replace")
        for name, value in re.findall(r"^(.+?): (.*)$", body.decode(), re.MULTILINE)
    }
