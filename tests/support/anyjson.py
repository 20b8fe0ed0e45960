"""Hypothesis strategies for messages that went wrong: JSON objects that are nearly, or not at all, what is expected."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

# Surrogates and control characters included: parsers must not rely on who read the JSON.
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def broken(document: Mapping[str, object], names: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, object]]:
    """Return variations of `document`: members at any depth left out, replaced, or joined by others called `names`."""
    extra = st.dictionaries(st.sampled_from(names), VALUES, max_size=2) if names else st.just({})
    return st.builds(lambda kept, added: kept | added, _broken_object(document), extra)


def _broken_object(document: Mapping[str, object]) -> st.SearchStrategy[dict[str, object]]:
    members = {name: _broken_value(value) for name, value in document.items()}
    kept = st.sets(st.sampled_from(sorted(document)) if document else st.nothing())
    return st.builds(lambda values, names: {n: v for n, v in values.items() if n not in names}, _all(members), kept)


def _all(members: Mapping[str, st.SearchStrategy[object]]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries(dict(members))


def _broken_value(value: object) -> st.SearchStrategy[object]:
    good = _broken_object(value) if isinstance(value, dict) else st.just(value)
    return st.one_of(good, good, VALUES)
