"""What all checks share."""

import json
import subprocess
import sys


def equilux(*arguments):
    """One JSON object of the program whose path is the first argument of this script."""
    done = subprocess.run([sys.argv[1], *map(str, arguments), "--json"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def manifest():
    """The manifest of the export in the directory that is the second argument of this script."""
    with open(f"{sys.argv[2]}/manifest.json", encoding="utf-8") as file:
        return json.load(file)


def close(found, expected, tolerance, what):
    if not abs(found - expected) <= tolerance:
        sys.exit(f"{what}: found {found}, expected {expected} to {tolerance}")
