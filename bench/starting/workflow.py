"""The text of a workflow for CI: it compares pull requests with where they began, or measures a server at a URL."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from bench.starting.description import Description
from bench.starting.target import Target


@dataclass(frozen=True)
class Workflow:
    """The packages that a workflow installs: the suite as pip takes it, and the service's own packages."""

    suite: str
    packages: tuple[str, ...] = ()
    python: str = "3.11"
    #: The command that prepares a checkout of a service that a command starts; empty if none is needed.
    prepare: str = ""
    #: The service's folder in the repository; empty if it is the repository's own.
    folder: str = ""


def workflow_text(description: Description, target: Target, workflow: Workflow, scenarios: str) -> str:
    """Return the workflow: pull requests are compared with where they began; a server at a URL is measured."""
    if target.url is None:
        return _pull_requests(description, target, workflow, scenarios)
    return _deployed(description, target, workflow, scenarios)


def _pull_requests(description: Description, target: Target, workflow: Workflow, scenarios: str) -> str:
    return f"""\
# On each pull request: is the service slower than where the branch began? Both commits run interleaved on the same
# runner, so it does not matter how fast that is. The answer becomes a comment; the check fails if anything is slower.

name: socketio-latency
on: pull_request

permissions:
  contents: read
  pull-requests: write # for the comment; a pull request from a fork gets none, and the summary instead

concurrency:
  group: socketio-latency-${{{{ github.head_ref }}}}
  cancel-in-progress: true

{_job(description, workflow)}        with:
          ref: ${{{{ github.event.pull_request.head.sha }}}}
          fetch-depth: 0 # the commit where the branch began, too
{_python(workflow)}      - run: pip install {_installed(workflow)}

      # For branches that change the service's dependencies, add --env-per-rev.
      - name: Compare
        env:
          BASE: origin/${{{{ github.base_ref }}}}
        run: |
          bench ab "$(git merge-base "$BASE" HEAD)" HEAD --scenarios {scenarios}.py \\
           {target.option}{_prepare(workflow)} --max-time 5m --markdown latency.md

      - name: Comment
        if: always() && hashFiles('{_below(workflow)}latency.md') != ''
        env:
          GH_TOKEN: ${{{{ github.token }}}}
          NUMBER: ${{{{ github.event.pull_request.number }}}}
        run: |
          cat latency.md >> "$GITHUB_STEP_SUMMARY"
          gh pr comment "$NUMBER" --edit-last --body-file latency.md ||
            gh pr comment "$NUMBER" --body-file latency.md ||
            echo "no comment: this token may not write to the pull request"

{_upload(workflow, "ab")}"""


def _deployed(description: Description, target: Target, workflow: Workflow, scenarios: str) -> str:
    return f"""\
# Each night, and on demand: the latency of the server at a URL. The runner's way to it is part of the figures. To
# compare the commits of pull requests, the service has to start on the runner: see `bench ab --serve`.

name: socketio-latency
on:
  workflow_dispatch:
  schedule:
    - cron: "17 3 * * *"

permissions:
  contents: read

{_job(description, workflow)}{_python(workflow)}      - run: pip install "$BENCH"
      - run: {_yaml(f"bench latency --scenarios {scenarios}.py{target.option}")}
{_upload(workflow, "latency")}"""


def _job(description: Description, workflow: Workflow) -> str:
    """Return what both workflows begin with: the variables, and the job up to the checkout."""
    return f"""\
env:
  # From where the runner installs socketio-bench: a repository or a wheel that it can reach.
  BENCH: {_yaml(workflow.suite)}
{_secrets(description)}
jobs:
  latency:
    runs-on: ubuntu-latest
    timeout-minutes: 20
{_folder(workflow)}    steps:
      - uses: actions/checkout@v4
"""


def _python(workflow: Workflow) -> str:
    return f"""\
      - uses: actions/setup-python@v5
        with:
          python-version: {_yaml(workflow.python)}
"""


def _upload(workflow: Workflow, kind: str) -> str:
    """Return the step that keeps the results of that kind."""
    return f"""\
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: latency
          path: {_below(workflow)}results/{kind}
          if-no-files-found: ignore
"""


def _secrets(description: Description) -> str:
    """Return the lines that give the variables to the job: they are secrets of the repository."""
    return "".join(f"  {name}: ${{{{ secrets.{name} }}}}\n" for name in description.variables)


def _prepare(workflow: Workflow) -> str:
    return f" --prepare {shlex.quote(workflow.prepare)}" if workflow.prepare else ""


def _folder(workflow: Workflow) -> str:
    if not workflow.folder:
        return ""
    return f"    defaults:\n      run:\n        working-directory: {_yaml(workflow.folder)}\n"


def _below(workflow: Workflow) -> str:
    return f"{workflow.folder}/" if workflow.folder else ""


def _installed(workflow: Workflow) -> str:
    return " ".join([*workflow.packages, '"$BENCH"'])


def _yaml(text: str) -> str:
    """Return a text as a YAML string: JSON's strings are such strings."""
    return json.dumps(text)
