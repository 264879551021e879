"""`python -m bench [NAME] [--json FILE]`: run all benchmarks, or one with its own options."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from . import Unmeasured, bridge_calls, esl_decode

BENCHMARKS = {"esl_decode": esl_decode.main, "bridge_calls": bridge_calls.main}


def run_all(console: Console) -> dict[str, Any]:
    """Every benchmark's results, printed as they come. Raises Unmeasured."""
    decoded = esl_decode.measure(rounds=3)
    console.print(esl_decode.table(decoded))
    bridged = bridge_calls.measure()
    console.print(*bridge_calls.tables(bridged))
    return {"esl_decode": [asdict(result) for result in decoded], "bridge_calls": asdict(bridged)}


def main(arguments: list[str]) -> int:
    if arguments and arguments[0] in BENCHMARKS:
        return BENCHMARKS[arguments[0]](arguments[1:])
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=f"Runs {', '.join(BENCHMARKS)}; NAME --help tells the options of one.",
    )
    parser.add_argument(
        "name", nargs="?", metavar="NAME", choices=sorted(BENCHMARKS), help="run only this one"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as JSON too")
    options = parser.parse_args(arguments)
    try:
        results = run_all(Console())
    except Unmeasured as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
