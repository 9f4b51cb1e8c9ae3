"""The database: does it answer, is it up to date, does it keep what it took?"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from noctis.checkup.finding import Finding, fail, ok, warn


def check_database(*, is_full: bool) -> Iterator[Finding]:
    """Yield findings; the first FAIL of an unreachable database is also the last."""
    try:
        yield ok("database", _describe())
        yield _check_migrations()
        if connection.vendor == "sqlite":
            yield from _check_sqlite(is_full=is_full)
        else:
            yield from _check_postgresql()
    except DatabaseError as error:
        connection.close()
        sentence = str(error).strip().splitlines()[0] if str(error).strip() else "no answer"
        yield fail(
            "database",
            f"cannot be used: {sentence}",
            "Is the database server running, and is DATABASE_URL right? For SQLite: does the "
            "disk have space, and may this user write the home?",
        )


def _describe() -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sqlite_version()")
            return f"SQLite {cursor.fetchone()[0]} answers"
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0]} answers"


def _check_migrations() -> Finding:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        names = ", ".join(f"{one.app_label}.{one.name}" for one, _ in missing[:3])
        return fail(
            "migrations",
            f"{len(missing)} not applied ({names})",
            "Stop Noctis, make a backup, then run: manage.py migrate",
        )
    return ok("migrations", "all applied")


def _check_sqlite(*, is_full: bool) -> Iterator[Finding]:
    with connection.cursor() as cursor:
        pragmas = {}
        for name in ("journal_mode", "synchronous"):
            cursor.execute(f"PRAGMA {name}")
            pragmas[name] = str(cursor.fetchone()[0]).lower()
        if pragmas == {"journal_mode": "wal", "synchronous": "2"}:
            yield ok("durability", "journal_mode=WAL, synchronous=FULL")
        else:
            yield fail(
                "durability",
                f"journal_mode={pragmas['journal_mode']}, synchronous={pragmas['synchronous']}",
                "The home must lie on a local disk: SQLite's WAL does not work on network "
                "file systems.",
            )
        if is_full:
            cursor.execute("PRAGMA quick_check(5)")
            answers = [row[0] for row in cursor.fetchall()]
            if answers == ["ok"]:
                yield ok("integrity", "quick_check found no damage")
            else:
                yield fail(
                    "integrity",
                    f"quick_check: {answers[0]}",
                    "Stop Noctis, keep a copy of db.sqlite3*, and restore the newest backup.",
                )


def _check_postgresql() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        values = {}
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            cursor.execute(f"SHOW {name}")
            values[name] = cursor.fetchone()[0]
        lazy = [f"{name}={value}" for name, value in values.items() if value in {"off", "local"}]
        if lazy:
            yield fail(
                "durability",
                ", ".join(lazy),
                "Set these to on in postgresql.conf: without them a power cut loses studies "
                "that senders were told are safe.",
            )
        else:
            yield ok("durability", "fsync, synchronous_commit and full_page_writes are on")
        cursor.execute("SELECT count(*), current_setting('max_connections') FROM pg_stat_activity")
        used, most = (int(value) for value in cursor.fetchone())
        if used > 0.8 * most:
            yield warn(
                "connections",
                f"{used} of {most} in use",
                "Raise max_connections in postgresql.conf, or run fewer processes.",
            )
        else:
            yield ok("connections", f"{used} of {most} in use")
