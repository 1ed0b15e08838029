"""Text patterns in the words of both backends: LIKE and regular expressions into GLOB, and GLOB back.

SQLite's LIKE ignores the case of ASCII letters where PostgreSQL's does not, so a pattern with letters becomes
a GLOB. Only what GLOB can say exactly is translated.
"""

from __future__ import annotations

import re

__all__ = ["glob_to_like", "glob_to_regex", "like_to_glob", "regex_to_sqlite"]

_SPECIAL = "*?["


def like_to_glob(pattern: str, escape: str = "\\") -> str:
    """The GLOB that matches what the case-sensitive LIKE matches."""
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        if char == escape and at + 1 < len(pattern):
            at += 1
            out.append(_literal(pattern[at]))
        else:
            out.append({"%": "*", "_": "?"}.get(char) or _literal(char))
        at += 1
    return "".join(out)


def _literal(char: str) -> str:
    return f"[{char}]" if char in _SPECIAL else char


def glob_to_like(pattern: str) -> str | None:
    """The LIKE pattern equal to the GLOB; None where it has character classes."""
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        if char == "[":
            inside = re.compile(r"\[([*?\[])\]").match(pattern, at)
            if not inside:
                return None
            out.append(inside.group(1))
            at = inside.end()
            continue
        out.append({"*": "%", "?": "_"}.get(char) or ("\\" + char if char in "%_\\" else char))
        at += 1
    return "".join(out)


def glob_to_regex(pattern: str) -> str:
    """The anchored regular expression equal to the GLOB."""
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        end = pattern.find("]", at + 3 if pattern[at + 1 : at + 2] == "^" else at + 2) if char == "[" else -1
        if end > 0:
            body = pattern[at + 1 : end]
            negated, body = body[:1] == "^", body.lstrip("^") if body[:1] == "^" else body
            out.append(
                f"[{'^' if negated else ''}{body.replace(chr(92), chr(92) * 2).replace('[', chr(92) + '[')}]"
            )
            at = end + 1
            continue
        out.append({"*": ".*", "?": "."}.get(char) or re.escape(char))
        at += 1
    return "^" + "".join(out) + "$"


_CLASS = r"\[\^?\]?[^\]\[\\]*\]"
_ITEM = re.compile(
    rf"(?P<set>{_CLASS}|\\[dw])|(?P<any>\.)|\\(?P<escaped>[^\w\s])|(?P<plain>[^\\.\[\](){{}}*+?|^$])"
)
_REPEAT = re.compile(r"\{(\d{1,2})\}|([*+?{])")
_SHORTHAND = {r"\d": "[0-9]", r"\w": "[A-Za-z0-9_]"}
_ENDLESS = re.compile(rf"\^(?P<before>.*?)(?P<set>{_CLASS}|\\[dw])(?P<repeat>[+*])\$", re.DOTALL)


def regex_to_sqlite(column: str, pattern: str) -> str | None:
    """SQL for ``column ~ pattern`` in GLOBs; None where GLOB has no words for the pattern.

    Args:
        column: the tested expression as SQL text.
        pattern: a regular expression; the anchored kind checks are made of (``^[a-z0-9-]+$``,
            ``^[A-Z]{3}$``, ``^[a-z][a-z0-9]*$``).
    """
    endless = _ENDLESS.fullmatch(pattern)
    before = _units(endless["before"]) if endless else None
    if endless and before is not None and "*" not in before:
        return _endless(column, before, endless["set"], filled=endless["repeat"] == "+")
    starts, ends = pattern.startswith("^"), pattern.endswith("$") and not pattern.endswith("\\$")
    units = _units(pattern[starts : len(pattern) - ends])
    if units is None:
        return None
    found = "".join(["" if starts else "*", *units, "" if ends else "*"])
    return f"{column} GLOB '{_quoted(found)}'"


def _endless(column: str, before: list[str], characters: str, *, filled: bool) -> str:
    """So many units, and then nothing but these characters: GLOB can only say that no other one is there."""
    inside = _SHORTHAND.get(characters, characters)[1:-1]
    other = f"[{inside[1:]}]" if inside.startswith("^") else f"[^{inside}]"
    rest = f"substr({column}, {len(before) + 1})" if before else column
    conditions = [f"{column} GLOB '{_quoted(''.join(before))}*'"] if before else []
    conditions.append(f"{rest} NOT GLOB '*{_quoted(other)}*'")
    conditions += [f"{rest} <> ''"] if filled else []
    return f"({' AND '.join(conditions)})"


def _units(body: str) -> list[str] | None:
    """The GLOB's units, ``*`` among them or each for one character; None where GLOB has no words."""
    out: list[str] = []
    at = 0
    while at < len(body):
        item = _ITEM.match(body, at)
        if not item:
            return None
        at = item.end()
        if item["set"]:
            unit = _SHORTHAND.get(item["set"], item["set"])
        else:
            unit = "?" if item["any"] else _literal(item["escaped"] or item["plain"])
        repeat = _REPEAT.match(body, at)
        if repeat and repeat.group(1):
            out += [unit] * (int(repeat.group(1)) - 1)
            if repeat.group(1) == "0":
                return None
            at = repeat.end()
        elif repeat:
            if not item["any"] or repeat.group(2) not in "*+":
                return None
            out += ["?"] if repeat.group(2) == "+" else []
            unit = "*"
            at = repeat.end()
        out.append(unit)
    return out


def _quoted(text: str) -> str:
    return text.replace("'", "''")
