# SPDX-License-Identifier: MIT
"""How many bytes of 64-byte lines a run touched in the sections whose name begins with .svmcore.

Input: `size -A PROGRAM`, then the trace of `valgrind --tool=lackey --trace-mem=yes PROGRAM`.
"""
import sys

LINE = 64


def main():
    ranges, touched = [], set()
    for text in sys.stdin:
        words = text.split()
        if text.startswith(".svmcore."):
            size, first = int(words[1]), int(words[2])
            ranges.append(range(first, first + size))
        elif len(words) == 2 and words[0] in ("I", "L"):
            at, size = words[1].split(",")
            at = int(at, 16)
            if any(at in r for r in ranges):
                touched.update(range(at // LINE, (at + int(size) - 1) // LINE + 1))
    if not touched:
        sys.exit("touched.py: nothing of .svmcore in the trace")
    print(len(touched) * LINE)


main()
