"""What makes a good file bad: changed bytes, and JSON that lies."""

import json
import math

from hypothesis import strategies as st

__all__ = ["as_text", "damaged", "lies", "names", "texts", "tree_with_lies"]

names = st.sampled_from(
    [
        "..", "../evil.json", "/evil.json", "a/../../evil.json", "..\\evil.json", "C:\\evil.json",
        ".", "", " ", "-", "~", "~/evil", "study.db", "storage.json", "a\0b", "a\nb", "\ud800",
        "%2e%2e/evil", "nul", "A" * 300, "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe", "-rf", "--help",
        "__class__", "self", "class", "\N{KELVIN SIGN}",
    ]
)  # fmt: skip
texts = st.text(max_size=8) | names

numbers = st.sampled_from(
    [
        0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 10**400, -(10**400), 0.0, -0.0,
        1e-320, 1e308, -1e308, math.inf, -math.inf, math.nan, 0.1, 1.5, 5e-324,
    ]
)  # fmt: skip
scalars = st.none() | st.booleans() | numbers | st.integers(-3, 12) | texts


_odd = ["[]", "{}", "[[]]", "[null]", '{"": null}', "[" * 50 + "]" * 50, "[" * 700 + "]" * 700]

lies = st.one_of(
    scalars,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    ),
    # Read anew each time, as what is drawn is changed later.
    st.sampled_from(_odd).map(json.loads),
    st.just("x" * 100_000),
)


@st.composite
def tree_with_lies(draw, tree, *, most=3):
    """A JSON tree of which some parts are replaced, left out, doubled or called otherwise."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw(st.integers(0, most))):
        holder: list[object] = [tree]
        key: object = 0
        part = tree
        while isinstance(part, dict | list) and part and draw(st.integers(0, 5)):
            keys = sorted(part) if isinstance(part, dict) else range(len(part))
            holder, key = part, draw(st.sampled_from(keys))
            part = part[key]
        match draw(st.integers(0, 4)):
            case 0 if holder[key] is not tree:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[draw(texts)] = holder.pop(key)
            case 2 if isinstance(part, list):
                part.extend([*part[:4], draw(lies)])
            case _:
                if part is tree:
                    tree = draw(lies)
                else:
                    holder[key] = draw(lies)
    return tree


@st.composite
def as_text(draw, trees):
    """A tree as JSON, sometimes with a name that comes twice, depth without end, or damage."""
    text = json.dumps(draw(trees))
    match draw(st.integers(0, 9)):
        case 0:
            name = draw(st.sampled_from(["version", "domains", "kind", "low", "sha256", "x"]))
            return text.replace("{", f'{{"{name}": {json.dumps(draw(scalars))}, ', 1)
        case 1:
            depth = draw(st.sampled_from([900, 1_100, 100_000]))
            return text.replace("null", "[" * depth + "]" * depth, 1)
        case 2:
            return draw(damaged(text.encode())).decode("utf-8", "surrogateescape")
        case 3:
            return text.replace("1", draw(st.sampled_from(["1" * 5_000, "1e999", "-", "0x1"])), 1)
    return text


@st.composite
def damaged(draw, content, *, most=4):
    """Bytes of which some are turned over, cut out, put in twice, or made up."""
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        # Heads and tails are where a file says what it is.
        at = draw(st.sampled_from([at, at % 64, max(len(content) - 1 - at % 64, 0)]))
        length = draw(st.integers(1, 64))
        match draw(st.integers(0, 5)):
            case 0:
                content = content[:at]
            case 1:
                content = content[:at] + content[at + length :]
            case 2:
                content = content[:at] + content[at : at + length] * 2 + content[at + length :]
            case 3:
                content = content[:at] + draw(st.binary(max_size=16)) + content[at:]
            case 4:
                new = draw(st.sampled_from([b"\0", b"\xff", b"\x7f", b"\x80"])) * min(length, 8)
                content = content[:at] + new + content[at + len(new) :]
            case _:
                flip = 1 << draw(st.integers(0, 7))
                turned = bytes([content[at] ^ flip]) if at < len(content) else b""
                content = content[:at] + turned + content[at + 1 :]
    return content
