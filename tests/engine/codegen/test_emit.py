"""What the generation of code needs before threads begin with it."""

from __future__ import annotations

import subprocess
import sys

# Threads that are switched all the time write their first texts at once.
RACE = """
import sys, threading
import plait.engine.codegen.emit
import llvmlite.ir as ir

sys.setswitchinterval(1e-6)
errors, begin = [], threading.Barrier(8)

def write():
    begin.wait()
    try:
        for _ in range(200):
            str(ir.Constant(ir.ArrayType(ir.IntType(8), 4), bytearray(b"ab~z")))
    except BaseException as error:
        errors.append(repr(error))

threads = [threading.Thread(target=write) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(ir.values._escape_string.__defaults__[0]), errors)
"""


def test_the_first_texts_may_be_written_by_several_threads() -> None:
    found = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "256 []"
