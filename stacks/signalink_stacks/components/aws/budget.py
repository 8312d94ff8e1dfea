"""Owns the alarm about money: it is made before anything that costs some."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

ALARMS: Final = ((50, "ACTUAL"), (80, "ACTUAL"), (100, "FORECASTED"))
"""Per cent of the limit, of what was or will have been spent this month."""


@dataclass(frozen=True, slots=True)
class BudgetArgs:
    """`limit_usd` a month, `email` is told; without an address the budget is only shown by the console."""

    name: str
    limit_usd: int
    email: str
    stack_tag: tuple[str, str]
    """Key and value of the tag whose costs are counted. AWS counts a tag once it is activated as a cost tag."""
    tags: Mapping[str, str]


class Budget(pulumi.ComponentResource):
    """One AWS budget of the stack's costs."""

    def __init__(self, name: str, args: BudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("signalink:aws:Budget", name, None, opts)
        alarms = [
            aws.budgets.BudgetNotificationArgs(
                comparison_operator="GREATER_THAN",
                threshold=threshold,
                threshold_type="PERCENTAGE",
                notification_type=kind,
                subscriber_email_addresses=[args.email],
            )
            for threshold, kind in ALARMS
            if args.email
        ]
        self.budget = aws.budgets.Budget(
            f"{name}-month",
            name=args.name,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=str(args.limit_usd),
            limit_unit="USD",
            cost_filters=[
                aws.budgets.BudgetCostFilterArgs(name="TagKeyValue", values=["user:{}${}".format(*args.stack_tag)])
            ],
            notifications=alarms,
            tags={**args.tags},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"name": self.budget.name})
