"""read_parquet, read_csv, read_json, read_delta, from_pandas, from_arrow: tables into lazy frames.

Reading opens footers or first blocks only, for names and types. Each function takes `session=`
to read into another session than the default one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from plait import sources
from plait.dataframe import DataFrame
from plait.errors import PlanError, UnsupportedError
from plait.session import Session, default_session

if TYPE_CHECKING:
    import pandas as pd

Paths = Any  # str, os.PathLike, or a list of these


def read_parquet(
    path: Paths,
    columns: Sequence[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    *,
    session: Session | None = None,
    **options: Any,
) -> DataFrame:
    """A lazy frame over Parquet files; reads footers only.

    Parameters
    ----------
    path : str, path or list of these
        A file, a folder, or a pattern (`data/*.parquet`); local or a URL. Folders named
        `key=value` become columns, unless `hive_partitioning=False`; `hive_types={"year": "int32"}`
        says of which type.
    columns : list of str, optional
        Only these columns. What is not used is never read anyway.
    storage_options : mapping, optional
        For the file system behind the URL (fsspec).
    union_by_name : bool, default True
        The columns of all files, NULL in files that lack them. False: those of the first file,
        which all must have.
    filename : bool or str, default False
        Whether to have the path of each row's file in a column, or under which name.

    Returns
    -------
    DataFrame
        Numbered from 0 when computed.

    Raises
    ------
    ReadError
        If there is no such file, or it is not Parquet.

    Examples
    --------
    >>> import plait
    >>> plait.read_parquet("lineitem.parquet", columns=["l_tax"])     # doctest: +SKIP
    """
    session = session or default_session()
    source = sources.parquet(path, storage_options, options, session.config)
    return DataFrame(sources.scanned(source, session.runner, columns))


def read_csv(
    path: Paths,
    sep: str = ",",
    *,
    dtype: Any = None,
    parse_dates: Any = None,
    usecols: Any = None,
    names: Sequence[str] | None = None,
    na_values: Any = None,
    compression: str | None = "infer",
    blocksize: int | str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    index_col: Any = None,
    session: Session | None = None,
    **options: Any,
) -> DataFrame:
    """A lazy frame over CSV files; reads the head of each and samples of the first.

    Parameters
    ----------
    path : str, path or list of these
        A file, a folder, or a pattern; local or a URL.
    sep : str
        What stands between values.
    dtype : type or mapping of column to type, optional
        Types that are not to be guessed. A value that breaks a guessed type is an error that names
        file, line and column.
    parse_dates : list of str, optional
        Columns of timestamps.
    usecols, names, na_values, compression
        As in pandas; further options of pandas.read_csv go by keyword.
    union_by_name : bool, default False
        The columns of all files, NULL in files that lack them. Otherwise all files must have the
        same columns, in any order.
    hive_partitioning, hive_types, filename
        Columns told by files, as in `read_parquet`.
    blocksize : int or str, optional
        Bytes of text one task reads ("64MiB"); the setting `csv.blocksize` if not given.
    storage_options : mapping, optional
        For the file system behind the URL (fsspec).

    Returns
    -------
    DataFrame
    """
    session = session or default_session()
    given = {
        **options,
        "sep": sep,
        "dtype": dtype,
        "parse_dates": parse_dates,
        "usecols": usecols,
        "names": names,
        "na_values": na_values,
        "compression": compression,
        "blocksize": blocksize if blocksize is not None else session.config.get("csv.blocksize"),
    }
    source = sources.csv(path, storage_options, given, session.config)
    made = DataFrame(sources.scanned(source, session.runner, None))
    if source.labels:
        made.columns = [source.labels.get(name, name) for name in made.columns]
    if index_col is None or index_col is False:
        return made
    return made.set_index(_by_position(index_col, list(made.columns)))


def _by_position(wanted: Any, columns: list[Any]) -> Any:
    """Columns named by their positions, as index_col may, by their names."""
    if isinstance(wanted, list | tuple):
        return [_by_position(one, columns) for one in wanted]
    if isinstance(wanted, int) and wanted not in columns:
        if not -len(columns) <= wanted < len(columns):
            raise PlanError(f"index_col: there is no column {wanted}, only {len(columns)}")
        return columns[wanted]
    return wanted


def read_json(
    path: Paths,
    storage_options: Mapping[str, Any] | None = None,
    *,
    session: Session | None = None,
    lines: bool = True,
    **options: Any,
) -> DataFrame:
    """A lazy frame over files of JSON lines (one object a line).

    Parameters
    ----------
    path : str, path or list of these
        A file, a folder, or a pattern; local or a URL.
    storage_options : mapping, optional
        For the file system behind the URL (fsspec).
    union_by_name : bool, default True
        The columns of all files; False: those of the first.
    hive_partitioning, hive_types, filename
        Columns told by files, as in `read_parquet`.

    Returns
    -------
    DataFrame
    """
    session = session or default_session()
    if not lines:
        raise UnsupportedError("read_json reads one object a line; for other JSON use pandas")
    source = sources.json(path, storage_options, options, session.config)
    return DataFrame(sources.scanned(source, session.runner, None))


def read_delta(
    path: Any,
    version: int | None = None,
    columns: Sequence[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    *,
    session: Session | None = None,
) -> DataFrame:
    """A lazy frame over a table of Delta Lake; needs the package deltalake (`plait[delta]`).

    Parameters
    ----------
    path : str or path
        The folder of the table; local or a URL.
    version : int, optional
        The newest if not given.
    columns : list of str, optional
        Only these columns. What is not used is never read anyway.
    storage_options : mapping, optional
        For the file system behind the URL (fsspec).

    Returns
    -------
    DataFrame

    Raises
    ------
    ReadError
        If there is no such table or version.
    UnsupportedError
        If the table uses deletion vectors, column mapping, or another feature that plait lacks.

    Examples
    --------
    >>> import plait
    >>> plait.read_delta("sales", version=3).groupby("region").price.sum()   # doctest: +SKIP
    """
    session = session or default_session()
    source = sources.delta(path, version, storage_options, session.config)
    return DataFrame(sources.scanned(source, session.runner, columns))


def from_pandas(
    data: pd.DataFrame | pd.Series,
    npartitions: int | None = None,
    *,
    session: Session | None = None,
) -> Any:
    """A lazy frame of a pandas DataFrame (a Series of a Series); the index is kept.

    Parameters
    ----------
    data : pandas.DataFrame or pandas.Series
        Missing values of every kind become NULL, categories their values (and come back as
        categories).
    npartitions : int, optional
        Into how many pieces to cut it; by its size if not given.

    Returns
    -------
    DataFrame or Series

    Examples
    --------
    >>> import pandas, plait
    >>> plait.from_pandas(pandas.DataFrame({"x": [1, 2, 3]})).x.sum().compute()
    np.int64(6)
    """
    session = session or default_session()
    return sources.from_pandas(data, npartitions, session.runner)


def from_arrow(
    data: Any, npartitions: int | None = None, *, session: Session | None = None
) -> DataFrame:
    """A lazy frame of Arrow data, without copying.

    Parameters
    ----------
    data : pyarrow.Table, RecordBatch, or any object with `__arrow_c_stream__`
        So also Polars and DuckDB results.
    npartitions : int, optional
        Into how many pieces to cut it; by its size if not given.

    Returns
    -------
    DataFrame
    """
    session = session or default_session()
    source = sources.arrow(data, npartitions)
    return DataFrame(sources.scanned(source, session.runner, None))
