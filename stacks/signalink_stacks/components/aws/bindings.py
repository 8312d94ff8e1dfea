"""Owns the bindings that AWS runs: what each service sees of RDS, ElastiCache and MSK, and what it is granted there.

Each is a `BackingService`; no binding carries a secret, since every login is a token of a role.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

import pulumi

from signalink_core import principals
from signalink_stacks.components.aws import alarms, elasticache, ground, msk, rds
from signalink_stacks.components.contracts import Administrator, Binding, ClusterOutputs, Statement, Tls
from signalink_stacks.lib import authorities, chartvalues, grants, names
from signalink_stacks.lib.settings import DATABASE, Config, Engine

PLACEHOLDER: Final = "arn:aws:kafka:r:0:cluster/n/u"
"""Gives a grant's shape before the ARN is known: how many statements there are, and which actions."""


class Provider(Protocol):
    """A `BackingService`."""

    def provision(self, cluster: ClusterOutputs, config: Config) -> Binding: ...


class Postgres:
    """RDS."""

    def provision(self, cluster: ClusterOutputs, config: Config) -> Binding:
        under, wish = ground.of(cluster), config.bindings["postgres"]
        called = names.name(config.stack, "postgres")
        made = rds.Rds(
            "postgres",
            rds.RdsArgs(
                identifier=called,
                subnet_ids=under.network.private_ids,
                group_id=under.network.groups["postgres"],
                key_arn=under.vault.key_arn,
                machine=wish.instance,
                storage_gib=wish.storage_gib,
                standby=ground.prod(config),
                backup_days=ground.aws(config).backup_days,
                prod=ground.prod(config),
                protect=ground.guarded(config),
                log_days=ground.log_days(config),
                tags=under.tags,
            ),
            under.options(),
        )
        ground.watch(under, "postgres", alarms.postgres(called))
        return Binding(
            kind="postgres",
            provider="aws",
            host=made.host,
            port=rds.PORT,
            endpoints=(pulumi.Output.concat(made.host, f":{rds.PORT}"),),
            tls=Tls("on", authorities.of(ground.aws(config).region, ground.aws(config).ca_file)),
            auth="iam",
            user="",
            secret_ref=None,
            database=DATABASE,
            grants=_postgres_grants(under, config, made),
            region=ground.aws(config).region,
            cidrs=(under.network.cidr,),
            administrator=_administrator(under, config, made),
            depends_on=(made.instance,),
        )


class Redis:
    """ElastiCache."""

    def provision(self, cluster: ClusterOutputs, config: Config) -> Binding:
        under, wish = ground.of(cluster), config.bindings["redis"]
        nodes = max(wish.replicas, 2 if ground.prod(config) else 1)
        called = names.name(config.stack, "redis", most=40)
        users = {principal: names.name(config.stack, principal, most=40) for principal in _on_redis()}
        made = elasticache.ElastiCache(
            "redis",
            elasticache.ElastiCacheArgs(
                group_name=called,
                users=users,
                subnet_ids=under.network.private_ids,
                group_id=under.network.groups["redis"],
                key_arn=under.vault.key_arn,
                machine=wish.instance,
                replicas=nodes,
                backup_days=ground.aws(config).backup_days,
                tags=under.tags,
            ),
            under.options(),
        )
        ground.watch(under, "redis", alarms.redis(called, nodes))
        return Binding(
            kind="redis",
            provider="aws",
            host=made.host,
            port=elasticache.PORT,
            endpoints=(pulumi.Output.concat(made.host, f":{elasticache.PORT}"),),
            tls=Tls("on"),
            auth="iam",
            user="",
            users=users,
            secret_ref=None,
            database="0",
            grants={
                principal: (_login("ValkeyLogin", "elasticache:Connect", made.arn, made.user_arns[principal]),)
                for principal in users
            },
            region=ground.aws(config).region,
            cidrs=(under.network.cidr,),
            cache=called,
            depends_on=(made.cache,),
        )


class Kafka:
    """MSK Serverless."""

    def provision(self, cluster: ClusterOutputs, config: Config) -> Binding:
        under, called = ground.of(cluster), names.name(config.stack, "kafka")
        made = msk.Msk(
            "kafka",
            msk.MskArgs(
                cluster_name=called,
                subnet_ids=under.network.private_ids,
                group_id=under.network.groups["kafka"],
                tags=under.tags,
            ),
            under.options(),
        )
        ground.watch(under, "kafka", alarms.kafka(called, chartvalues.topic_prefix(config)))
        return Binding(
            kind="kafka",
            provider="aws",
            host=made.bootstrap.apply(lambda address: address.rpartition(":")[0]),
            port=msk.PORT,
            endpoints=(made.bootstrap,),
            tls=Tls("on"),
            auth="iam",
            user="",
            secret_ref=None,
            database="",
            grants=_kafka_grants(made.arn, chartvalues.topic_prefix(config)),
            region=ground.aws(config).region,
            cidrs=(under.network.cidr,),
            security=msk.SECURITY,
            depends_on=(made.cluster,),
        )


PROVIDERS: Final[Mapping[Engine, Provider]] = {"postgres": Postgres(), "redis": Redis(), "kafka": Kafka()}


def _on_redis() -> list[str]:
    return [one.name for one in principals.PRINCIPALS.values() if one.redis_acl is not None]


def _login(sid: str, action: str, *resources: pulumi.Input[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": [action], "Resource": list(resources)}


def _postgres_grants(under: ground.Ground, config: Config, made: rds.Rds) -> dict[str, tuple[Statement, ...]]:
    """Each principal as its own role on this one instance."""
    region = ground.aws(config).region

    def arns(principal: str) -> pulumi.Output[list[str]]:
        return pulumi.Output.all(under.account, made.resource_id).apply(
            lambda facts: [
                arn
                for statement in grants.postgres(principal, region=region, account=facts[0], resource_id=facts[1])
                for arn in statement.resources
            ]
        )

    return {
        principal: (
            {"Sid": "PostgresLogin", "Effect": "Allow", "Action": ["rds-db:connect"], "Resource": arns(principal)},
        )
        for principal in principals.postgres_roles()
    }


def _administrator(under: ground.Ground, config: Config, made: rds.Rds) -> Administrator:
    """By the password that AWS keeps, and by a token once that is what RDS asks for (decision 0121)."""
    account = pulumi.Output.all(under.account, made.resource_id).apply(
        lambda facts: grants.database_user(ground.aws(config).region, facts[0], facts[1], rds.ADMIN)
    )
    statements = (
        _login("PostgresLogin", "rds-db:connect", account),
        _login("AdministratorsPassword", "secretsmanager:GetSecretValue", made.admin_secret_arn),
        _login("KeyOfThePassword", "kms:Decrypt", under.vault.key_arn),
    )
    return Administrator(rds.ADMIN, made.admin_secret_arn, statements)


def _kafka_grants(arn: pulumi.Output[str], prefix: str) -> dict[str, tuple[Statement, ...]]:
    """`prefix`: what names of topics and groups begin with, in the charts too."""
    made: dict[str, tuple[Statement, ...]] = {}
    for one in principals.PRINCIPALS.values():
        shapes = grants.kafka(one.name, cluster_arn=PLACEHOLDER, prefix=prefix)
        if shapes:
            made[one.name] = tuple(
                {**shape.json(), "Resource": arn.apply(_resources(one.name, place, prefix))}
                for place, shape in enumerate(shapes)
            )
    return made


def _resources(principal: str, place: int, prefix: str) -> Callable[[str], list[str]]:
    return lambda arn: list(grants.kafka(principal, cluster_arn=arn, prefix=prefix)[place].resources)
