"""Field and Schema: the ordered, uniquely named, Arrow-typed columns of a plan."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from plait.errors import ColumnNotFoundError, PlanError


@dataclass(frozen=True)
class Field:
    """A column: its name, its Arrow type, and whether it may hold NULL."""

    name: str
    type: pa.DataType
    nullable: bool = True

    def __str__(self) -> str:
        return f"{self.name}: {self.type}{'' if self.nullable else ' not null'}"


@dataclass(frozen=True)
class Schema:
    """Ordered fields with unique names."""

    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        index = {field.name: i for i, field in enumerate(self.fields)}
        if len(index) != len(self.fields):
            names = [f.name for f in self.fields]
            twice = sorted({n for n in names if names.count(n) > 1})
            raise PlanError(f"A table cannot have two columns named {', '.join(map(repr, twice))}")
        object.__setattr__(self, "_index", index)
        object.__setattr__(self, "_names", tuple(index))

    @staticmethod
    def of(pairs: Iterable[tuple[str, pa.DataType]]) -> Schema:
        """A schema of nullable fields from (name, type) pairs."""
        return Schema(tuple(Field(name, type_) for name, type_ in pairs))

    @staticmethod
    def from_arrow(schema: pa.Schema) -> Schema:
        """The plait schema of an Arrow schema."""
        return Schema(tuple(Field(f.name, f.type, f.nullable) for f in schema))

    def __reduce__(self) -> tuple[Callable[..., Schema], tuple[object]]:
        # every operator and every split that is sent has one: made into bytes, and read, once
        packed = self.__dict__.get("_packed")
        if packed is None:
            if not all(type(f.type).__module__ == "pyarrow.lib" for f in self.fields):
                return Schema, (self.fields,)  # types of somebody else: as whoever pickles wants
            packed = pickle.dumps(self.fields, 5)
            object.__setattr__(self, "_packed", packed)
        return _unpacked, (packed,)

    def to_arrow(self) -> pa.Schema:
        """The Arrow schema with the same names and types."""
        return pa.schema([pa.field(f.name, f.type) for f in self.fields])

    @property
    def names(self) -> tuple[str, ...]:
        return self._names  # type: ignore[attr-defined, no-any-return]

    @property
    def types(self) -> tuple[pa.DataType, ...]:
        return tuple(f.type for f in self.fields)

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __contains__(self, name: object) -> bool:
        return name in self._index  # type: ignore[attr-defined]

    def __getitem__(self, name: str) -> Field:
        index: dict[str, int] = self._index  # type: ignore[attr-defined]
        if name not in index:
            raise ColumnNotFoundError(name, self.names)
        return self.fields[index[name]]

    def __str__(self) -> str:
        return ", ".join(str(f) for f in self.fields)

    def same_as(self, other: Schema) -> bool:
        """Whether names and types agree; nullability may differ (rules may learn more)."""
        return self.names == other.names and self.types == other.types


@lru_cache(1024)
def _unpacked(fields: bytes) -> Schema:
    return Schema(pickle.loads(fields))
