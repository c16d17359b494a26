"""What the errors of drivers mean: which may pass, and how they are told.

Drivers raise OSErrors, errors of their HTTP clients, or their own. Texts are passed on with the
secrets taken out of them, and without the driver's own error as a cause: its traceback would show
signed URLs.
"""

from __future__ import annotations

from plait import config
from plait.errors import PlaitError, ReadError
from plait.io.store.access import Access

_FINAL = (
    PlaitError,
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    TypeError,
    AttributeError,
)
# packages whose errors are mostly those of the network
_NETWORK = {"aiohttp", "botocore", "aiobotocore", "azure", "gcsfs", "google", "requests", "urllib3"}
_NETWORK |= {"fsspec", "ssl"}


def may_pass(error: BaseException) -> bool:
    """Whether another try may succeed."""
    error = _real(error)
    if isinstance(error, _FINAL) or _about_credentials(error):
        return False
    status = status_of(error)
    if status is not None:
        return status >= 500 or status in (408, 425, 429)
    network = type(error).__module__.partition(".")[0] in _NETWORK
    return network or isinstance(error, (OSError, EOFError, TimeoutError))


def status_of(error: BaseException) -> int | None:
    """The HTTP status behind an error, if it can be told."""
    for found in (error, error.__cause__):
        if type(found).__module__ == "aiohttp.http_exceptions":
            continue  # an answer cut short: its code is made up
        response = getattr(found, "response", None)
        if isinstance(response, dict):  # botocore
            value = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        else:  # requests, azure, aiohttp, gcsfs
            value = getattr(response, "status_code", None)
            for name in ("status_code", "status", "code"):
                value = getattr(found, name, None) if value is None else value
        if str(value).isdigit():
            return int(str(value))
    return None


def _real(error: BaseException) -> BaseException:
    """fsspec's http says of any failure that there is no such file; its cause knows better."""
    cause = error.__cause__
    if not isinstance(error, FileNotFoundError) or cause is None:
        return error
    network = type(cause).__module__.partition(".")[0] in _NETWORK or isinstance(cause, OSError)
    return cause if network and status_of(cause) not in (404, 410) else error


def _about_credentials(error: BaseException) -> bool:
    name = type(error).__name__
    return "Credential" in name or "Authentication" in name or name == "RefreshError"


def told(error: BaseException, shown: str, access: Access, attempts: int = 1) -> PlaitError:
    """The error as plait tells it."""
    if isinstance(error, PlaitError):
        return error
    error = _real(error)
    status = status_of(error)
    text = access.hide(str(error).strip() or type(error).__name__, shown)
    tried = f" (tried {attempts} times)" if attempts > 1 else ""
    if isinstance(error, FileNotFoundError) or status == 404:
        return NotThereError(f"No such file: {shown!r} ({text})")
    if _about_credentials(error):
        return ReadError(
            f"{shown}: no usable credentials ({text}); pass storage_options=, or set them in the "
            "environment or in the setting `storage`"
        )
    if isinstance(error, PermissionError) or status in (401, 403):
        return ReadError(f"{shown}: access denied ({text}); check the credentials it is read with")
    if isinstance(error, TimeoutError):
        seconds = config.get("requests.timeout")
        return ReadError(f"{shown}: no answer within {seconds:g} seconds{tried}")
    return ReadError(f"{shown}: {type(error).__name__}: {text}{tried}")


class ShortAnswerError(OSError):
    """An answer that is not as long as it must be; another try may be."""


class NotThereError(ReadError):
    """A store says that there is no such thing."""
