"""The reading of a handler's source: what it reads of its data, what it returns, and which events it emits.

Rules of this file: it is pure. What is read stands in the handler itself: no function that it calls is looked at.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.scenarios.model import RESERVED_EVENTS
from bench.starting.application import Handler
from bench.starting.examples import example_of, example_of_type
from bench.wire.protocol import DEFAULT_NAMESPACE

#: The methods that show that a value is a text.
_TEXT_METHODS = frozenset({
    "capitalize", "casefold", "encode", "endswith", "find", "format", "isalnum", "isalpha", "isdigit", "join",
    "lower", "lstrip", "partition", "replace", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip",
    "title", "upper", "zfill",
})  # fmt: skip


@dataclass(frozen=True)
class Emitted:
    """An event that a handler emits. `repeated` are the parts of its data in it: a parameter, and a key or None."""

    event: str
    is_to_sender: bool
    is_to_all: bool
    is_conditional: bool
    repeated: tuple[tuple[str, str | None], ...]


@dataclass
class Reading:
    """The answers that the source of a handler gives."""

    handler: Handler
    function: ast.AsyncFunctionDef | ast.FunctionDef | None
    #: The keys that are read of a parameter, or of a value in it, with what is done to each value.
    keys: dict[tuple[str, ...], dict[str, set[str]]] = field(default_factory=dict)
    #: What is done to a parameter itself: the names of methods, functions and operators.
    uses_of: dict[str, set[str]] = field(default_factory=dict)
    #: Local names for parts of the data: a parameter and the keys to it.
    aliases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: Local names for objects and lists that are written out, with the parts of the data in them.
    built: dict[str, tuple[tuple[str, str | None], ...]] = field(default_factory=dict)
    #: The models that the data is made into, by parameter.
    models: dict[str, str] = field(default_factory=dict)
    #: The values that the handler takes where a key is not there, by parameter and keys.
    defaults: dict[tuple[str, ...], Any] = field(default_factory=dict)
    emitted: list[Emitted] = field(default_factory=list)
    returns_something: bool = False
    may_refuse: bool = False
    #: True if it disconnects the sender, without a condition.
    ends_connection: bool = False

    @classmethod
    def of(cls, handler: Handler) -> Reading:
        """Read the source of a handler."""
        try:
            tree = ast.parse(handler.source)
        except (SyntaxError, ValueError, RecursionError):
            tree = ast.Module([], [])
        function = next((node for node in tree.body if isinstance(node, (ast.AsyncFunctionDef, ast.FunctionDef))), None)
        made = cls(handler, function)
        if function is not None:
            for parameter in handler.parameters:
                made.aliases[parameter.name] = (parameter.name,)
            made._read(function)
        return made

    @property
    def session_parameter(self) -> str | None:
        """The name of the parameter with the session id."""
        return self.handler.parameters[0].name if self.handler.parameters else None

    @property
    def data_parameters(self) -> Sequence[Any]:
        """The parameters that get an argument: those that need it, or else the first if the handler makes use of it."""
        needed = [parameter for parameter in self.handler.parameters[1:] if not parameter.is_optional]
        first = self.handler.parameters[1:2]
        return needed or [each for each in first if each.default is not None or self.uses(each.name)]

    @property
    def reply(self) -> Emitted | None:
        """The event that surely answers the sender: one that is emitted to it, or to everyone, without a condition."""
        sure = [each for each in self.emitted if not each.is_conditional and (each.is_to_sender or each.is_to_all)]
        return next((each for each in sure if each.is_to_sender), sure[0] if sure else None)

    @property
    def why_no_reply(self) -> str:
        """The sentence that says why nothing is awaited."""
        if self.emitted:
            event = self.emitted[0].event
            return (
                f"{event} may answer, to some or under a condition: to time it, write RoundTrip with reply={event!r}."
            )
        return "Its handler returns nothing, and emits nothing that can be seen: if an event answers, write RoundTrip."

    @property
    def doubts(self) -> list[str]:
        """Sentences about data that is not known."""
        unknown = [
            parameter.name
            for parameter in self.data_parameters
            if parameter.type in (None, "dict")
            and not self.keys_of(parameter.name)
            and self.is_passed_on(parameter.name)
        ]
        return [f"Fill in {', '.join(unknown)}: its handler does not show what it reads of it."] if unknown else []

    def keys_of(self, *path: str) -> dict[str, set[str]]:
        """Return the keys that are read of a parameter, or of a value in it."""
        return self.keys.get(path, {})

    def uses(self, parameter: str) -> bool:
        """Return whether the handler does anything with a parameter."""
        return bool(self.uses_of.get(parameter)) or bool(self.keys_of(parameter))

    def is_passed_on(self, parameter: str) -> bool:
        """Return whether a parameter goes as it is to a function that is not known."""
        return "passed on" in self.uses_of.get(parameter, set()) and parameter not in self.models

    def example(self, parameter: str, type_: Any) -> Any:
        """Return data for a parameter that its handler can read."""
        default = next((each.default for each in self.handler.parameters if each.name == parameter), None)
        if default and not self.keys_of(parameter):
            return default
        model = self.models.get(parameter)
        if model is not None and type_ in (None, "dict"):
            type_ = {"fields": self.handler.models[model]}
        if isinstance(type_, str) and type_ != "dict":
            return example_of(parameter, type_, set())
        if isinstance(type_, Mapping):
            return example_of_type(parameter, type_)
        keys = self.keys_of(parameter)
        if keys or type_ == "dict":
            return {key: self._example((parameter, key), uses) for key, uses in keys.items()}
        uses = self.uses_of.get(parameter, set())
        if "emitted" in uses and not uses & {"text", "number", "list"}:
            return {"id": "1", "text": "hello"}
        return example_of(parameter, None, uses)

    def _example(self, path: tuple[str, ...], uses: set[str]) -> Any:
        if inner := self.keys_of(*path):
            return {key: self._example((*path, key), inner_uses) for key, inner_uses in inner.items()}
        default = self.defaults.get(path)
        if default:
            return default
        known = {str: "text", int: "number", float: "number", list: "list"}.get(type(default))
        return example_of(path[-1], None, uses if known is None else uses | {known})

    # ------------------------------------------------------------------ the walk

    def _read(self, function: ast.AsyncFunctionDef | ast.FunctionDef) -> None:
        for statement in function.body:
            self._statement(statement, is_conditional=False)

    def _statement(self, node: ast.AST, is_conditional: bool) -> None:
        """Read a statement, and those within it. After an early return, what follows counts as the usual way."""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            return
        if isinstance(node, ast.Return):
            if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
                is_false = isinstance(node.value, ast.Constant) and node.value.value is False
                self.may_refuse |= is_false
                self.returns_something = True
        elif isinstance(node, ast.Raise):
            self.may_refuse = True
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            self._assign(node.targets[0].id, node.value)
        elif isinstance(node, ast.Assign):
            self._overwritten(node.targets)
        for name, value in ast.iter_fields(node):
            parts = value if isinstance(value, list) else [value]
            is_block = isinstance(node, (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Match))
            inner = is_conditional or (is_block and name in ("body", "orelse", "cases"))
            for part in parts:
                if isinstance(part, ast.expr):
                    self._expression(part, is_conditional, node)
                elif isinstance(part, ast.AST):
                    self._statement(part, inner)

    def _assign(self, name: str, value: ast.expr) -> None:
        if isinstance(value, ast.Await):
            value = value.value
        if isinstance(value, ast.IfExp):
            value = value.body
        built = tuple(self._repeated(value)) if isinstance(value, (ast.Dict, ast.List, ast.Tuple)) else ()
        self.built.pop(name, None)
        if built:
            self.built[name] = built
        if (path := self._path(value)) is not None:
            self.aliases[name] = path
        elif isinstance(value, ast.Call) and (made := self._model(value)) is not None:
            self.models[made[0]] = made[1]
            self.aliases[name] = (made[0],)
        else:
            self.aliases.pop(name, None)

    def _overwritten(self, targets: Sequence[ast.expr]) -> None:
        """Forget what stood in objects of which a part is set: it may be the part that repeats the data."""
        for target in targets:
            named = target.value if isinstance(target, ast.Subscript) else target
            if isinstance(named, ast.Name):
                self.built.pop(named.id, None)

    def _model(self, call: ast.Call) -> tuple[str, str] | None:
        """Return the parameter and the model, for a call that makes a model of the data."""
        named = call.func.value if isinstance(call.func, ast.Attribute) else call.func
        is_made = not isinstance(call.func, ast.Attribute) or call.func.attr in ("model_validate", "parse_obj")
        if not isinstance(named, ast.Name) or named.id not in self.handler.models or not is_made:
            return None
        given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg is None)]
        path = self._path(given[0]) if len(given) == 1 else None
        return (path[0], named.id) if path is not None and len(path) == 1 else None

    def _path(self, node: ast.expr) -> tuple[str, ...] | None:
        """Return the parameter and the keys that an expression stands for, if it is a part of the data."""
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id)
        if isinstance(node, ast.Subscript):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            inner = self._path(node.value) if isinstance(key, str) else None
            return (*inner, key) if inner is not None and isinstance(key, str) else None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
            inner = self._path(node.func.value)
            first = node.args[0] if node.args else None
            if inner is not None and isinstance(first, ast.Constant) and isinstance(first.value, str):
                return (*inner, first.value)
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
            # `data or {}` is the data, if there is any
            return self._path(node.values[0]) if isinstance(node.values[1], (ast.Dict, ast.Constant)) else None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            inner = self.aliases.get(node.value.id)
            if inner is not None and inner[0] in self.models:
                return (*inner, node.attr)
        return None

    def _expression(self, node: ast.expr, is_conditional: bool, parent: ast.AST) -> None:
        if isinstance(node, ast.Lambda):
            return
        if (path := self._path(node)) is not None:
            self._used(path, parent, node)
            self._note_default(path, node)
        if isinstance(node, ast.Call):
            made = self._model(node)
            if made is not None:
                self.models[made[0]] = made[1]
            elif (emitted := self._emitted(node, is_conditional)) is not None:
                self.emitted.append(emitted)
            elif self._disconnects(node) and not is_conditional:
                self.ends_connection = True
        inner_conditional = is_conditional or isinstance(node, (ast.IfExp, ast.BoolOp))
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.expr):
                self._expression(part, inner_conditional, node)
            elif isinstance(part, (ast.keyword, ast.comprehension)):
                for inner in ast.iter_child_nodes(part):
                    if isinstance(inner, ast.expr):
                        self._expression(inner, inner_conditional, node if isinstance(part, ast.keyword) else part)

    def _note_default(self, path: tuple[str, ...], node: ast.expr) -> None:
        """Note the value of `data.get("key", value)`, if it is a literal of JSON."""
        if isinstance(node, ast.Call) and len(node.args) == 2:
            try:
                value = ast.literal_eval(node.args[1])
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                return
            if isinstance(value, str | int | float | list | dict):
                self.defaults[path] = value

    def _used(self, path: tuple[str, ...], parent: ast.AST, node: ast.expr) -> None:
        """Note that a part of the data is read, and what is done to it."""
        for end in range(1, len(path)):
            self.keys.setdefault(path[:end], {}).setdefault(path[end], set())
        done = self._done(parent, node)
        if isinstance(parent, ast.Compare):
            self._compared(path, parent)
        if not done:
            return
        if len(path) == 1:
            self.uses_of.setdefault(path[0], set()).add(done)
        else:
            self.keys[path[:-1]][path[-1]].add(done)

    def _done(self, parent: ast.AST, node: ast.expr) -> str:
        if isinstance(parent, ast.Attribute):
            return "text" if parent.attr in _TEXT_METHODS else ""
        if isinstance(parent, ast.BinOp):
            other = parent.right if parent.left is node else parent.left
            is_text = isinstance(other, (ast.JoinedStr, ast.Constant)) and not _is_number(other)
            return "text" if is_text else "number" if not isinstance(parent.op, ast.Mod) or _is_number(other) else ""
        if isinstance(parent, ast.Compare):
            others = [parent.left, *parent.comparators]
            ordered = any(isinstance(op, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)) for op in parent.ops)
            return "number" if ordered or any(map(_is_number, others)) else "compared"
        if isinstance(parent, (ast.For, ast.AsyncFor, ast.comprehension)):
            return "list"
        if isinstance(parent, ast.Call):
            name = parent.func.id if isinstance(parent.func, ast.Name) else ""
            if name in ("int", "float", "range", "abs", "round"):
                return "number"
            if name in ("str", "len", "repr", "isinstance", "print", "dict", "bool", "type"):
                return "read"
            if isinstance(parent.func, ast.Attribute) and parent.func.attr in ("emit", "send"):
                return "emitted"
            return "passed on"
        if isinstance(parent, (ast.Dict, ast.List, ast.Tuple, ast.Return)):
            return "emitted"
        return "read"

    def _compared(self, path: tuple[str, ...], compare: ast.Compare) -> None:
        """Note the keys of an object that the data is compared with, and of `"key" in data`."""
        for other in (compare.left, *compare.comparators):
            if isinstance(other, ast.Dict):
                for key in other.keys:
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        self.keys.setdefault(path, {}).setdefault(key.value, set())
        left = compare.left
        is_key = isinstance(left, ast.Constant) and isinstance(left.value, str)
        if is_key and any(isinstance(op, (ast.In, ast.NotIn)) for op in compare.ops):
            self.keys.setdefault(path, {}).setdefault(left.value, set())  # type: ignore[attr-defined]

    def _emitted(self, call: ast.Call, is_conditional: bool) -> Emitted | None:
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "emit" or not call.args:
            return None
        event = call.args[0]
        if not isinstance(event, ast.Constant) or not isinstance(event.value, str) or event.value in RESERVED_EVENTS:
            return None
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        if "namespace" in keywords:
            if not _is_text(keywords["namespace"], self.handler.namespace):
                return None
        elif self.handler.namespace != DEFAULT_NAMESPACE and not _is_self(call.func.value):
            return None
        where = keywords.get("to", keywords.get("room"))
        data = keywords.get("data", call.args[1] if len(call.args) > 1 else None)
        if len(call.args) > 2:
            where = where or call.args[2]
        return Emitted(
            event.value,
            is_to_sender=isinstance(where, ast.Name) and where.id == self.session_parameter,
            is_to_all=where is None and "skip_sid" not in keywords,
            is_conditional=is_conditional,
            repeated=tuple(self._repeated(data)) if data is not None else (),
        )

    def _disconnects(self, call: ast.Call) -> bool:
        """Return whether a call ends the connection of the sender."""
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "disconnect":
            return False
        given = call.args[0] if call.args else next((each.value for each in call.keywords if each.arg == "sid"), None)
        return isinstance(given, ast.Name) and given.id == self.session_parameter

    def _repeated(self, node: ast.expr | None) -> Iterator[tuple[str, str | None]]:
        """Yield the parts of the data that stand in an expression as they are."""
        if node is None:
            return
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "model_dump":
            node = node.func.value
        path = self._path(node)
        if path is not None:
            if path[0] != self.session_parameter and len(path) <= 2:
                yield path[0], path[1] if len(path) == 2 else None
        elif isinstance(node, ast.Name):
            yield from self.built.get(node.id, ())
        elif isinstance(node, ast.Dict):
            for value in node.values:
                yield from self._repeated(value)
        elif isinstance(node, (ast.List, ast.Tuple)):
            for item in node.elts:
                yield from self._repeated(item)
        elif isinstance(node, ast.JoinedStr):
            for part in node.values:
                if isinstance(part, ast.FormattedValue):
                    yield from self._repeated(part.value)


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _is_text(node: ast.expr, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"
