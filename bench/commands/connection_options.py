"""The options of a connection as parameters of a command, made from the list that all commands share."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from bench.wire.options import CONNECTION_OPTIONS, ConnectionOption

#: The type of an option's parameter, by the option's kind.
_TYPES = {"text": str | None, "repeated": list[str] | None, "flag": bool}

_PANEL = "Connection"


def with_connection_options(command: Callable[..., int]) -> Callable[..., int]:
    """Return the command with these options in place of its parameter `connection`, which gets their texts by key."""

    @functools.wraps(command)
    def wrapped(**values: Any) -> int:
        texts = {option.key: values.pop(option.key) for option in CONNECTION_OPTIONS}
        return command(**values, connection=texts)

    signature = inspect.signature(command, eval_str=True)
    parameters = [parameter for name, parameter in signature.parameters.items() if name != "connection"]
    parameters += [_parameter(option) for option in CONNECTION_OPTIONS]
    wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped


def _parameter(option: ConnectionOption) -> inspect.Parameter:
    shown = None if option.kind == "flag" else option.metavar
    described = typer.Option(option.flag, metavar=shown, help=option.sentence, rich_help_panel=_PANEL)
    default = False if option.kind == "flag" else None
    return inspect.Parameter(
        option.key,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[_TYPES[option.kind], described],
    )
