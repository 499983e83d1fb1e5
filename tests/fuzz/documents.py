"""Almost valid JSON documents, and bytes that are not JSON."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 10**30, 1e308])
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=30)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@st.composite
def changed(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """*document* with some values replaced by any others, some left out, and one that nobody knows."""
    result = dict(document)
    for key in draw(st.lists(st.sampled_from(sorted(document)), max_size=3, unique=True)):
        if draw(st.booleans()):
            result[key] = draw(VALUES)
        else:
            del result[key]
    if draw(st.booleans()):
        result[draw(st.text(max_size=8))] = draw(VALUES)
    return result


def contents(document: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Contents for the file of *document*: anything, a part of it, or it with other values."""
    whole = json.dumps(document).encode()
    return (
        st.binary(max_size=200)
        | st.integers(0, len(whole)).map(lambda end: whole[:end])
        | (VALUES | changed(document)).map(lambda value: json.dumps(value).encode())
        | st.sampled_from([b"", b"null", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b"1" * 5000, whole])
    )
