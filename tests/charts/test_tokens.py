"""With `global.serviceTokens` a release gives the operator its token by itself: a Job that may change one Secret.

That the Job's account may no more, a real Kubernetes API says in test_engines.
"""

from typing import Any

from charting import Rendered, Values, main_container, render

ON: Values = {"global": {"serviceTokens": True}}
SECRET = "chat-operator-api-token"


def secret_of_the_operator(rendered: Rendered) -> dict[str, Any]:
    volumes = rendered.one("Deployment")["spec"]["template"]["spec"]["volumes"]
    sources = next(volume for volume in volumes if volume["name"] == "secrets")["projected"]["sources"]
    found = [s["secret"] for s in sources if s["secret"]["items"][0]["path"] == "operator-api-token"]
    return dict(found[0]) if found else {}


def test_the_operator_reads_what_the_apis_job_writes() -> None:
    api, operator = render("api", ON), render("operator", ON)
    mounted = secret_of_the_operator(operator)
    (job,) = [one for one in api.of("Job") if "-tokens-" in one["metadata"]["name"]]
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments[:3] == ["--service=operator", f"--secret={mounted['name']}", f"--key={mounted['items'][0]['key']}"]
    assert mounted["name"] in [one["metadata"]["name"] for one in api.of("Secret")]
    assert "SIGNALINK_OPERATOR_API_TOKEN_FILE" in [item["name"] for item in main_container(operator)["env"]]
    cron = api.one("CronJob")["spec"]["jobTemplate"]["spec"]
    assert cron == {key: value for key, value in job["spec"].items() if key != "ttlSecondsAfterFinished"}


def test_its_account_may_read_and_change_that_secret_alone() -> None:
    (role,) = render("api", ON).of("Role")
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [SECRET], "verbs": ["get", "patch"]}
    ]


def test_a_secret_of_yours_wins_and_off_leaves_nothing() -> None:
    mine = {"apiToken": {"existingSecret": "mine", "key": "word"}}
    mounted = secret_of_the_operator(render("operator", ON | mine))
    assert (mounted["name"], mounted["items"][0]["key"]) == ("mine", "word")
    assert secret_of_the_operator(render("operator")) == {}
    assert render("api").of("CronJob", "Role") == []


def test_finished_jobs_go_after_a_day_unless_they_are_to_be_kept() -> None:
    """For Pulumi and Argo CD, to which a Job that went by itself is a difference."""

    def ends(chart: str, keep: bool) -> list[bool]:
        values = {"global": {"serviceTokens": True, "keepJobs": keep}}
        jobs = [one for one in render(chart, values).of("Job") if "helm.sh/hook" not in str(one["metadata"])]
        return ["ttlSecondsAfterFinished" in one["spec"] for one in jobs]

    for chart, count in (("api", 2), ("analytics", 1), ("notifications", 1), ("postgres", 1), ("kafka", 1)):
        assert ends(chart, keep=False) == [True] * count, chart
        assert ends(chart, keep=True) == [False] * count, chart


def test_another_rotation_is_another_job() -> None:
    def name(**tokens: str) -> str:
        jobs = render("api", ON | {"serviceTokens": tokens}).of("Job")
        return str(next(one["metadata"]["name"] for one in jobs if "-tokens-" in one["metadata"]["name"]))

    assert name() != name(rotation="2")
    assert name() == name(schedule="1 1 * * *")
