"""What goes to the log. Identifiers may, values of data sets never."""

import traceback


def describe(error: BaseException) -> str:
    """An exception's class, and where it and its causes were raised, without their messages.

    Messages of foreign exceptions often quote the value at fault, which may be PHI.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{type(error).__name__} in {place}" + (f"; caused by {describe(cause)}" if cause else "")
