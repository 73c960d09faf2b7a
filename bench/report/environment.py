"""The machine and the packages of a measurement, as facts that every kind of result has."""

from collections.abc import Iterator, Mapping

from bench.report.document import Subject
from bench.results.header import Header, MachineInfo


def header_facts(result: Header) -> Iterator[Subject]:
    """Yield the commit, the machine, the packages and the time of a result."""
    commit = result.commit_info
    yield Subject("commit", commit.id + (" with uncommitted changes" if commit.dirty else ""))
    yield from machine_facts(result.machine_info)
    yield from package_facts(result.packages)
    yield Subject("measured", f"{result.datetime:%Y-%m-%d %H:%M:%S %Z}")


def machine_facts(machine: MachineInfo) -> Iterator[Subject]:
    """Yield the machine: its name, processor, system and Python, as far as they are known."""
    cores = machine.cpu.get("count")
    brand = str(machine.cpu.get("brand_raw") or machine.processor or "")
    parts = (
        machine.node,
        brand,
        f"{cores} cores" if cores else "",
        f"{machine.system} {machine.release}".strip(),
    )
    yield from _known("machine", ", ".join(filter(None, parts)))
    yield from _known("Python", f"{machine.python_implementation} {machine.python_version}".strip())


def package_facts(packages: Mapping[str, str]) -> Iterator[Subject]:
    """Yield the packages with their versions."""
    yield from _known("packages", ", ".join(f"{name} {version}" for name, version in sorted(packages.items())))


def _known(label: str, text: str) -> Iterator[Subject]:
    if text:
        yield Subject(label, text)
