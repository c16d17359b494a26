"""SQL text to sqlglot trees, statement by statement; syntax errors with line and caret.

sqlglot parses more leniently than any database, so a pass over the tokens refuses what it would
swallow (`select a,, b`), and what it would keep as opaque text: EXPLAIN is blanked out of the text
(offsets stay true) and remembered, statements that plait has no use for are refused by name.
The same pass gives each `?` its number, which the tree would not tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import expressions as exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from plait.errors import SqlError, SqlSyntaxError, nearest_names
from plait.planner.interpreter import deep_trees
from plait.planner.sql.literals import unit_name
from plait.planner.sql.mistakes import Source, SqlUnsupportedError, make_error


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_STATEMENTS = _words(
    """SELECT WITH FROM VALUES TABLE CREATE DROP DESCRIBE DESC SHOW COPY SET EXPLAIN"""
)

_REFUSED = _words(
    """ALTER ANALYZE ATTACH BEGIN CALL CHECKPOINT COMMENT COMMIT DEALLOCATE DELETE DETACH DO
    EXECUTE EXPORT GRANT IMPORT INSERT INSTALL LOAD LOCK MERGE PIVOT PRAGMA PREPARE REFRESH
    RESET REVOKE ROLLBACK START SUMMARIZE TRUNCATE UNPIVOT UPDATE USE VACUUM"""
)

_INSTEAD = {
    "PIVOT": "write a FILTER for each column: sum(x) FILTER (WHERE kind = 'a')",
    "UNPIVOT": "write a SELECT for each column and UNION ALL",
    "PRAGMA": "there are SET, SHOW TABLES and DESCRIBE",
    "RESET": "there is SET name = DEFAULT",
    "SUMMARIZE": "there is DESCRIBE; write the aggregates out: count(x), min(x), max(x), avg(x)",
}

_BLANKS = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_EXPLAIN = re.compile(rf"({_BLANKS})(explain\b{_BLANKS}(analyze\b)?)", re.IGNORECASE | re.DOTALL)
_CLOSED = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/", re.DOTALL
)

# spellings that are rewritten in the tokens before sqlglot's parser sees them
_ODD = re.compile(r"\.\d|\bx'|\binterval\b", re.IGNORECASE)
_NAMES = frozenset(
    {TokenType.VAR, TokenType.IDENTIFIER, TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.NUMBER}
)

# what cannot come right after AS or a comma
_ENDS = frozenset(
    {
        TokenType.COMMA,
        TokenType.FROM,
        TokenType.WHERE,
        TokenType.GROUP_BY,
        TokenType.HAVING,
        TokenType.ORDER_BY,
        TokenType.SEMICOLON,
    }
)


@dataclass(frozen=True)
class Parsed:
    """One statement: its tree, and whether it stood behind EXPLAIN (`plan` or `analyze`)."""

    node: exp.Expr
    explain: str | None = None


@dataclass(frozen=True)
class Script:
    """The statements of a text.

    `placeholders` holds the offset of each `?`, in order; `index_base` is the index of the first
    element of a list in the dialect.
    """

    source: Source
    statements: tuple[Parsed, ...]
    placeholders: tuple[int, ...]
    dialect: str
    index_base: int


@deep_trees
def parse(sql: str, dialect: str = "duckdb") -> Script:
    """The statements of a text; SqlSyntaxError when it cannot be parsed."""
    try:
        parser = Dialect.get_or_raise(dialect)
        # indexes are to stay as they are written; sqlglot shifts those it sees to be numbers
        base, parser.INDEX_OFFSET = parser.INDEX_OFFSET, 0
    except ValueError as problem:
        raise SqlError(f"Unknown SQL dialect {dialect!r}: {problem}") from None
    text, explained = _without_explain(sql, parser)
    tokens = _tokens(sql, text, parser)
    chunks = _chunks(tokens)
    placeholders = _number_placeholders(chunks) if "?" in sql else ()
    statements = []
    for chunk in chunks:
        if _ODD.search(sql):
            _join_tokens(chunk)
            _spell_out_intervals(chunk)
        _check(sql, chunk)
        explain = explained.get(chunk[0].start)
        statements.append(Parsed(_parse_one(sql, text, chunk, parser), explain))
    return Script(Source(sql), tuple(statements), placeholders, dialect, base)


def _tokens(sql: str, text: str, parser: Dialect) -> list[Token]:
    try:
        return list(parser.tokenize(text))
    except TokenError:
        blanked = _CLOSED.sub(lambda m: " " * len(m[0]), text)
        opened = re.search(r"'|\"|/\*|\$\w*\$", blanked)
        start = opened.start() if opened else None
        what = {"'": "string", '"': "quoted name", "/": "comment"}.get(
            blanked[start] if start is not None else "", "text"
        )
        raise make_error(
            SqlSyntaxError, f"This {what} is not closed", sql, start, len(sql)
        ) from None


def _without_explain(sql: str, parser: Dialect) -> tuple[str, dict[int, str]]:
    """The text with EXPLAIN [ANALYZE] blanked out, and the offsets of what it explained.

    Tokenizers take all that follows EXPLAIN for one opaque token, up to the next semicolon.
    """
    explained: dict[int, str] = {}
    if "explain" not in sql.lower():
        return sql, explained
    text, start = sql, 0
    while True:
        found = _EXPLAIN.match(text, start)
        if found is not None:
            blank = re.sub(r"[^\n]", " ", found[2])
            text = text[: found.start(2)] + blank + text[found.end() :]
            after = re.compile(_BLANKS, re.DOTALL).match(text, found.end())
            explained[after.end() if after else found.end()] = "analyze" if found[3] else "plan"
        tokens = _tokens(sql, text, parser)
        ends = [t.end + 1 for t in tokens if t.token_type == TokenType.SEMICOLON and t.end >= start]
        if not ends:
            return text, explained
        start = ends[0]


def _chunks(tokens: list[Token]) -> list[list[Token]]:
    """The tokens of each statement; empty statements are left out."""
    chunks: list[list[Token]] = [[]]
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            chunks.append([])
        else:
            chunks[-1].append(token)
    return [chunk for chunk in chunks if chunk]


def _number_placeholders(chunks: list[list[Token]]) -> tuple[int, ...]:
    """Write each `?` as `$1`, `$2`, ... in the tokens; the offsets they had."""
    offsets: list[int] = []
    for chunk in chunks:
        for i in range(len(chunk) - 1, -1, -1):
            if chunk[i].token_type == TokenType.PLACEHOLDER:
                offsets.append(chunk[i].start)
    offsets.sort()
    for chunk in chunks:
        for i in range(len(chunk) - 1, -1, -1):
            token = chunk[i]
            if token.token_type == TokenType.PLACEHOLDER:
                place = (token.line, token.col, token.start, token.end)
                number = str(offsets.index(token.start) + 1)
                chunk[i : i + 1] = [
                    Token(TokenType.PARAMETER, "$", *place),
                    Token(TokenType.NUMBER, number, *place),
                ]
    return tuple(offsets)


def _join_tokens(chunk: list[Token]) -> None:
    """`.5` and X'41' as one token each: sqlglot forgets how the first was written, and does not
    know the second in DuckDB's dialect."""
    for i in range(len(chunk) - 2, -1, -1):
        token, following = chunk[i], chunk[i + 1]
        if token.end + 1 != following.start:
            continue
        place = (following.line, following.col, token.start, following.end)
        kinds = (token.token_type, following.token_type)
        if kinds == (TokenType.DOT, TokenType.NUMBER):
            if i == 0 or chunk[i - 1].token_type not in _NAMES:
                chunk[i : i + 2] = [Token(TokenType.NUMBER, f".{following.text}", *place)]
        elif kinds == (TokenType.VAR, TokenType.STRING) and token.text in ("x", "X"):
            chunk[i : i + 2] = [Token(TokenType.HEX_STRING, following.text, *place)]


def _spell_out_intervals(chunk: list[Token]) -> None:
    """INTERVAL '1 day ago' as '1 day ago'::INTERVAL: sqlglot would make one day of it.

    INTERVAL '1' DAY, with the unit behind the string, stays.
    """
    for i in range(len(chunk) - 2, -1, -1):
        token, string = chunk[i], chunk[i + 1]
        if (token.token_type, string.token_type) != (TokenType.INTERVAL, TokenType.STRING):
            continue
        unit = chunk[i + 2].text if i + 2 < len(chunk) else ""
        if re.fullmatch(r"[\s\d.+-]*", string.text) and unit_name(unit) is not None:
            continue
        place = (string.line, string.col, string.start, string.end)
        # in parentheses, lest an alias be taken for the unit of the type
        chunk[i : i + 2] = [
            Token(TokenType.L_PAREN, "(", *place),
            string,
            Token(TokenType.DCOLON, "::", *place),
            Token(TokenType.INTERVAL, "INTERVAL", *place),
            Token(TokenType.R_PAREN, ")", *place),
        ]


def _check(sql: str, chunk: list[Token]) -> None:
    """Refuse by name what plait does not do, and what sqlglot would take for something else."""
    first = chunk[0]
    word = first.text.upper()
    if word in _REFUSED:
        advice = _INSTEAD.get(word, "plait reads data and writes it with COPY")
        text = f"{word} is not supported; {advice}"
        raise make_error(SqlUnsupportedError, text, sql, first.start, len(word))
    if word not in _STATEMENTS and first.token_type != TokenType.L_PAREN:
        text = f"A statement cannot begin with {first.text!r}."
        close = nearest_names(word, _STATEMENTS)
        if close:
            text += f" Did you mean {' or '.join(close)}?"
        raise make_error(SqlSyntaxError, text, sql, first.start, len(first.text))
    if word == "SHOW" and (len(chunk) < 2 or chunk[1].text.upper() not in ("TABLES", "ALL")):
        what = " ".join(t.text.upper() for t in chunk[:2])
        text = f"{what} is not supported; there is SHOW TABLES, and DESCRIBE for one table"
        raise make_error(SqlUnsupportedError, text, sql, first.start, len(what))
    for token, following in zip(chunk, [*chunk[1:], None], strict=True):
        kind = token.token_type
        after = None if following is None else following.token_type
        creates = word == "CREATE" and after == TokenType.FROM  # create view v as from t
        if kind == TokenType.ALIAS and (after is None or after in _ENDS) and not creates:
            raise make_error(SqlSyntaxError, "A name is missing after AS", sql, token.start, 2)
        if kind == TokenType.COMMA and following and after == TokenType.COMMA:
            text = "Something is missing between two commas"
            raise make_error(SqlSyntaxError, text, sql, following.start)


def _parse_one(sql: str, text: str, chunk: list[Token], dialect: Dialect) -> exp.Expr:
    try:
        found = dialect.parser().parse(chunk, text)
    except ParseError as problem:
        raise _syntax_error(sql, chunk, problem) from None
    except RecursionError:
        raise _too_deep(sql, chunk) from None
    node = found[0] if found else None
    if node is None:
        raise make_error(SqlSyntaxError, "Nothing to do", sql, chunk[0].start)
    return node


def _too_deep(sql: str, chunk: list[Token]) -> SqlError:
    """Points at the innermost parenthesis."""
    depth, deepest, where = 0, 0, chunk[0].start
    for token in chunk:
        if token.token_type == TokenType.L_PAREN:
            depth += 1
            if depth > deepest:
                deepest, where = depth, token.start
        elif token.token_type == TokenType.R_PAREN:
            depth -= 1
    text = "This statement is nested too deeply; give inner parts names in WITH"
    return make_error(SqlError, text, sql, where)


_CLAUSES = _words("FROM WHERE GROUP HAVING QUALIFY ORDER LIMIT JOIN UNION WINDOW")


def _misspelt(chunk: list[Token], token: Token | None) -> str:
    """A hint where the word before looks like a keyword, and was taken for an alias."""
    place = 0 if token is None else chunk.index(token)
    before = chunk[place - 1] if place else None
    if before is None or before.token_type != TokenType.VAR:
        return ""
    close = nearest_names(before.text.upper(), _CLAUSES)
    return f". Did you mean {close[0]} where {before.text!r} stands?" if close else ""


def _lacking(description: str) -> str | None:
    """What to say of a function that misses an argument; sqlglot names the argument and a class."""
    found = re.match(r"Required keyword: '(\w+)' missing for <class '[\w.]+\.(\w+)'>", description)
    kind = getattr(exp, found[2], None) if found else None
    if found is None or not isinstance(kind, type) or not issubclass(kind, exp.Func):
        return None
    return f"{kind.sql_names()[0].lower()} needs one more argument: {found[1]}"


def _syntax_error(sql: str, chunk: list[Token], problem: ParseError) -> SqlError:
    details = problem.errors[0] if problem.errors else {}
    highlight = details.get("highlight") or ""
    line, end_column = details.get("line"), details.get("col")
    token = next(
        (t for t in chunk if t.line == line and t.col == end_column and t.text),
        None,
    )
    description = str(details.get("description") or problem)
    length = len(highlight) or 1
    start = token.start if token is not None else None
    if start is None:
        return make_error(SqlSyntaxError, f"Cannot parse this: {description}", sql, None)
    after = f"after {highlight!r}"
    if "Unexpected token" in description:
        message = f"{highlight!r} is not expected here{_misspelt(chunk, token)}"
    elif description.startswith("Expected table name"):
        message = f"A table name is missing {after}"
    elif description.startswith("Required keyword"):
        lacking = _lacking(description) if highlight == ")" else None
        message = lacking or f"Something is missing {after}"
    elif description.startswith("Expecting") and token is chunk[-1]:
        message = f"{description.removeprefix('Expecting ')!r} is missing {after}"
    elif description.startswith("Expecting"):
        message = f"{description.removeprefix('Expecting ')!r} was expected near {highlight!r}"
    else:
        message = f"{description}, near {highlight!r}"
    return make_error(SqlSyntaxError, message, sql, start, length)
