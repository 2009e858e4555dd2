"""Turns what `equilux sweep` prints, on standard input, into a table of Markdown with a column for each
value of the last axis, means with their intervals, or the means of RESULT in the study's directory:

    equilux sweep STUDY --out DIR | python3 docs/pivot.py
    python3 docs/pivot.py DIR RESULT

What could not be had is left blank.
"""

import csv
import re
import sys
from pathlib import Path

if len(sys.argv) > 1:
    directory, result = sys.argv[1:]
    header, *lines = csv.reader(Path(directory, "summary.csv").open())
    axes, at = header[: header.index("done")], header.index(result)
    axes = [axis.rpartition(".")[2] for axis in axes]
    numbers = [(*line[: len(axes)], line[at]) for line in lines]
    rows = [(*place, f"{float(value):,.3g}" if value else "-") for *place, value in numbers]
else:
    lines = sys.stdin.read().split("\n\n")[0].splitlines()
    header, *rows = [re.split(r"\s{2,}", line.strip()) for line in lines]
    assert header[-2:] == ["95 % interval", "runs"], header
    axes = header[:-3]

    def read(mean, interval):
        mean, interval = mean.removesuffix(" %"), interval.removesuffix(" %")
        return mean if interval == "-" else f"{mean} ({interval.replace(' to ', '–')})"

    rows = [(*row[: len(axes)], read(*row[len(axes) : len(axes) + 2])) for row in rows]
# Keys that change together have one value.
if len(axes) > 2 and axes[0] == axes[1]:
    axes, rows = axes[1:], [row[1:] for row in rows]
columns = list(dict.fromkeys(row[-2] for row in rows))
table = {}
for *place, column, value in rows:
    table.setdefault(tuple(place), {})[column] = value
print("|", " | ".join([*axes[:-1], *(f"{axes[-1]} {column}" for column in columns)]), "|")
print("|" + "---|" * (len(axes) - 1 + len(columns)))
for place, values in table.items():
    found = [values.get(column, "-") for column in columns]
    cells = ["" if value == "-" else value for value in found]
    print("|", " | ".join([*place, *cells]), "|")
