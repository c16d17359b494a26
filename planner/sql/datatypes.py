"""SQL type names to Arrow types."""

from __future__ import annotations

import pyarrow as pa
from sqlglot import expressions as exp

from plait.errors import PlanError
from plait.planner import types as t
from plait.planner.sql.mistakes import Source

_T = exp.DType

_PLAIN: dict[exp.DType, pa.DataType] = {
    _T.BOOLEAN: t.BOOL,
    _T.TINYINT: t.INT8,
    _T.SMALLINT: t.INT16,
    _T.MEDIUMINT: t.INT32,
    _T.INT: t.INT32,
    _T.BIGINT: t.INT64,
    _T.INT128: t.HUGEINT,
    _T.UTINYINT: t.UINT8,
    _T.USMALLINT: t.UINT16,
    _T.UINT: t.UINT32,
    _T.UBIGINT: t.UINT64,
    _T.FLOAT: t.FLOAT,
    _T.DOUBLE: t.DOUBLE,
    _T.CHAR: t.STRING,
    _T.NCHAR: t.STRING,
    _T.VARCHAR: t.STRING,
    _T.NVARCHAR: t.STRING,
    _T.TEXT: t.STRING,
    _T.TINYTEXT: t.STRING,
    _T.MEDIUMTEXT: t.STRING,
    _T.LONGTEXT: t.STRING,
    _T.BPCHAR: t.STRING,
    _T.BINARY: t.BINARY,
    _T.VARBINARY: t.BINARY,
    _T.BLOB: t.BINARY,
    _T.DATE: t.DATE,
    _T.DATE32: t.DATE,
    _T.TIME: t.TIME,
    _T.DATETIME: t.TIMESTAMP,
    _T.TIMESTAMP: t.TIMESTAMP,
    _T.TIMESTAMPNTZ: t.TIMESTAMP,
    _T.TIMESTAMPTZ: t.TIMESTAMPTZ,
    _T.TIMESTAMPLTZ: t.TIMESTAMPTZ,
    _T.TIMESTAMP_S: pa.timestamp("s"),
    _T.TIMESTAMP_MS: pa.timestamp("ms"),
    _T.TIMESTAMP_NS: pa.timestamp("ns"),
    _T.INTERVAL: t.INTERVAL,
    _T.NULL: t.NULL,
}

# names that sqlglot leaves to the user; DuckDB's u-types among them
_NAMED = {
    "UINT8": t.UINT8,
    "UINT16": t.UINT16,
    "UINT32": t.UINT32,
    "UINT64": t.UINT64,
    "INT128": t.HUGEINT,
    "TIMESTAMP_US": t.TIMESTAMP,
}


def arrow_type(node: exp.DataType, source: Source) -> pa.DataType:
    """The Arrow type of a type as SQL writes it; refuses those plait does not have."""
    kind = node.this
    if kind in (_T.DECIMAL, _T.DECIMAL32, _T.DECIMAL64, _T.DECIMAL128):
        return _decimal(node, source)
    if kind in (_T.ARRAY, _T.LIST) and node.expressions:
        source.check_args(node, ("this", "expressions", "nested"), "a list type")
        return pa.list_(arrow_type(node.expressions[0], source))
    if kind == _T.STRUCT and node.expressions:
        return pa.struct(
            [
                pa.field(part.name, arrow_type(part.args["kind"], source))
                for part in node.expressions
                if isinstance(part, exp.ColumnDef)
            ]
        )
    if kind == _T.USERDEFINED:
        name = str(node.args.get("kind") or "")
        if name.upper() in _NAMED:
            return _NAMED[name.upper()]
        with source.at(node):
            return t.from_sql_name(name)
    found = _PLAIN.get(kind)
    if found is None:
        source.refuse(f"Type {node.sql()}", node)
    # VARCHAR(25): as in DuckDB, lengths are not enforced
    return found


def _decimal(node: exp.DataType, source: Source) -> pa.DataType:
    numbers = [int(p.name) for p in node.expressions]
    precision, scale = (*numbers, *((18, 3) if not numbers else (0,)))[:2]
    with source.at(node):
        if not 1 <= precision <= 38 or scale > precision:
            raise PlanError(
                f"DECIMAL({precision},{scale}): a decimal has 1 to 38 digits, of which the scale "
                "is a part"
            )
    return pa.decimal128(precision, scale)
