#!/usr/bin/env python3
"""Draws how cost grows: reads what `cargo bench -p hostel-benches --bench host -- growth` prints, and writes an SVG.

Usage: growth.py < lines > growth.svg

A line has the series, the size, nanoseconds for each run, and bytes of memory, separated by tabs. All other lines are
left out.
"""

import math
import sys

# Readable on light and on dark backgrounds.
TEXT, GRID = "#7d8590", "#7d859040"
COLOURS = ["#2f81f7", "#d2691e"]

# Panels: the title, the unit of x, and for each series its label.
PANELS = [
    ("Time of a run, by the number of runs in a map", "runs", {"runs": "nothing stored", "stored": "each stored on disk"}),
    ("Time of a run, by the number of workers", "workers", {"workers": "100,000 runs"}),
    ("Time of a waiting run, by how many wait for one", "waiting runs", {"dependents": "from the end of the one"}),
    ("Time of a run, by the length of its input", "bytes", {"input": "in and out"}),
]

WIDTH, HEIGHT = 400, 260
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 34, 42


def read(lines):
    """The points of each series: (size, microseconds)."""
    known = {name for _, _, labels in PANELS for name in labels}
    series = {}
    for line in lines:
        fields = line.rstrip("\n").split("\t")
        if len(fields) != 4 or fields[0] not in known:
            continue
        size, nanoseconds = int(fields[1]), int(fields[2])
        series.setdefault(fields[0], []).append((size, max(nanoseconds, 1) / 1000))
    return series


def power(exponent, unit=""):
    """10^exponent as people read it."""
    for least, letter in ((9, "G"), (6, "M"), (3, "k")):
        if exponent >= least:
            return f"{10 ** (exponent - least)}{letter}{unit}"
    return f"{10 ** exponent}{unit}" if exponent >= 0 else f"{10.0 ** exponent:g}{unit}"


def duration(exponent):
    """10^exponent microseconds as people read it."""
    for least, unit in ((6, "s"), (3, "ms"), (0, "µs")):
        if exponent >= least:
            return f"{10 ** (exponent - least)} {unit}"
    return f"{10 ** (exponent + 3)} ns"


def decades(values, fewest):
    """The first and last power of ten around the values."""
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return first, max(last, first + fewest)


def text(x, y, what, anchor="middle", size=11, fill=TEXT, more=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}" fill="{fill}"{more}>{what}</text>'


def panel(title, unit, labels, series):
    """The elements of one panel, from its top left corner."""
    shown = {name: sorted(series[name]) for name in labels if name in series}
    out = [text(LEFT, 18, title, "start", 12, more=' font-weight="bold"')]
    if not shown:
        return out + [text(WIDTH / 2, HEIGHT / 2, "not measured")]
    x_first, x_last = decades([x for points in shown.values() for x, _ in points], 1)
    y_first, y_last = decades([y for points in shown.values() for _, y in points], 2)

    def at(x, y):
        right = (math.log10(x) - x_first) / (x_last - x_first)
        up = (math.log10(y) - y_first) / (y_last - y_first)
        return LEFT + right * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    for exponent in range(x_first, x_last + 1):
        x, _ = at(10.0**exponent, 10.0**y_first)
        out.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="{GRID}"/>')
        out.append(text(x, HEIGHT - BOTTOM + 15, power(exponent)))
    for exponent in range(y_first, y_last + 1):
        _, y = at(10.0**x_first, 10.0**exponent)
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
        out.append(text(LEFT - 6, y + 4, duration(exponent), "end"))
    out.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, unit))
    for number, (name, points) in enumerate(shown.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [at(x, y) for x, y in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
        out.append(text(WIDTH - RIGHT - 6, TOP + 14 + 15 * number, labels[name], "end", fill=colour))
    return out


def main():
    series = read(sys.stdin)
    if not series:
        sys.exit("growth.py: expected lines of the section `growth` on the standard input, found none of them")
    width, height = 2 * WIDTH, 2 * HEIGHT
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" role="img">'
    )
    print("<title>How the cost of a run grows</title>")
    for number, (title, unit, labels) in enumerate(PANELS):
        print(f'<g transform="translate({number % 2 * WIDTH},{number // 2 * HEIGHT})">')
        print("\n".join(panel(title, unit, labels, series)))
        print("</g>")
    print("</svg>")


if __name__ == "__main__":
    main()
