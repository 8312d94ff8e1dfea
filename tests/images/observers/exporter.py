"""Stands in for an exporter whose image cannot be pulled: the same settings, port and account, a few of its figures.

EXPORTS says which: `postgres` reads DATA_SOURCE_URI, DATA_SOURCE_USER and DATA_SOURCE_PASS_FILE as postgres_exporter
does, `redis` REDIS_ADDR, REDIS_USER and the map REDIS_PASSWORD_FILE as redis_exporter, `kafka` the arguments in `@FILE`
as kafka_exporter. Each scrape asks the server anew.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

SECONDS = 5.0
Figures = dict[str, float]


def content(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


async def postgres() -> Figures:
    """What postgres_exporter says first."""
    import asyncpg

    word = content(os.environ["DATA_SOURCE_PASS_FILE"]).strip()
    address = f"postgresql://{os.environ['DATA_SOURCE_USER']}@{os.environ['DATA_SOURCE_URI']}"
    connection = await asyncpg.connect(address, password=word, timeout=SECONDS)
    try:
        most = await connection.fetchval("SELECT setting::int FROM pg_settings WHERE name = 'max_connections'")
        backends = await connection.fetchval("SELECT sum(numbackends)::int FROM pg_stat_database")
    finally:
        await connection.close(timeout=SECONDS)
    return {"pg_up": 1, "pg_settings_max_connections": most, "pg_stat_database_numbackends": backends}


async def redis() -> Figures:
    """INFO is all that redis_exporter needs; CONFIG is off by its setting."""
    from redis.asyncio import Redis

    user, address = os.environ["REDIS_USER"], os.environ["REDIS_ADDR"]
    words = json.loads(content(os.environ["REDIS_PASSWORD_FILE"]))
    word = words[address.replace("redis://", f"redis://{user}@")]
    async with Redis.from_url(address, username=user, password=word, socket_timeout=SECONDS) as client:
        told = await client.info()
    return {
        "redis_up": 1,
        "redis_connected_clients": told["connected_clients"],
        "redis_memory_used_bytes": told["used_memory"],
    }


async def kafka() -> Figures:
    """The brokers and the topics with their partitions."""
    from aiokafka.admin import AIOKafkaAdminClient

    flags = arguments()
    admin = AIOKafkaAdminClient(
        bootstrap_servers=flags["kafka.server"],
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism={"scram-sha512": "SCRAM-SHA-512"}[flags["sasl.mechanism"]],
        sasl_plain_username=flags["sasl.username"],
        sasl_plain_password=flags["sasl.password"],
        request_timeout_ms=int(SECONDS * 1000),
    )
    await admin.start()
    try:
        brokers = (await admin.describe_cluster())["brokers"]
        topics = await admin.list_topics()
        partitions = sum(len(topic["partitions"]) for topic in await admin.describe_topics(topics))
    finally:
        await admin.close()
    return {"kafka_brokers": len(brokers), "kafka_topic_partitions": partitions}


def arguments() -> dict[str, str]:
    """The words of the command line; `@FILE` stands for the lines of a file."""
    given = [
        word for each in sys.argv[1:] for word in (content(each[1:]).splitlines() if each.startswith("@") else [each])
    ]
    return {name.removeprefix("--"): value for name, _, value in (word.partition("=") for word in given)}


def port() -> int:
    """Where each exporter listens, unless it is told."""
    told = arguments().get("web.listen-address", "").rpartition(":")[2]
    return int(told or {"postgres": 9187, "redis": 9121, "kafka": 9308}[os.environ["EXPORTS"]])


async def page(path: str, asked: Callable[[], Awaitable[Figures]]) -> tuple[int, str]:
    """Status and text of an answer."""
    if path != "/metrics":
        return 200, "a stand-in for an exporter\n"
    try:
        figures = await asyncio.wait_for(asked(), SECONDS * 2)
    except Exception as error:  # one page says what is wrong, and the next scrape tries again
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 503, f"{type(error).__name__}: {error}\n"
    return 200, "".join(f"# TYPE {name} gauge\n{name} {value}\n" for name, value in figures.items())


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request, one answer, closed."""
    asked = {"postgres": postgres, "redis": redis, "kafka": kafka}[os.environ["EXPORTS"]]
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS)
        status, text = await page(head.split()[1].decode(), asked)
        kind = "text/plain; version=0.0.4; charset=utf-8"
        lines = [f"HTTP/1.1 {status} OK", f"Content-Type: {kind}", f"Content-Length: {len(text)}", "Connection: close"]
        writer.write("\r\n".join([*lines, "", text]).encode())
        await writer.drain()
    except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
        pass  # a probe that only opens the port, or a caller that left
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(answer, "0.0.0.0", port())  # noqa: S104 - in a container of its own
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
