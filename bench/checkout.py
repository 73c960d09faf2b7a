"""The checkout of this project: it has the FOO→BAR service and the data of the checks, which an installed suite lacks.

Rules of this file: it looks at files and imports nothing of the project.
"""

from pathlib import Path

#: The FOO→BAR service, which is the default in a checkout.
DEFAULT_APP = "app.main:app"

#: The folder of the package `bench`: the checkout, or the folder of installed packages.
HOME = Path(__file__).resolve().parents[1]

_NAME = 'name = "socketio-bench"'


class NotInCheckoutError(Exception):
    """Something that only a checkout of this project has is wanted elsewhere. One line."""


def checkout_around(*places: Path) -> Path | None:
    """Return the checkout that the first of these files or folders to lie in a checkout lies in; None if none does."""
    for place in places:
        place = place.absolute()
        for folder in (place, *place.parents):
            if _is_checkout(folder):
                return folder
    return None


def need_checkout(command: str) -> None:
    """Raise NotInCheckoutError if this suite was installed, and is not run from a checkout. `command` names itself."""
    if not _is_checkout(HOME):
        raise NotInCheckoutError(
            f"{command} needs a checkout of socketio-bench: it measures the service and the data there, which are not "
            "installed; run it in a checkout"
        )


def _is_checkout(folder: Path) -> bool:
    try:
        return (folder / "app" / "main.py").is_file() and _NAME in (folder / "pyproject.toml").read_text()
    except (OSError, UnicodeDecodeError):
        return False
