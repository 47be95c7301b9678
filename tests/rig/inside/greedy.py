"""Takes memory and threads within a unit's limits; prints how many threads it was given."""

import sys
import threading

MEBIBYTES = int(sys.argv[1])
THREADS = int(sys.argv[2])

taken = [bytes([1]) * (1 << 20) for _ in range(MEBIBYTES)]
enough = threading.Event()
started = 0
try:
    for _ in range(THREADS):
        threading.Thread(target=enough.wait, daemon=True).start()
        started += 1
except RuntimeError:
    pass
print(started)
