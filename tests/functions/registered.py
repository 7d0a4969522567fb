"""The functions of the Function App, which gives them once in the life of a process."""

from functools import cache

from azure.functions.decorators.function_app import Function

from function_app import app


@cache
def functions() -> tuple[Function, ...]:
    """All of them, whatever triggers them."""
    return tuple(app.get_functions())
