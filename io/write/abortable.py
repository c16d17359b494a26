"""What is written is given up where the block that writes it fails."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Abortable(ABC):
    """A writer for `with`: an error in the block aborts it, else the block closes it by itself."""

    @abstractmethod
    def abort(self) -> None:
        """Take away what was written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self.abort()
