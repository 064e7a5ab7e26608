"""`python run.py expert`: trains, goes on after a stop, measures, and ships nothing that is no better than chance."""

import contextlib
from pathlib import Path

import gymnasium
import pytest

import run
from datamodules.control.experts.network_policy import EXPERTS, NetworkPolicy
from datamodules.control.training.expert_command import check_better
from gato_lightning.errors import UserError

pytest.importorskip("rl_zoo3", reason="the extra experts is not installed")


@pytest.fixture(autouse=True)
def few_evaluations(monkeypatch):
    monkeypatch.setattr("datamodules.control.training.trainer.EVALUATIONS", 2)
    monkeypatch.setattr("datamodules.control.training.trainer.EVALUATION_EPISODES", 2)


FAST = (
    "{n_envs: 8, n_steps: 32, batch_size: 256, gae_lambda: 0.8, gamma: 0.98, n_epochs: 20, ent_coef: 0.0, learning_rate: 0.001}"
)


def train(folder: Path, timesteps: int, *more: str) -> Path:
    options = ["--timesteps", str(timesteps), "--settings", FAST, "--episodes", "20", "--logs", str(folder / "logs")]
    run.main(["expert", "--env", "CartPole-v1", *options, "--out", str(folder), *more])
    return folder / "CartPole-v1.safetensors"


def test_an_expert_is_trained_measured_and_written(tmp_path):
    policy = NetworkPolicy.load(train(tmp_path, 6000))
    about = policy.about
    assert about["environment"] == "CartPole-v1"
    assert about["return_mean"] > 100 > about["random_return_mean"]
    env, total = gymnasium.make("CartPole-v1"), 0.0
    observation, _ = env.reset(seed=1)
    act = policy.actor(env)
    for _ in range(50):
        observation, reward, terminated, _, _ = env.step(act(observation))
        total += reward
        assert not terminated
    assert (tmp_path / "logs" / "CartPole-v1-ppo-0" / "tensorboard").is_dir()


def test_a_stopped_training_goes_on_where_it_was(tmp_path, monkeypatch):
    from datamodules.control.training import trainer

    monkeypatch.setattr(trainer, "CHECKPOINTS", 4)

    saved, steps = trainer.ExpertTraining.save, []

    def save(self, model, name, best):
        saved(self, model, name, best)
        steps.append(model.num_timesteps)
        if name == "checkpoint" and model.num_timesteps >= 2000 and len(stops) < 1:
            stops.append(model.num_timesteps)
            raise KeyboardInterrupt

    stops: list[int] = []
    monkeypatch.setattr(trainer.ExpertTraining, "save", save)
    with pytest.raises(SystemExit) as stopped:
        train(tmp_path, 4096)
    assert stopped.value.code == 130
    steps.clear()
    train(tmp_path, 4096)
    assert min(steps) > stops[0]
    assert max(steps) == 4096


def test_what_is_no_better_than_chance_is_not_written(tmp_path):
    about = {"return_mean": 21.0, "return_std": 10.0, "random_return_mean": 20.0, "random_return_std": 10.0, "episodes": 100}
    with pytest.raises(UserError, match=r"reaches 21\.0 on average, the random policy 20\.0: not clearly better"):
        check_better(about, "CartPole-v1")
    check_better({**about, "return_mean": 30.0}, "CartPole-v1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "expected --env"),
        (["--env", "CartPool-v1"], "unknown environment 'CartPool-v1'; did you mean CartPole-v1"),
        (["--env", "CartPole-v1", "--algo", "pop"], "unknown algorithm 'pop'"),
        (["--env", "nowhere:Own-v0"], "No module named 'nowhere'"),
        (["--env", "CartPole-v1", "--timesteps", "0"], "timesteps"),
        (["--env", "CartPole-v1", "--algo", "sac"], "sac cannot be trained on"),
        (["--env", "CartPole-v1", "--settings", "{n_stepz: 3}"], "n_stepz"),
    ],
)
def test_mistakes_are_told_in_a_line(tmp_path, options, message, capsys):
    with pytest.raises(SystemExit):
        run.main(["expert", *options, "--logs", str(tmp_path)])
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_dictionaries_are_flattened(tmp_path):
    pytest.importorskip("shimmy", reason="the extra dm-control is not installed")
    options = ["--timesteps", "50", "--episodes", "1", "--logs", str(tmp_path), "--settings", "{n_envs: 1, n_steps: 50}"]
    with contextlib.suppress(SystemExit):  # so short a training may be no better than chance
        run.main(["expert", "--env", "dm_control/cartpole-balance-v0", *options])
    (settings,) = tmp_path.rglob("settings.yml")
    assert "FlattenObservation" in settings.read_text()


def test_the_shipped_experts_are_listed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    run.main(["expert", "--list"])
    told = capsys.readouterr().out
    for path in EXPERTS.rglob("*.safetensors"):
        assert path.stem in told
