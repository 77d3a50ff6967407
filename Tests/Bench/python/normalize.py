"""usage: normalize.py FILE    microseconds per record of formats.normalise, the fastest of seven passes over the harness's records"""
import struct
import sys
import time

import formats

data = open(sys.argv[1], "rb").read()
at = 0


def number():
    global at
    at += 4
    return struct.unpack_from("<I", data, at - 4)[0]


def content():
    global at
    size = number()
    at += size
    return data[at - size : at]


records = []
while at < len(data):
    topic, value = content().decode(), content()
    records.append((topic, [(content().decode(), content()) for _ in range(number())], value))
fastest = float("inf")
for _ in range(8):
    start = time.perf_counter()
    for record in records:
        formats.normalise(*record)
    fastest = min(fastest, time.perf_counter() - start)
print(fastest * 1e6 / len(records))
