"""The service that a run without --host starts for itself: kept through all tests, and watched in each of them."""

from __future__ import annotations

import atexit
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

import gevent
from gevent.lock import RLock
from locust.env import Environment

from bench.load.metrics.troubles import Troubles
from bench.load.plugin.options import breakdown_of
from bench.load.plugin.run_secrets import RunSecrets
from bench.load.plugin.service import Service, machine_identity, pin_generator
from bench.results.provenance import service_directory
from bench.results.requirements import other_packages, project_folders
from bench.results.service_log import LogReader, ServiceLog
from bench.results.service_logs import ServiceLogs, service_logs
from bench.results.service_loss import ServiceLoss
from bench.secrets import Secrets
from bench.server import Served, ServedApp, ServerError, ServerOptions
from bench.timing.rates import NS_PER_S

logger = logging.getLogger(__name__)

_USAGE_INTERVAL_S = 0.2


class OwnService:
    """The service of this process, if it has started any, and the URLs that it has had."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._service: Service | None = None
        #: All URLs that the service has had: the web page's form may still have an earlier URL.
        self._urls: set[str] = set()
        self._starting = RLock()
        self._cleanup = contextlib.ExitStack()
        self._logs: ServiceLogs | None = None
        self._secrets = RunSecrets(Secrets())
        self._is_log_wanted = False
        #: The file that the service writes into.
        self.log_file: Path | None = None

    @property
    def under_test(self) -> Service | None:
        """The service, if it is under test: the web form can name another host."""
        return self._service if self._environment.host in self._urls else None

    def start(self, served: Served, secrets: RunSecrets) -> None:
        """Start the service, and make it the host. The `secrets` are taken out of its words. Raises ServerError."""
        options = self._environment.parsed_options
        assert options is not None, "Locust has read its command line"
        # Other services may read FOOBAR_STAMPS as ours does; it does no harm.
        environment = {"FOOBAR_STAMPS": "true"} if breakdown_of(options) else {}
        self._secrets = secrets
        self._logs = logs = self._cleanup.enter_context(service_logs())
        secrets.folder = logs.folder
        atexit.register(self.stop)
        self.log_file = logs.file("service")
        self._service = service = Service(served, ServerOptions(environment=environment), self.log_file)
        try:
            service.start()
        except ServerError as error:
            kept = f"; its output is kept in {logs.folder}" if self._keep(logs) else ""
            raise type(error)(f"{error}{kept}", error.detail) from error
        self._take_url(service)
        logger.info("Started %s at %s", service.shown, service.url)
        logger.info("The service's output: %s", logs.folder)
        if isinstance(served, ServedApp) and served.directory is None:  # not the service of our own checkout
            folders = project_folders(service_directory(served.app).absolute())
            if (others := other_packages(folders, served.app)) is not None:
                logger.warning("%s", others)
        options.generator_cores = service.cores
        options.service_machine = machine_identity()
        options.secrets_folder = str(logs.folder)
        pin_generator(service.cores)

    def restart(self, host: str | None) -> None:
        """Replace a service that died in an earlier test, or since, if it is the host. Raises ServerError.

        A second caller that asks for that while the service is being started waits for the start.
        """
        service = self._service
        if service is None or host not in self._urls:
            return
        with self._starting:
            try:
                service.check()
            except ServerError as death:
                logger.warning("%s Starting it again.", death)
                service.start()
            self._take_url(service)

    def hide(self, text: str) -> str:
        """Return a text of the service without the secrets that are known by now."""
        return self._secrets.hide(text)

    def show_last_words(self) -> None:
        """Log what the service wrote last, because something failed, and have its log stay after the run."""
        service = self.under_test
        if service is None:
            return
        self._is_log_wanted = True
        if words := service.wrote_last:
            logger.error("the service wrote last: %s", words)

    def stop(self) -> None:
        """Stop the service, if this process has started it, and remove its log unless something failed."""
        if self._service is not None:
            self._service.stop()
        if self._is_log_wanted and self._logs is not None and self._keep(self._logs):
            logger.error("the service's output is kept in %s", self._logs.folder)
        self._is_log_wanted = False
        self._cleanup.close()

    def _keep(self, logs: ServiceLogs) -> bool:
        """Have the logs stay without secrets; return false if they are empty. Nobody adds to the secrets any more."""
        self._secrets.read()
        return logs.keep(self._secrets.known.hide)

    def _take_url(self, service: Service) -> None:
        self._urls.add(service.url)
        self._environment.host = service.url


class ServiceWatch:
    """A watch over the service in one test: what it uses, and whether it died."""

    def __init__(
        self, environment: Environment, service: Service, log_file: Path | None, started_ns: int, troubles: Troubles
    ) -> None:
        """Begin with what the service writes from now on. The test started at `started_ns` of `perf_counter_ns`."""
        self._environment = environment
        self._service = service
        self._started_ns = started_ns
        self._troubles = troubles
        self._log = None if log_file is None else LogReader(log_file)
        self._watching: gevent.Greenlet | None = None
        #: The death of the service; None while it lives.
        self.death: ServiceLoss | None = None

    def start(self, is_on: Callable[[], bool]) -> None:
        """Begin to watch, for as long as `is_on` says."""
        self._watching = gevent.spawn(self._watch, is_on)

    def stop(self) -> None:
        """Look at the service for the last time."""
        if self._watching is None:
            return
        self._watching.kill()
        with self._troubles.during("reading what the service uses"):
            self._service.read()
        self._read_log()
        self._has_died()

    def log(self, hide: Callable[[str], str]) -> ServiceLog | None:
        """Return what the service wrote during the test, with `hide` applied to each line; None if that is nothing."""
        return None if self._log is None else self._log.log(hide)

    def _read_log(self) -> None:
        if self._log is not None:
            with contextlib.suppress(OSError):  # it says nothing of the figures
                self._log.read((perf_counter_ns() - self._started_ns) / NS_PER_S)

    @property
    def wrote_last(self) -> str:
        """The end of the service's log in one line; empty if it wrote nothing."""
        return self._service.wrote_last

    def _watch(self, is_on: Callable[[], bool]) -> None:
        """Read what the service uses while the test runs, and log its death."""
        with self._troubles.during("reading what the service uses"):
            self._service.begin()
        while is_on():
            gevent.sleep(_USAGE_INTERVAL_S)
            with self._troubles.during("reading what the service uses"):
                self._service.read()
            self._read_log()
            if self._has_died():
                return

    def _has_died(self) -> bool:
        """Return whether it has died. The first time, log that, and have the process fail."""
        if self.death is not None:
            return True
        try:
            self._service.check()
        except ServerError as death:
            t_s = round((perf_counter_ns() - self._started_ns) / NS_PER_S, 1)
            logger.error("the service died: %s", death)
            self._environment.process_exit_code = 1
            # An end without an exit code has its reason in the error, before the last words.
            reason = str(death).partition("; it wrote last: ")[0]
            self.death = ServiceLoss.of_process(t_s, self._service.exit_status, self._service.wrote_last, reason)
            return True
        return False
