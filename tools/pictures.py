"""Draw the pictures of the documentation into ``docs/pictures/``.

``python tools/pictures.py`` draws them all; ``--check`` compares those of the design with what is committed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.drawing import Sheet

DOCS = Path(__file__).parents[1] / "docs"
PICTURES = DOCS / "pictures"


def growth() -> Sheet:
    """What an app grows through."""
    sheet = Sheet(
        860, 330, "An app keeps one DatabaseAdapter while its data moves from SQLite to Postgres and back"
    )
    sheet.box(
        230, 14, 400, 62, "Your app, running", ["the same statements, values, errors all the way"], "box"
    )
    sheet.arrow([(430, 76), (430, 104)], kind="line", both=True)
    sheet.box(250, 106, 360, 50, "DatabaseAdapter", kind="room")
    sheet.arrow([(250, 131), (130, 131), (130, 186)], "")
    sheet.arrow([(610, 131), (690, 131), (690, 186)], kind="line dashed")
    sheet.text(146, 122, "today", "small")
    sheet.text(640, 122, "tomorrow", "small")
    sheet.cylinder(40, 190, 180, 110, "SQLite", ["one file", "vectors beside the rows"])
    sheet.cylinder(600, 190, 160, 110, "Postgres", ["pool, TLS, PgBouncer", "pgvector"])
    for number in range(2):
        sheet.cylinder(778, 190 + number * 58, 70, 52, "")
    sheet.text(813, 226, "replica", "small", "middle")
    sheet.text(813, 284, "replica", "small", "middle")
    sheet.arrow([(760, 230), (778, 218)])
    sheet.arrow([(760, 262), (778, 274)])
    sheet.arrow([(226, 236), (584, 236)], "switch_database(): while the app writes", kind="hot")
    sheet.arrow([(584, 270), (226, 270)], "and back: nothing lost, no error", kind="hot")
    return sheet


def house() -> Sheet:
    """The rooms of the package, and who may call whom."""
    sheet = Sheet(
        860, 560, "The rooms of dbadapter: arrows go down, from what people use to what knows a database"
    )
    sheet.text(20, 28, "what people and apps use", "small")
    across = [
        ("DatabaseAdapter", "and its async twin", 154),
        ("cli", "dbadapter …", 110),
        ("web", "HTTP, live page", 124),
        ("doctor", "faults, remedies", 130),
        ("integrations", "FastAPI, Flask, …", 136),
        ("testing", "pytest plugin", 116),
    ]
    left = 20
    for name, line, wide in across:
        sheet.box(left, 38, wide, 58, name, [line], "box")
        left += wide + 10
    sheet.arrow([(430, 100), (430, 128)])
    sheet.text(20, 146, "the shells: take a connection, call the driver, give it back", "small")
    lines = ["adapter, pools, lanes, transactions, vectors", "written once, the sync half is generated"]
    sheet.box(20, 156, 330, 66, "_async → _sync", lines, "room")
    rooms = [
        ("transfer", ["profile, plan,", "copy, verify"]),
        ("switching", ["capture, rounds,", "fence, follow"]),
        ("schema", ["model, SQL,", "check"]),
        ("vectors", ["filters, search,", "Chroma's files"]),
    ]
    for number, (name, said) in enumerate(rooms):
        sheet.box(360 + number * 121, 156, 117, 66, name, said, "room")
    for x in (130, 330, 640):
        sheet.arrow([(x, 226), (x, 262)])
    sheet.text(20, 280, "what they stand on", "small")
    sheet.box(
        20,
        290,
        270,
        84,
        "_core",
        [
            "decisions without I/O: placeholders,",
            "pool states, routing, roles, switching:",
            "(state, event, now) → (state, actions)",
        ],
        "room",
    )
    sheet.box(
        305,
        290,
        250,
        84,
        "_drivers",
        ["the only room that knows sqlite3", "and psycopg: values, errors,", "catalogs, COPY"],
        "room",
    )
    sheet.box(
        570,
        290,
        270,
        84,
        "_dialects",
        [
            "SQL text and capabilities of each",
            "backend: quoting, catalog queries;",
            "asked, never compared by name",
        ],
        "room",
    )
    sheet.arrow([(430, 378), (430, 408)])
    sheet.box(20, 410, 820, 46, "types · errors · config", ["values that everybody may know"], "box")
    sheet.text(20, 476, "beside them", "small")
    sheet.box(
        20,
        486,
        400,
        60,
        "_concurrency",
        ["locks and wake-ups, twice under the same names:", "_threads and _aio"],
        "box",
    )
    sheet.box(
        440,
        486,
        400,
        60,
        "embedded",
        ["a real Postgres with replicas, from pip;", "for the demo, for tests, for first steps"],
        "box",
    )
    return sheet


def query() -> Sheet:
    """The way of one fetch_one."""
    sheet = Sheet(
        860,
        400,
        "The way of fetch_one: parse, choose a lane, take a connection, run, give it back, make a row",
    )
    sheet.box(20, 20, 250, 54, 'fetch_one("… = :id", {"id": 7})', ["your call"], "box")
    sheet.arrow([(145, 74), (145, 104)])
    sheet.box(
        20,
        106,
        250,
        60,
        "parse",
        [":name and ? → the driver's own,", "once per text, then from a cache"],
        "room",
    )
    sheet.arrow([(270, 136), (318, 136)])
    sheet.box(
        320,
        106,
        230,
        60,
        "choose a lane",
        ["reader, writer, or which server:", "intent, health, consistency"],
        "room",
    )
    sheet.arrow([(550, 136), (598, 136)])
    sheet.box(
        600,
        106,
        240,
        60,
        "take a connection",
        ["at once, or in a fair queue;", "what broke while idle is replaced"],
        "room",
    )
    sheet.arrow([(720, 166), (720, 204)])
    sheet.box(
        600, 206, 240, 60, "run", ["values bound by the driver;", "driver's errors become ours"], "room"
    )
    sheet.arrow([(600, 236), (552, 236)])
    sheet.box(
        320,
        206,
        230,
        60,
        "give it back",
        ["to whoever waits longest;", "always, also after an error"],
        "room",
    )
    sheet.arrow([(320, 236), (272, 236)])
    sheet.box(
        20,
        206,
        250,
        60,
        "make the row",
        ["by declared types: Decimal, date,", "JSON; a dict, a tuple or your class"],
        "room",
    )
    sheet.arrow([(20, 236), (8, 236), (8, 47), (18, 47)])
    sheet.cylinder(330, 310, 210, 80, "SQLite or Postgres")
    sheet.arrow([(720, 266), (720, 350), (542, 350)], both=True)
    sheet.text(632, 342, "sqlite3, psycopg", "small", "middle")
    sheet.arrow([(435, 306), (435, 290), (770, 290), (770, 268)], kind="hot dashed")
    sheet.text(444, 284, "lost or refused: again elsewhere, where safe", "small")
    return sheet


def switch() -> Sheet:
    """The steps of a live switch, along the time."""
    sheet = Sheet(
        860, 340, "A live switch in time: who works where, what is copied meanwhile, and the one decision"
    )
    left, decided, right = 130.0, 640.0, 845.0
    for y, name in ((62, "your app"), (142, "old database"), (252, "new database")):
        sheet.text(16, y, name, "title")
    sheet.box(left, 40, 440, 36, "writes on, in every process", kind="data")
    sheet.box(left + 444, 40, decided - left - 446, 36, kind="accent")
    sheet.text((left + 444 + decided + 6) / 2, 62, "waits", "small", "middle")
    sheet.box(decided + 10, 40, right - decided - 10, 36, "goes on there", kind="data")
    steps = [
        (left, 70, "examine", ["all values"]),
        (left + 76, 76, "capture", ["keys that", "change"]),
        (left + 158, 122, "copy", ["table by table"]),
        (left + 286, 96, "rounds", ["what changed", "meanwhile"]),
        (left + 388, 56, "verify", ["both"]),
        (left + 450, 54, "last", ["round"]),
    ]
    for x, wide, name, lines in steps:
        sheet.box(x, 112, wide, 60, name, lines, "room")
    for x in (left + 219, left + 334, left + 477):
        sheet.arrow([(x, 174), (x, 226)], kind="hot" if x > left + 400 else "line")
    sheet.box(left + 158, 228, decided - left - 158, 44, "fills up, unused", kind="box")
    sheet.box(decided + 10, 228, right - decided - 10, 44, "the home", kind="data")
    sheet.box(decided + 10, 112, right - decided - 10, 60, "fenced", ["refuses every write"], "accent")
    sheet.line([(decided + 4, 30), (decided + 4, 286)], "hot")
    sheet.text(decided + 4, 306, "one commit decides", "title", "middle")
    sheet.text(left, 306, "if anything fails before, nothing has changed", "small")
    sheet.text(right, 326, "a process that comes late is led on", "small", "end")
    return sheet


def consistency() -> Sheet:
    """How a read knows that a replica shows the session's write."""
    sheet = Sheet(
        860, 300, "A replica may serve a read when it has replayed a position asked for after the write"
    )
    left, right = 130.0, 840.0
    rows = {"session": 60, "watch": 130, "replica": 200}
    for name, y in rows.items():
        sheet.text(16, y + 5, name, "title")
        sheet.line([(left, y), (right, y)], "line")
    wrote, asked, replayed, read = 220.0, 360.0, 560.0, 700.0
    sheet.bar(wrote - 5, rows["session"] - 12, 10, 24, "two")
    sheet.text(wrote, rows["session"] - 20, "write acknowledged: w", "small", "middle")
    sheet.bar(asked - 5, rows["watch"] - 12, 10, 24, "one")
    sheet.text(asked, rows["watch"] - 20, "primary asked at s: position P", "small", "middle")
    sheet.bar(replayed - 5, rows["replica"] - 12, 10, 24, "one")
    sheet.text(replayed, rows["replica"] - 20, "has replayed P", "small", "middle")
    sheet.bar(read - 5, rows["session"] - 12, 10, 24, "one")
    sheet.text(read, rows["session"] - 20, "read on this replica", "small", "middle")
    sheet.arrow([(wrote, rows["session"] + 14), (wrote, 242), (asked, 242)], kind="line dashed")
    sheet.text(wrote + 8, 260, "w before s: P contains the write", "small")
    sheet.arrow(
        [(asked, rows["watch"] + 14), (asked, rows["replica"] - 8), (replayed - 10, rows["replica"] - 2)]
    )
    sheet.arrow(
        [(replayed, rows["replica"] + 14), (replayed, 242), (read, 242), (read, rows["session"] + 16)],
        kind="hot",
    )
    sheet.text(replayed + 8, 260, "so it shows it; the read asks nobody", "small")
    sheet.text(right, 288, "time →", "small", "end")
    return sheet


def transfer() -> Sheet:
    """What becomes of each value of a transfer."""
    sheet = Sheet(
        860,
        250,
        "A transfer reads every value, plans, copies and verifies; each value arrives or is a reject",
    )
    sheet.cylinder(16, 60, 120, 96, "source", ["only read"])
    steps = [
        ("profile", ["every value:", "kind, range"]),
        ("plan", ["types, keys;", "yours to edit"]),
        ("copy", ["in parallel,", "resumable"]),
        ("verify", ["digests of both,", "row by row"]),
    ]
    x = 162.0
    for name, lines in steps:
        sheet.arrow([(x - 22, 108), (x - 2, 108)])
        sheet.box(x, 72, 118, 72, name, lines, "room")
        x += 140
    sheet.cylinder(724, 16, 128, 86, "target", ["equal"])
    sheet.cylinder(724, 132, 128, 100, "rejects", ["key, value,", "reason"])
    sheet.arrow([(500, 72), (500, 44), (720, 44)])
    sheet.arrow([(500, 144), (500, 190), (720, 190)], kind="hot")
    sheet.text(510, 182, "what the target cannot hold", "small")
    sheet.text(510, 36, "everything else", "small")
    sheet.text(
        16,
        214,
        "Exit code 0 only if all arrived and is equal.",
        "small",
    )
    return sheet


def demo() -> Sheet:
    """Requests and waits of a recorded run of ``dbadapter demo``."""
    text = (PICTURES / "demo.txt").read_text(encoding="utf-8")
    number = r"([\d,.]+)"
    moments = [
        (float(at), backend, float(rate.replace(",", "")), float(slow.replace(",", "")))
        for at, backend, rate, slow in re.findall(
            rf"^ *([\d.]+) s +(\w+) +{number} requests/s .*?p95 {number} ms", text, re.MULTILINE
        )
    ]
    switches = re.findall(rf"^ *([\d.]+) s +switched from (\w+) to (\w+): {number} ms", text, re.MULTILINE)
    total = re.search(r"^([\d,]+) requests", text, re.MULTILINE)
    if total is None or len(switches) != 2 or "0 errors" not in text:
        raise ValueError("docs/pictures/demo.txt is not the record of a whole and faultless run")
    sheet = Sheet(860, 320, "Requests per second while a shop is switched to Postgres and back")
    left, right, top, bottom = 70.0, 840.0, 60.0, 270.0
    last, highest = max(moment[0] for moment in moments), max(moment[2] for moment in moments) * 1.1

    def place(at: float, rate: float) -> tuple[float, float]:
        return left + (right - left) * at / last, bottom - (bottom - top) * rate / highest

    sheet.text(20, 28, "dbadapter demo: a small shop, four threads, switched while it works", "big")
    there, back = float(switches[0][0]), float(switches[1][0])
    x1, x2 = place(there, 0)[0], place(back, 0)[0]
    sheet.bar(x1, top, x2 - x1, bottom - top, "shade")
    step = 10 ** (len(str(int(highest))) - 1)
    for rate in range(0, int(highest), step):
        sheet.line([place(0, rate), place(last, rate)])
        sheet.text(left - 8, place(0, rate)[1] + 4, f"{rate:,}", "small", "end")
    sheet.line([place(at, rate) for at, _, rate, _ in moments], "curve")
    for x, (*_, target, paused) in zip((x1, x2), switches, strict=True):
        sheet.line([(x, top - 16), (x, bottom)], "hot")
        name = {"sqlite": "SQLite", "postgresql": "Postgres"}[target]
        sheet.text(x + 6, top - 6, f"to {name}: a wait of {float(paused):.0f} ms", "small")
    sheet.text(left - 50, top - 6, "requests a second", "small")
    sheet.text(right, 294, f"{last:.0f} seconds", "small", "end")
    sheet.text(
        (left + right) / 2,
        294,
        f"{total[1]} requests, 0 errors, every acknowledged write found again",
        "title",
        "middle",
    )
    return sheet


def benchmarks() -> Sheet:
    """The time that dbadapter takes, by contender, from the tables of the page of benchmarks."""
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    suites = []
    for title, body in re.findall(r"^### (.+?)$(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL):
        rows = re.findall(r"^\| ([^|]+?) \|[^|]*\| ([\d.]+) × \|", body, re.MULTILINE)
        rows = [(name, ratio) for name, ratio in rows if name != "Python alone"]  # a floor, no contender
        if rows:
            suites.append((title, [(name, float(ratio)) for name, ratio in rows]))
    lines = sum(len(rows) + 1.7 for _, rows in suites)
    sheet = Sheet(
        860,
        int(70 + 22 * lines),
        "Time that dbadapter takes compared with each contender; shorter is quicker",
    )
    sheet.text(20, 28, "Time taken by dbadapter, the contender's being 1 (shorter is quicker)", "big")
    left, unit = 330.0, 300.0
    y = 52.0
    for title, rows in suites:
        sheet.text(20, y + 14, title, "title")
        y += 22
        start = y
        for name, ratio in rows:
            sheet.text(left - 10, y + 14, name, "small", "end")
            sheet.bar(left, y + 4, min(ratio, 1.6) * unit, 13, "one" if ratio <= 1.0 else "two")
            sheet.text(840, y + 15, f"{ratio:.2f} ×", "small", "end")
            y += 22
        sheet.line([(left + unit, start), (left + unit, y)], "line")
        y += 15
    return sheet


# Those that show the design, and so are stale only when this file has changed; the others show figures.
DESIGN: Mapping[str, Callable[[], Sheet]] = {
    "growth": growth,
    "house": house,
    "query": query,
    "switch": switch,
    "consistency": consistency,
    "transfer": transfer,
}
FIGURES: Mapping[str, Callable[[], Sheet]] = {"demo": demo, "benchmarks": benchmarks}


def main() -> int:
    """Draw, or compare; 1 if a picture is stale."""
    if "--check" in sys.argv[1:]:
        stale = [
            name
            for name, draw in DESIGN.items()
            if (PICTURES / f"{name}.svg").read_text("utf-8") != draw().svg()
        ]
        if stale:
            print(f"stale: {', '.join(stale)}; run python tools/pictures.py", file=sys.stderr)
        return 1 if stale else 0
    for name, draw in {**DESIGN, **FIGURES}.items():
        (PICTURES / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
