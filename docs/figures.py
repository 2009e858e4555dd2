"""Makes the figures of README.md and docs/ again and shows what changed.

    python3 docs/figures.py [--write] [--slow] [WORD...]

In those files a comment names the command that made what follows it, a fenced block or a table:

    <!-- figures: equilux gradient configs/digits-crossbar.toml -->

Every command is run at the root of the repository, `equilux` being the release build, and its
standard output compared with the block; --write puts it there. Commands marked `slow figures:` take
more than ten minutes and run only with --slow; WORDs choose commands that contain one of them.
"""

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARK = re.compile(r"<!-- (slow )?figures: (.*?) -->\n\n?", re.DOTALL)


def block_after(text, start):
    """Where the fenced block or the table that begins at `start` begins and ends, fences apart."""
    if text.startswith("```", start):
        begin = text.index("\n", start) + 1
        return begin, text.index("```", begin)
    end = start
    while text.startswith("|", end):
        end = text.index("\n", end) + 1
    return start, end


def made(command):
    """What `command` prints."""
    environment = {**os.environ, "PATH": f"{ROOT / 'target/release'}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, shell=True, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE
    )
    if done.returncode != 0:
        sys.exit(f"{command}: ended with {done.returncode}")
    return done.stdout


def main():
    unknown = [word for word in sys.argv[1:] if word.startswith("-") and word not in ("--write", "--slow")]
    if unknown:
        sys.exit(__doc__.strip() if unknown[0] in ("-h", "--help") else f"{unknown[0]}: expected --write, --slow or words")
    write, slow = "--write" in sys.argv, "--slow" in sys.argv
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    changed = 0
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text, at = path.read_text(), 0
        while mark := MARK.search(text, at):
            at = mark.end()
            command = " ".join(mark[2].split())
            if (mark[1] and not slow) or (words and not any(word in command for word in words)):
                continue
            begin, end = block_after(text, at)
            before, after = text[begin:end], made(command)
            name = f"{path.relative_to(ROOT)}: {command}"
            if before == after:
                print(f"same     {name}")
                continue
            changed += 1
            print(f"changed  {name}")
            lines = [block.splitlines(keepends=True) for block in (before, after)]
            sys.stdout.writelines(difflib.unified_diff(*lines, "written", "made now"))
            if write:
                text = text[:begin] + after + text[end:]
        if write:
            path.write_text(text)
    sys.exit(1 if changed and not write else 0)


main()
