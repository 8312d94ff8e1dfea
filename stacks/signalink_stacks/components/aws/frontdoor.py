"""Owns the HTTP API: routes of the services' documents, over a private link, to the internal load balancer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from signalink_stacks.lib.routes import Route

LOG_FIELDS: Final = {
    "request": "$context.requestId",
    "at": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    "route": "$context.routeKey",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "ms": "$context.responseLatency",
    "error": "$context.error.message",
}
"""What a line of the access log says: no path (it names people), no address, no query, no body."""
RATE, BURST = 500, 1000
"""Requests per second, and at once; the services' own limits are per person."""
SECONDS: Final = 29


@dataclass(frozen=True, slots=True)
class FrontDoorArgs:
    """`front_arn`: where the internal load balancer accepts, whose certificate is for `domain`."""

    called: str
    domain: str
    certificate_arn: pulumi.Input[str]
    front_arn: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    group_id: pulumi.Input[str]
    routes: Sequence[Route]
    key_arn: pulumi.Input[str]
    log_days: int
    tags: Mapping[str, str]


class FrontDoor(pulumi.ComponentResource):
    """An HTTP API under its own domain; its address at AWS is off. `target`: DNS name and zone for an alias."""

    def __init__(self, name: str, args: FrontDoorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:FrontDoor", name, None, opts)
        self._name, self._args = name, args
        inside = pulumi.ResourceOptions(parent=self)
        self.api = aws.apigatewayv2.Api(
            f"{name}-api",
            name=args.called,
            protocol_type="HTTP",
            disable_execute_api_endpoint=True,
            tags={**args.tags},
            opts=inside,
        )
        link = aws.apigatewayv2.VpcLink(
            f"{name}-link",
            name=args.called,
            subnet_ids=[*args.subnet_ids],
            security_group_ids=[args.group_id],
            tags={**args.tags},
            opts=inside,
        )
        integration = self._integration(link)
        for route in args.routes:
            self._route(route, integration)
        stage = self._stage()
        domain = self._domain()
        aws.apigatewayv2.ApiMapping(
            f"{name}-mapping", api_id=self.api.id, domain_name=domain.domain_name, stage=stage.name, opts=inside
        )
        facts = domain.domain_name_configuration
        self.target = (facts.target_domain_name, facts.hosted_zone_id)
        self.register_outputs({"url": f"https://{args.domain}"})

    def _integration(self, link: aws.apigatewayv2.VpcLink) -> aws.apigatewayv2.Integration:
        return aws.apigatewayv2.Integration(
            f"{self._name}-inside",
            api_id=self.api.id,
            integration_type="HTTP_PROXY",
            integration_method="ANY",
            integration_uri=self._args.front_arn,
            connection_type="VPC_LINK",
            connection_id=link.id,
            payload_format_version="1.0",
            timeout_milliseconds=SECONDS * 1000,
            tls_config=aws.apigatewayv2.IntegrationTlsConfigArgs(server_name_to_verify=self._args.domain),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _route(self, route: Route, integration: aws.apigatewayv2.Integration) -> None:
        aws.apigatewayv2.Route(
            f"{self._name} {route.key}",
            api_id=self.api.id,
            route_key=route.key,
            target=pulumi.Output.concat("integrations/", integration.id),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _stage(self) -> aws.apigatewayv2.Stage:
        inside = pulumi.ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            f"{self._name}-logs",
            name=f"/aws/apigateway/{self._args.called}",
            retention_in_days=self._args.log_days,
            kms_key_id=self._args.key_arn,
            tags={**self._args.tags},
            opts=inside,
        )
        return aws.apigatewayv2.Stage(
            f"{self._name}-stage",
            api_id=self.api.id,
            name="$default",
            auto_deploy=True,
            access_log_settings=aws.apigatewayv2.StageAccessLogSettingsArgs(
                destination_arn=logs.arn, format=json.dumps(LOG_FIELDS)
            ),
            default_route_settings=aws.apigatewayv2.StageDefaultRouteSettingsArgs(
                throttling_rate_limit=RATE, throttling_burst_limit=BURST
            ),
            tags={**self._args.tags},
            opts=inside,
        )

    def _domain(self) -> aws.apigatewayv2.DomainName:
        return aws.apigatewayv2.DomainName(
            f"{self._name}-domain",
            domain_name=self._args.domain,
            domain_name_configuration=aws.apigatewayv2.DomainNameDomainNameConfigurationArgs(
                certificate_arn=self._args.certificate_arn, endpoint_type="REGIONAL", security_policy="TLS_1_2"
            ),
            tags={**self._args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )
