"""Who comes into the cluster of a stack on EKS, and what becomes of the state where nobody does."""

from awsgraphs import STACKS, of, recorded

ADMIN, VIEWER = (f"arn:aws:iam::123456789012:role/{name}" for name in ("deploy", "drift"))
POLICIES = "arn:aws:eks::aws:cluster-access-policy"


def test_admins_may_everything_and_viewers_read() -> None:
    base = STACKS["eks-lite"]
    graph = recorded(base | {"aws": base["aws"] | {"admins": [ADMIN], "viewers": [VIEWER]}})
    given = {each.inputs["principalArn"]: each.inputs for each in of(graph, "AccessPolicyAssociation")}
    assert {arn: each["policyArn"] for arn, each in given.items()} == {
        ADMIN: f"{POLICIES}/AmazonEKSClusterAdminPolicy",
        VIEWER: f"{POLICIES}/AmazonEKSAdminViewPolicy",
    }
    assert {each.inputs["principalArn"] for each in of(graph, "AccessEntry")} == {ADMIN, VIEWER}
    assert all(each["accessScope"] == {"type": "cluster"} for each in given.values())


def test_a_cluster_that_is_not_reached_stays_in_the_state() -> None:
    """With `deleteUnreachable` a refresh from outside forgot everything in it."""
    base = STACKS["eks-lite"]
    said = {"cluster": {"unreachableOk": True}}
    for raw, expected in ((base, False), (base | said, True)):
        (provider,) = (each for each in recorded(raw) if each.type == "pulumi:providers:kubernetes")
        assert str(provider.inputs.get("deleteUnreachable", False)).lower() == str(expected).lower()
