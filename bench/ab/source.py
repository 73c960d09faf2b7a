"""The source of a side's service: its revision's folder, made ready to be served from."""

from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from bench.ab.environments import dependencies, environment
from bench.ab.errors import AbError
from bench.ab.news import Report
from bench.ab.plan import AbPlan
from bench.ab.preparation import link, prepare
from bench.ab.worktree import Checkout, Repository


@dataclass(frozen=True)
class Source:
    """The source of a side's service: its folder, and the interpreter with its packages (None: this interpreter)."""

    checkout: Checkout
    python: Path | None

    @property
    def label(self) -> str:
        """The revision, for people."""
        return self.checkout.label


def prepared(plan: AbPlan, checkout: Checkout, repository: Repository, log_file: Path, report: Report) -> Source:
    """Return the source of a side: link and prepare what the plan says, and look for the app.

    Raises AbError if the revision cannot be served, AbFailedError if its preparation fails.
    """
    link(plan.links, repository, checkout)
    if plan.prepare is not None:
        report(f"preparing {checkout.label}")
        prepare(plan.prepare, checkout, log_file, plan.hide)
    if plan.command is not None:
        return Source(checkout, None)
    _look_for_app(plan, checkout)
    if plan.env_per_rev:
        report(f"building the environment of {checkout.label}")
    python = environment(dependencies(dependency_folders(checkout))) if plan.env_per_rev else None
    return Source(checkout, python)


def dependency_folders(checkout: Checkout) -> list[Path]:
    """Return the folders that may name a revision's dependencies: from the user's folder up to the repository's."""
    return [
        folder
        for folder in (checkout.directory, *checkout.directory.parents)
        if folder == checkout.root or checkout.root in folder.parents
    ]


def _import_folders(plan: AbPlan, checkout: Checkout) -> list[Path]:
    if plan.app_directory is None:
        return [checkout.directory]
    return [checkout.directory, checkout.directory / plan.app_directory]


def _look_for_app(plan: AbPlan, checkout: Checkout) -> None:
    """Raise AbError if the app's module is not in the revision's folder."""
    folders = _import_folders(plan, checkout)
    locations = [str(folder) for folder in folders]
    for part in plan.app.partition(":")[0].split("."):
        spec = PathFinder.find_spec(part, locations)
        if spec is None:
            names = (str(folder.relative_to(checkout.root)) for folder in folders)
            where = " or ".join("its top folder" if name == "." else name for name in names)
            raise AbError(
                f"--app {plan.app}: revision {checkout.label} has no such module in {where}; go to the folder that it "
                "is imported from, or name it with --app-dir"
            )
        locations = list(spec.submodule_search_locations or ())
