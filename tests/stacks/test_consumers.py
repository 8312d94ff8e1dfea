"""The table of consumer groups is what the services' code says; every topic that a manifest consumes has a group."""

from signalink_analytics import GROUP as ANALYTICS
from signalink_analytics import app
from signalink_core import principals
from signalink_notifications.delivery import letters
from signalink_notifications.planner import planner
from signalink_stacks.lib import consumers, words
from signalink_stacks.lib.images import root


def test_groups_and_their_topics_are_those_of_the_services() -> None:
    assert {
        ANALYTICS: tuple(app.TOPICS),
        planner.GROUP: tuple(planner.TOPICS),
        letters.GROUP: (letters.TOPIC,),
    } == consumers.GROUPS


def test_every_topic_that_a_manifest_consumes_is_read_by_a_group_of_its_service() -> None:
    for manifest in words.manifests(root()):
        read = {
            topic
            for group, topics in consumers.GROUPS.items()
            if group.startswith(f"signalink-{manifest.name}")
            for topic in topics
        }
        # The prober reads to look, not to work: nothing waits for it.
        assert read == (set() if manifest.name == "prober" else set(manifest.consumes)), manifest.name


def test_every_group_is_one_that_its_principal_may_use() -> None:
    for group in consumers.GROUPS:
        owners = [
            one.name
            for one in principals.PRINCIPALS.values()
            for acl in one.kafka_acls
            if acl.resource == "group" and acl.name != "*" and group.startswith(acl.name)
        ]
        assert len(owners) == 1, group
