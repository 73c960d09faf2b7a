"""The payloads that travel between the service and its clients: a model for each, with its limits.

Rules: no I/O and no Socket.IO in here, payloads only. What comes in is read strictly: nothing is coerced, `{"name": 1}`
is refused, and so is `null` for a field that may be left out. Fields that the service does not know are ignored, so
that a client may pad its payload or be newer than the service.
"""

from collections.abc import Sequence
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

#: Names and rooms have 1 to this many characters (code points).
MAX_LENGTH = 256

EVERYONE = "everyone"
SENDER = "sender"
ROOM_PREFIX = "room:"

#: The field that an error names when it concerns the payload as a whole.
WHOLE_PAYLOAD = "payload"


def _check_recipients(to: str) -> str:
    if to == SENDER or (to.startswith(ROOM_PREFIX) and 0 < len(to) - len(ROOM_PREFIX) <= MAX_LENGTH):
        return to
    raise PydanticCustomError(
        "recipients",
        'Should be "sender" or "room:<room>", the room having 1 to {max_length} characters',
        {"max_length": MAX_LENGTH},
    )


Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LENGTH)]
Recipients = Annotated[str, AfterValidator(_check_recipients)]


class Payload(BaseModel):
    """The base of all payloads: strict and immutable; unknown fields are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Foo(Payload):
    """The request for a `BAR` with the same name, to everyone connected unless `to` says otherwise: `FOO`."""

    name: Name
    to: Recipients = EVERYONE  # by leaving it out only; the default is not among what the wire may say


class Bar(Payload):
    """The reply to a `FOO`, and its acknowledgement: `BAR`."""

    foo: str


class StampedBar(Bar):
    """The `BAR` of a service that stamps: when its handler began, and when it had done all but send this.

    Nanoseconds of `time.monotonic_ns`, which is one clock for all processes of a Linux machine.
    """

    handled_ns: tuple[int, int]


class Join(Payload):
    """The request to enter a room, `JOIN`. The acknowledgement is the same payload."""

    room: Name


class Leave(Payload):
    """The request to leave a room, entered or not: `LEAVE`. The acknowledgement is the same payload."""

    room: Name


class Credentials(Payload):
    """The `auth` that a client sends when it connects to a service that asks for a token."""

    token: str


class FieldError(Payload):
    """An error in a payload. `field` is `payload` for the whole payload, and `event` for the event's name."""

    field: str
    message: str


class Rejected(Payload):
    """The reasons why the service did nothing about an event, to its sender only: `REJECTED`."""

    event: str
    errors: list[FieldError]


class InvalidEventError(ValueError):
    """An event that the service does nothing about, and why."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.message}" for error in errors))
        self.errors = errors


P = TypeVar("P", bound=Payload)


def read(model: type[P], arguments: Sequence[object]) -> P:
    """Return the only argument of an event as `model`.

    Raises:
        InvalidEventError: there is not exactly one argument, or it is not what `model` describes.
    """
    if len(arguments) != 1:
        message = f"Should be exactly one argument, not {len(arguments) or 'none'}"
        raise InvalidEventError([FieldError(field=WHOLE_PAYLOAD, message=message)])
    try:
        return model.model_validate(arguments[0])
    except ValidationError as error:
        raise InvalidEventError(_field_errors(error)) from None


def _field_errors(error: ValidationError) -> list[FieldError]:
    return [
        FieldError(
            field=".".join(map(str, detail["loc"])) or WHOLE_PAYLOAD,
            # pydantic's own words name a Python class here
            message="Should be an object" if detail["type"] == "model_type" else detail["msg"],
        )
        for detail in error.errors(include_url=False, include_context=False, include_input=False)
    ]
