"""Episodes on disk: an interrupted rollout goes on."""

import pytest

from gato_lightning.evaluation.episode_log import EpisodeLog
from tests.gato_lightning.evaluation.counting import Ones, played, task


def test_an_interrupted_rollout_goes_on(text, tmp_path):
    path, of = tmp_path / "a.part0", {"checkpoint": 1}
    tasks = [task(text, name="a"), task(text, name="b")]
    first = EpisodeLog(path, of)

    def stop_after_five(name, episode):
        first.add(name, episode)
        if len(path.read_text().splitlines()) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        played(tasks, on_episode=stop_after_five)
    first.close()
    with path.open("a") as file:
        file.write('["b", {"seed": 1')  # cut short by a kill
    second, actor = EpisodeLog(path, of), Ones()
    assert sum(map(len, second.done.values())) == 5
    scores = played(tasks, actor=actor, on_episode=second.add, done=second.done)
    assert [[one.seed for one in score.finished] for score in scores] == [list(range(10, 16))] * 2
    assert len([one for one in actor.seen if one[0] == "reset"]) == 7
    second.close()
    assert sum(map(len, EpisodeLog(path, of).done.values())) == 12
    assert EpisodeLog(path, {"checkpoint": 2}).done == {}
