"""`python -m benchmarks [--full] [--only training]`: measures, prints tables, and writes every round into a JSON file."""

import argparse
import time
from pathlib import Path

import transformers

from benchmarks import acting, collecting, data, harness, memory, preparing, reading, serving, training
from gato_lightning.cli.allocator import keep_freed_memory

PARTS = {
    "training": training.run,
    "acting": acting.run,
    "data": data.run,
    "reading": reading.run,
    "memory": memory.run,
    "collecting": collecting.run,
    "preparing": preparing.run,
    "serving": serving.run,
}


def main() -> None:
    """Runs the parts asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="more work and longer rounds")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--output", type=Path, default=Path("logs/benchmarks"), help="folder of the JSON file")
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    keep_freed_memory()  # as `run.py` does; it helps the peers too

    about = harness.machine()
    print("\n".join(f"{key}: {value}" for key, value in about.items()), flush=True)
    results: list[harness.Row] = []
    for part in args.only:
        found = PARTS[part](args.full)
        print(harness.markdown(found), flush=True)
        results += found
    path = args.output / f"{time.strftime('%Y-%m-%d-%H%M%S')}.json"
    harness.write(path, about, results)
    print(f"\nevery round: {path}")


if __name__ == "__main__":
    main()
