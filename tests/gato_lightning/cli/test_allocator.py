"""The allocator: memory that a step frees is there for the next one."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, numpy
from gato_lightning.cli.allocator import keep_freed_memory
if {keep}:
    keep_freed_memory()
for step in range(20):
    if step == 4:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    a, b, c = (numpy.full(3_000_000, step, numpy.float64) for _ in range(3))
    del a, b, c
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 16)
"""


def faults_a_step(keep: bool) -> float:
    """Page faults of a step that allocates 72 MB and frees them."""
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(keep=keep)], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="a setting of glibc")
def test_freed_memory_is_used_again():
    assert faults_a_step(keep=True) < 10 < faults_a_step(keep=False)
