"""Text that can always be sent, although an object's `str` may fail, be huge, or not be UTF-8."""

from __future__ import annotations

LONGEST = 8 * 1024
"""The most characters of each text of an error."""


def utf8(text: str) -> str:
    """Text that UTF-8 can encode: a lone surrogate becomes its escape, `\\udcff`."""
    # Also of a subclass, whose methods may do anything.
    text = str.__str__(text)
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def words(value: object, limit: int = LONGEST) -> str:
    """The text of any object, cut to `limit` characters. Never raises, whatever `__str__` does."""
    try:
        said = str.__str__(str(value))
    except BaseException as error:
        said = f"<{type_name(value)}: its text failed with {type_name(error)}>"
    return utf8(said[:limit])


def type_name(value: object) -> str:
    """The name of an object's class. Never raises."""
    try:
        return utf8(type(value).__name__)
    except BaseException:
        return "object"
