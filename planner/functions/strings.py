"""String functions: positions count characters from 1, and negative ones from the end."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pat

from plait.planner.expr import Expr
from plait.planner.functions.coercion import (
    Overload,
    Parameter,
    any_list,
    any_type,
    fixed,
    mismatch,
    overloads,
    unify,
)
from plait.planner.functions.signature import Function, Nulls, Resolve, Signature, Volatility
from plait.planner.types import (
    BINARY,
    BOOL,
    DOUBLE,
    HUGEINT,
    INT32,
    INT64,
    NULL,
    STRING,
    UINT64,
    is_decimal,
    is_float,
)

_LIST = pa.list_(STRING)


def _f(
    name: str,
    doc: str,
    *signatures: tuple[tuple[Parameter, ...], pa.DataType],
    sql: tuple[str, ...] = (),
    nulls: Nulls = Nulls.PROPAGATE,
) -> Function:
    """A function from its signatures: (parameters, result) each."""
    candidates = (Overload(params, result) for params, result in signatures)
    return Function(name, overloads(name, *candidates), sql=sql, nulls=nulls, doc=doc)


def _texts(name: str, doc: str, count: int = 1, *sql: str) -> Function:
    return _f(name, doc, ((STRING,) * count, STRING), sql=sql)


def _test(name: str, doc: str, *sql: str) -> Function:
    return _f(name, doc, ((STRING, STRING), BOOL), sql=sql)


def _trim(name: str, doc: str) -> Function:
    return _f(name, doc, ((STRING,), STRING), ((STRING, STRING), STRING))


def _digest(name: str, doc: str) -> Function:
    return _f(name, doc, ((STRING,), STRING), ((BINARY,), STRING))


def as_text(arg: Expr) -> pa.DataType | None:
    """Any value."""
    return STRING


def _concat_types(name: str) -> Resolve:
    """Lists, binaries, or anything as text."""

    def resolve(args: tuple[Expr, ...]) -> Signature:
        if not args:
            raise mismatch(name, args)
        types = [a.dtype for a in args if a.dtype != NULL]
        if types and all(pat.is_list(t) for t in types):
            common = unify(args, name)
            return Signature((common,) * len(args), common)
        if types and all(t == BINARY for t in types):
            return Signature((BINARY,) * len(args), BINARY)
        return Signature((STRING,) * len(args), STRING)

    return resolve


def _format(name: str) -> Resolve:
    def argument(arg: Expr) -> pa.DataType | None:
        """Any value."""
        t = arg.dtype
        if is_decimal(t) and t != HUGEINT:
            return DOUBLE
        plain = pat.is_integer(t) or is_float(t) or pat.is_boolean(t)
        return t if plain else STRING

    return overloads(name, Overload((STRING,), STRING, rest=argument))


def _hex_like(name: str, doc: str, *sql: str) -> Function:
    return _f(
        name,
        doc,
        ((STRING,), STRING),
        ((INT64,), STRING),
        ((UINT64,), STRING),
        ((BINARY,), STRING),
        sql=sql,
    )


def _regexp(name: str, doc: str, result: pa.DataType, *more: tuple[Parameter, ...]) -> Function:
    base = (STRING, STRING)
    return _f(name, doc, (base, result), *(((*base, *extra), result) for extra in more))


FUNCTIONS = (
    _f(
        "length",
        "How many characters, or list elements",
        ((STRING,), INT64),
        ((any_list,), INT64),
        sql=("len", "char_length", "character_length"),
    ),
    _f("strlen", "How many bytes of UTF-8", ((STRING,), INT64)),
    _f("octet_length", "How many bytes", ((BINARY,), INT64)),
    _f("bit_length", "How many bits of UTF-8", ((STRING,), INT64)),
    _texts("lower", "In lower case", 1, "lcase"),
    _texts("upper", "In upper case", 1, "ucase"),
    _trim("trim", "Without spaces, or the given characters, at both ends"),
    _trim("ltrim", "Without spaces, or the given characters, at the start"),
    _trim("rtrim", "Without spaces, or the given characters, at the end"),
    _f("lpad", "Filled up or cut to a length, on the left", ((STRING, INT64, STRING), STRING)),
    _f("rpad", "Filled up or cut to a length, on the right", ((STRING, INT64, STRING), STRING)),
    _f("left", "The first characters; without the last for negatives", ((STRING, INT64), STRING)),
    _f("right", "The last characters; without the first for negatives", ((STRING, INT64), STRING)),
    _f(
        "substring",
        "The characters from a position, all or so many",
        ((STRING, INT64), STRING),
        ((STRING, INT64, INT64), STRING),
        sql=("substr", "mid"),
    ),
    _texts("replace", "Every occurrence of a text replaced", 3),
    _texts("translate", "Characters replaced one by one", 3),
    _texts("reverse", "The characters backwards"),
    _f("repeat", "The text so many times", ((STRING, INT64), STRING)),
    Function(
        "concat",
        _concat_types("concat"),
        nulls=Nulls.OWN,
        doc="All arguments one after the other, NULL being nothing",
    ),
    Function(
        "concat_operator",
        _concat_types("||"),
        sql=("||",),
        doc="Both sides one after the other; NULL if one is",
    ),
    Function(
        "concat_ws",
        overloads("concat_ws", Overload((STRING, as_text), STRING, rest=as_text)),
        nulls=Nulls.OWN,
        doc="The arguments that are not NULL, with a separator between them",
    ),
    Function("format", _format("format"), doc="A text with {} filled in"),
    Function("printf", _format("printf"), doc="A text with %d, %s, %.2f, ... filled in"),
    _test("starts_with", "Whether the text begins with another", "prefix", "^@"),
    _test("ends_with", "Whether the text ends with another", "suffix"),
    _f(
        "contains",
        "Whether a text has another in it, or a list an element",
        ((STRING, STRING), BOOL),
        ((any_list, any_type), BOOL),
    ),
    _f(
        "strpos",
        "The position of another text, 0 if it is not there",
        ((STRING, STRING), INT64),
        sql=("instr", "position"),
    ),
    _f("split_part", "The n-th part between separators", ((STRING, STRING, INT64), STRING)),
    _f(
        "string_split",
        "The parts between separators; all of it for NULL",
        ((STRING, STRING), _LIST),
        sql=("split", "str_split", "string_to_array"),
        nulls=Nulls.OWN,
    ),
    _f("ascii", "The first character's code point, 0 for ''", ((STRING,), INT32)),
    _f("unicode", "The first character's code point, -1 for ''", ((STRING,), INT32), sql=("ord",)),
    _f("chr", "The character of a code point", ((INT32,), STRING)),
    _test("like", "Whether the text fits a pattern of % and _", "~~"),
    _test("ilike", "As like, in any case", "~~*"),
    _f("like_escape", "As like, with an escape character", ((STRING, STRING, STRING), BOOL)),
    _f("ilike_escape", "As ilike, with an escape character", ((STRING, STRING, STRING), BOOL)),
    _test("glob", "Whether the text fits a pattern of *, ? and [a-z]", "~~~"),
    _regexp("regexp_matches", "Whether a regular expression occurs", BOOL, (STRING,)),
    _regexp("regexp_full_match", "Whether a regular expression is all of it", BOOL, (STRING,)),
    _f(
        "regexp_replace",
        "The first match replaced (all with option 'g')",
        ((STRING, STRING, STRING), STRING),
        ((STRING, STRING, STRING, STRING), STRING),
    ),
    _regexp(
        "regexp_extract",
        "The first match, or one of its groups; '' if there is none",
        STRING,
        (INT32,),
        (INT32, STRING),
        (STRING,),
    ),
    _regexp("regexp_extract_all", "All matches, or one of their groups", _LIST, (INT32,)),
    _f(
        "string_split_regex",
        "The parts between matches; all of it for NULL",
        ((STRING, STRING), _LIST),
        ((STRING, STRING, STRING), _LIST),
        sql=("str_split_regex", "regexp_split_to_array"),
        nulls=Nulls.OWN,
    ),
    _texts("regexp_escape", "The text as a regular expression for itself"),
    _f("levenshtein", "Edits between two texts", ((STRING, STRING), INT64), sql=("editdist3",)),
    _f("damerau_levenshtein", "Edits, with swaps", ((STRING, STRING), INT64)),
    _f("hamming", "Differing places of two texts", ((STRING, STRING), INT64), sql=("mismatches",)),
    _f("jaccard", "Share of characters in common", ((STRING, STRING), DOUBLE)),
    _f("jaro_similarity", "Jaro's similarity", ((STRING, STRING), DOUBLE)),
    _f("jaro_winkler_similarity", "Jaro and Winkler's similarity", ((STRING, STRING), DOUBLE)),
    _digest("md5", "MD5 digest in hexadecimal"),
    _digest("sha1", "SHA-1 digest in hexadecimal"),
    _digest("sha256", "SHA-256 digest in hexadecimal"),
    _f("to_base64", "Bytes in base 64", ((BINARY,), STRING), sql=("base64",)),
    _f("from_base64", "The bytes that base 64 stands for", ((STRING,), BINARY)),
    _f("encode", "The text as bytes of UTF-8", ((STRING,), BINARY)),
    _f("decode", "Bytes of UTF-8 as text", ((BINARY,), STRING)),
    _hex_like("hex", "In hexadecimal", "to_hex"),
    _f("unhex", "The bytes that hexadecimal stands for", ((STRING,), BINARY), sql=("from_hex",)),
    _hex_like("bin", "In binary", "to_binary"),
    _f(
        "to_base",
        "A number in a base, perhaps with zeros in front",
        ((INT64, INT32), STRING),
        ((INT64, INT32, INT32), STRING),
    ),
    _texts("initcap", "Every word with a capital first (PostgreSQL)"),
    _texts("url_encode", "Percent-encoded"),
    _texts("url_decode", "Percent-decoded"),
    _texts("strip_accents", "Letters without accents"),
    _texts("nfc_normalize", "In Unicode normal form C"),
    Function(
        "uuid",
        fixed("uuid", result=STRING),
        sql=("gen_random_uuid", "uuidv4"),
        volatility=Volatility.VOLATILE,
        doc="A random UUID as text",
    ),
)
