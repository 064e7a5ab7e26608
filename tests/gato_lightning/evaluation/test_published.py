"""Published figures have a source and a domain of ours."""

from datamodules.control.suites import TASKS
from gato_lightning.evaluation.published import PUBLISHED, of_domains


def test_each_figure_says_whose_it_is_and_where_it_stands():
    domains = {"all", *(task.domain for task in TASKS.values())}
    for one in PUBLISHED:
        assert all((one.system, one.measure, one.value, one.source))
        assert one.domain in domains, f"no score of ours stands beside {one}"


def test_only_the_asked_domains_are_given():
    assert {one.domain for one in of_domains(["babyai", "nowhere"])} == {"babyai"}
    assert of_domains([]) == []
