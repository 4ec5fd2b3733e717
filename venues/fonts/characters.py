#!/usr/bin/env python3
"""Prints the characters of the posters' font, one code point in hexadecimal a line."""

from pathlib import Path

codes = set(range(0x20, 0x7F)) | set(range(0xA0, 0x100))  # ASCII and Latin-1.
codes |= set(range(0x2010, 0x2028)) | {0x20AC, 0x2103, 0x2116, 0x2122, 0x2030, 0x2605, 0x2606}
codes |= set(range(0x3000, 0x3030)) | set(range(0xFF01, 0xFF5F)) | set(range(0xFFE0, 0xFFE7))


def table(encoding, rows, columns):
    for high in rows:
        for low in columns:
            try:
                codes.add(ord(bytes([high, low]).decode(encoding)))
            except UnicodeDecodeError:
                pass  # An empty place of the table.


# GB 2312: the simplified characters of both levels, and its symbols.
table("gb2312", range(0xA1, 0xF8), range(0xA1, 0xFF))
# The standard table of 2013 (通用规范汉字表), as far as GB 2312 lacks it: rarer names of people and places.
codes |= {ord(letter) for letter in Path(__file__).with_name("rarer.txt").read_text("utf-8") if letter != "\n"}
# Big5, the first level: the traditional characters in common use.
table("big5", range(0xA4, 0xC7), [*range(0x40, 0x7F), *range(0xA1, 0xFF)])

print("\n".join(f"{code:04X}" for code in sorted(codes)))
