"""The place of a check's result: the file that the user names, or a number among the results of its kind."""

from pathlib import Path

from bench.results.files import write_whole
from bench.results.header import Header
from bench.results.references import Store
from bench.results.store import NotStoredError, rescued, result_name


def stored_as(kind: str, result: Header, results: Path, file: Path | None) -> Path:
    """Store the result, whole, in `file` or numbered below `results`; return the path. Raises NotStoredError.

    `kind` is the name of the folder of such results.
    """
    name, data = result_name(result.commit_info, result.datetime), result.to_json()
    if file is None:
        return Store(results).write(kind, name, data)
    try:
        write_whole(file, [data])
    except OSError as error:
        kept = rescued(name, data)
        where = "" if kept is None else f" (it is in {kept})"
        raise NotStoredError(f"--json {file}{where}: {error.strerror or error}") from None
    return file
