"""Session = catalog + settings + runner: where SQL finds its tables and who runs the plans.

    with plait.connect("threads", threads=2) as session:
        session.register("trips", session.read_parquet("trips/*.parquet"))
        session.sql("select count(*) from trips").compute()

`plait.sql` and the readers use a default session, which is made on first use. A name in SQL is, in
this order: one of `tables=`, a table or view of the session, a variable of the calling code (a
plait, pandas, Arrow or Polars frame), a file. Dataframes are imported where they are made: the
command line, which shows Arrow, does without.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from plait import foreign
from plait.bound import Texts
from plait.calling import outside
from plait.config import Config
from plait.engine.memory import default_cache_bytes
from plait.errors import ConfigError, TableNotFoundError
from plait.io.store.access import Access
from plait.plan_cache import PlanCache
from plait.planner import builder
from plait.planner.catalog import MemoryCatalog
from plait.planner.logical import LogicalPlan
from plait.runner import Runner
from plait.scheduler.host import available_memory
from plait.scheduler.local import InlineExecutor, ThreadExecutor
from plait.scheduler.progress import ProgressObserver, TerminalDisplay, find_display

if TYPE_CHECKING:
    import pyarrow as pa

    from plait.dataframe import DataFrame
    from plait.scheduler.dashboard.background import BackgroundDashboard
    from plait.scheduler.events import Observer
    from plait.scheduler.executor import Executor

_USABLE = 0.7  # of the memory there is, unless `memory_limit` is set


class Session:
    """Tables by name, settings, and the executor that runs plans.

    Parameters
    ----------
    executor : Executor, optional
        What runs tasks; made from the settings if not given.
    config : mapping, optional
        Settings of this session: they win over `plait.config`.

    Examples
    --------
    >>> import plait
    >>> with plait.Session(config={"threads": 1}) as session:
    ...     session.sql("select 42 as answer").compute()
       answer
    0      42
    """

    def __init__(
        self, executor: Executor | None = None, config: Mapping[str, Any] | None = None
    ) -> None:
        self.config = Config(config)
        self.executor = executor if executor is not None else make_executor(self.config)
        self.catalog = MemoryCatalog()
        self.texts: Texts = PlanCache(plans_kept(self.config))
        self.runner = make_runner(self.executor, self.config)
        self._dashboard: BackgroundDashboard | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop what runs and let go of kept results; the session cannot be used after."""
        self.executor.close()
        if self._dashboard is not None:
            self._dashboard.close()
        self.texts.clear()
        self.runner.plans.clear()

    def __repr__(self) -> str:
        return (
            f"<plait.Session on {type(self.executor).__name__} of {self.executor.workers} workers, "
            f"{len(self.catalog)} tables>"
        )

    def __reduce__(self) -> Any:
        raise TypeError("A Session cannot be pickled; make one where it is needed")

    def dashboard(self, port: int = 0) -> str:
        """Start a page that shows what this session does, if there is none yet; gives its URL.

        The page is for this machine and for who has the URL, which contains a token. It ends with
        the session. What ran before is not shown. A session on a cluster gives the URL of the
        cluster's own, if that was started with one.

        Parameters
        ----------
        port : int
            Where to serve it; 0 for any free port.

        Returns
        -------
        str
            What to open in a browser.

        Raises
        ------
        ConfigError
            The port is taken.
        UnsupportedError
            The session is on Dask or Ray, which have dashboards of their own, or on a cluster that
            was started without one.

        Examples
        --------
        >>> import plait
        >>> with plait.connect("threads") as session:
        ...     session.dashboard().startswith("http://127.0.0.1:")
        True
        """
        of_cluster: str = getattr(self.executor, "dashboard_url", "")
        if of_cluster:
            return of_cluster
        if self._dashboard is None:
            # Most sessions have none.
            from plait.watching import observed, start_dashboard

            self._dashboard = start_dashboard(self.executor, port)
            weakref.finalize(self, self._dashboard.close)
            self.runner.progress = observed(self.runner.progress, self._dashboard.feed)
        return self._dashboard.url

    # ----------------------------------------------------------------------------------- tables

    def register(self, name: str, table: Any) -> None:
        """Give a frame (plait, pandas, Arrow) or a path a name that SQL can use."""
        self.catalog.add(name, self._plan_of(table, name), kind="view")

    def tables(self) -> list[str]:
        """The names of all tables and views."""
        return self.catalog.names()

    def table(self, name: str) -> DataFrame:
        """A table or view as a frame."""
        from plait import sources
        from plait.dataframe import DataFrame

        plan = self.catalog.table([name])
        if plan is None:
            raise TableNotFoundError(name, self.catalog.names())
        return DataFrame(sources.of_plan(plan, self.runner))

    def drop(self, name: str) -> None:
        """Forget a table or view."""
        if name not in self.catalog:
            raise TableNotFoundError(name, self.catalog.names())
        self.catalog.remove(name)

    def _plan_of(self, table: Any, name: str) -> LogicalPlan:
        if isinstance(table, str) or hasattr(table, "__fspath__"):
            return self.open_file(str(table), {})
        if isinstance(table, LogicalPlan):
            return table
        from plait import sources

        return sources.table_plan(table, self.runner, name)

    def open_file(self, path: str | list[str], options: Mapping[str, Any]) -> LogicalPlan:
        """A file named in FROM as a plan."""
        from plait import sources

        return builder.scan(sources.opened(path, dict(options), self.config))

    # -------------------------------------------------------------------------------------- SQL

    def sql(
        self,
        query: str,
        tables: Mapping[str, Any] | None = None,
        params: Sequence[Any] | Mapping[str, Any] | None = None,
        dialect: str = "duckdb",
    ) -> DataFrame:
        """The result of a query as a lazy frame; see `plait.sql`."""
        from plait import statements
        from plait.dataframe import DataFrame

        bound = statements.run(self, query, tables, params, dialect, calling_variables())
        return DataFrame(bound.frame(self.runner))

    def execute(
        self,
        query: str,
        tables: Mapping[str, Any] | None = None,
        params: Sequence[Any] | Mapping[str, Any] | None = None,
        dialect: str = "duckdb",
    ) -> pa.Table:
        """The result of a query at once, as Arrow: NULL and NaN stay what they are."""
        from plait import statements

        bound = statements.run(self, query, tables, params, dialect, calling_variables())
        return self.runner.execute(bound.plan)

    # ---------------------------------------------------------------------------------- readers

    def read_parquet(self, path: Any, columns: Sequence[str] | None = None, **options: Any) -> Any:
        """`plait.read_parquet` into this session."""
        from plait import readers

        return readers.read_parquet(path, columns, session=self, **options)

    def read_csv(self, path: Any, sep: str = ",", **options: Any) -> Any:
        """`plait.read_csv` into this session."""
        from plait import readers

        return readers.read_csv(path, sep, session=self, **options)

    def read_delta(self, path: Any, version: int | None = None, **options: Any) -> Any:
        """`plait.read_delta` into this session."""
        from plait import readers

        return readers.read_delta(path, version, session=self, **options)

    def read_json(self, path: Any, **options: Any) -> Any:
        """`plait.read_json` into this session."""
        from plait import readers

        return readers.read_json(path, session=self, **options)

    def from_pandas(self, data: Any, npartitions: int | None = None) -> Any:
        """`plait.from_pandas` into this session."""
        from plait import sources

        return sources.from_pandas(data, npartitions, self.runner)

    def from_arrow(self, data: Any, npartitions: int | None = None) -> DataFrame:
        """`plait.from_arrow` into this session."""
        from plait import sources
        from plait.dataframe import DataFrame

        source = sources.arrow(data, npartitions)
        return DataFrame(sources.scanned(source, self.runner, None))


def make_executor(config: Config) -> Executor:
    """The executor that the settings ask for."""
    limit, folder = memory_limit(config), config.get("spill_directory")
    if config.get("executor") == "inline":
        return InlineExecutor(memory_limit=limit, scratch=folder)
    return ThreadExecutor(config.get("threads"), memory_limit=limit, scratch=folder)


def memory_limit(config: Config) -> int | None:
    """Bytes that queries may use; None without a limit."""
    limit: int | str | None = config.get("memory_limit")
    if isinstance(limit, str):
        try:
            return int(_USABLE * available_memory())
        except OSError:
            return None
    return limit


def column_cache_bytes(config: Config, executor: Executor) -> int:
    """Bytes of decoded columns that the session's queries may keep in the process."""
    wanted: int | str = config.get("column_cache.bytes")
    return wanted if isinstance(wanted, int) else _decoded_bytes(executor)


def _decoded_bytes(executor: Executor) -> int:
    """Bytes that decoded columns may take unless a setting says otherwise."""
    limit = executor.memory_limit
    if limit is None:
        try:
            limit = int(_USABLE * available_memory())
        except OSError:
            return 0
    return default_cache_bytes(limit)


def make_runner(executor: Executor, config: Config) -> Runner:
    """A runner with the session's settings."""
    return Runner(
        executor,
        disabled_rules=tuple(config.get("optimizer.disabled")),
        broadcast_bytes=config.get("broadcast.limit"),
        cache_bytes=column_cache_bytes(config, executor),
        shared_bytes=_decoded_bytes(executor) if executor.shares_memory else 0,
        progress=partial(progress_bar, config),
        plans=PlanCache(plans_kept(config)),
        access=partial(Access.within, config=config),
        tier=partial(config.get, "compile.tier"),
    )


def plans_kept(config: Config) -> Callable[[], int]:
    """How many plans to keep, by the settings at the moment of asking."""
    return partial(config.get, "plan_cache.plans")


def progress_bar(config: Config) -> AbstractContextManager[Observer | None]:
    """The bar that the settings ask for at this moment: to be entered for one query."""
    wanted = config.get("progress")
    display = None if wanted == "off" else find_display()
    if display is None and wanted == "on" and sys.stderr is not None:
        display = TerminalDisplay(sys.stderr)
    return nullcontext() if display is None else ProgressObserver(display)


def connect(url: Any = "threads", *, dashboard: bool = False, **config: Any) -> Session:
    """A session on an executor.

    Parameters
    ----------
    url : str, LocalCluster or distributed.Client
        "threads" (worker threads of this process), "inline" (one task after the other in this
        thread, for debugging), "tcp://host:port?token=..." or "tls://..." (a cluster of plait's
        own, as `plait scheduler` prints it; or a `LocalCluster`), "dask://host:8786" (a
        dask.distributed cluster; a client of one may be given instead), "ray://auto" (the Ray
        cluster of this machine), "ray://local" (a new one) or "ray://host:port". See
        `docs/cluster.md`.
    dashboard : bool
        Whether to start a dashboard (for "threads" and "inline"); `session.dashboard()` then
        gives its URL.
    **config
        Settings by keyword, two underscores for a dot: `threads=2`, `partition__bytes="64MiB"`.

    Returns
    -------
    Session
        A context manager that closes itself.

    Raises
    ------
    UnsupportedError
        For clusters of others, if the package they need is not installed.
    AuthenticationError
        The cluster does not accept the token, or speaks another version.
    SchedulerLostError
        If nothing answers at the address, or plait is not installed over there.

    Examples
    --------
    >>> import plait
    >>> with plait.connect("inline") as session:
    ...     session.sql("select 1 + 1 as two").compute()
       two
    0    2
    """
    named = {key.replace("__", "."): value for key, value in config.items()}
    session = _session_at(url, named)
    if dashboard:
        try:
            session.dashboard()
        except BaseException:
            session.close()
            raise
    return session


def _session_at(url: Any, config: Mapping[str, Any]) -> Session:
    if type(url).__module__ == "plait.scheduler.cluster":  # not imported for those who have none
        return Session(url.executor(), config)
    if not isinstance(url, str):
        return Session(foreign.on_client(url), config)
    scheme = url.partition("://")[0]
    if scheme in foreign.SCHEMES:
        return Session(foreign.at(url), config)
    if scheme in ("tcp", "tls"):
        return Session(cluster_executor(url), config)
    if url not in ("threads", "inline"):
        raise ConfigError(
            f"There is nothing to connect to at {url!r}; use 'threads', 'inline' or the address of "
            "a cluster: tcp://, tls://, dask:// or ray://"
        )
    return Session(config={**config, "executor": url})


def cluster_executor(url: str) -> Executor:
    """An executor on the cluster at an address."""
    # sockets, TLS, msgpack: only for those who have a cluster
    from plait.scheduler.client import ClusterExecutor

    try:
        return ClusterExecutor(url)
    except ValueError as error:
        raise ConfigError(f"{error}") from error


_lock = threading.RLock()
_default: Session | None = None


def default_session() -> Session:
    """The session behind `plait.sql` and the readers; made when it is first asked for."""
    global _default
    with _lock:
        if _default is None:
            _default = Session()
        return _default


def sql(
    query: str,
    tables: Mapping[str, Any] | None = None,
    params: Sequence[Any] | Mapping[str, Any] | None = None,
    dialect: str = "duckdb",
) -> DataFrame:
    """The result of a SQL query as a lazy DataFrame.

    Parameters
    ----------
    query : str
        SELECT, or CREATE VIEW, CREATE TABLE AS, DROP, DESCRIBE, SHOW TABLES, EXPLAIN, COPY TO, SET;
        of several statements the last one's result is given.
    tables : mapping, optional
        Name to plait, pandas, Arrow or Polars frame, or path. Further names are tables of the
        session, variables of the calling code, or files.
    params : list or mapping, optional
        Values for `?`, `$1` or `$name`.
    dialect : str
        Any that sqlglot parses; answers follow DuckDB.

    Returns
    -------
    DataFrame

    Raises
    ------
    SqlError
        With the line and a caret under the mistake.

    Examples
    --------
    >>> import plait, pandas
    >>> trips = pandas.DataFrame({"day": [1, 1, 2], "tip": [1.0, 2.0, 4.0]})
    >>> plait.sql("select day, avg(tip) as tip from trips group by day order by day").compute()
       day  tip
    0    1  1.5
    1    2  4.0
    """
    return default_session().sql(query, tables, params, dialect)


class Variables:
    """Frames among the variables of the calling code, looked up when SQL names them."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def find(self, name: str) -> Any:
        """The nearest frame of this name up the calls; None if there is none."""
        from plait.sources import is_table

        level = self._frame
        while level is not None:
            for scope in (level.f_locals, level.f_globals):
                if name in scope and is_table(scope[name]):
                    return scope[name]
            level = level.f_back
        return None


def calling_variables() -> Variables:
    """The variables of the code that called plait."""
    return Variables(outside())
