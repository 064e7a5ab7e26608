"""A checkpoint becomes a pretrained folder."""

import json

import gymnasium
import pytest
import torch

from gato_lightning.acting.gato_agent import GatoAgent
from gato_lightning.errors import UserError
from gato_lightning.training.export import card
from gato_lightning.training.trainer import GatoTrainer
from tests.tiny_runs import data, module, trainer


def test_an_exported_run_acts_as_its_checkpoint(tmp_path, cache):
    run = tmp_path / "version_0"
    fit = trainer(tmp_path)
    fit.fit(module(), data(cache))
    fit.save_checkpoint(run / "last.ckpt")
    (run / "config.yaml").write_text("# python run.py fit\nmodel: {}\n")
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    exporter = GatoTrainer(max_steps=1, precision="32-true", default_root_dir=tmp_path, **quiet)
    exporter.export(module(), data(cache), str(run / "last.ckpt"), str(tmp_path / "mine"))
    agent = GatoAgent.from_pretrained(tmp_path / "mine")
    assert agent.tasks.keys() == {"cartpole", "pendulum"}
    whole = torch.load(run / "last.ckpt", weights_only=True)["state_dict"]
    for name, tensor in agent.model.state_dict().items():
        torch.testing.assert_close(tensor, whole[f"model.{name}"], rtol=2**-8, atol=0)
    env = gymnasium.make("Pendulum-v1")
    agent.reset(task="pendulum", seed=0)
    assert agent.select_action(env.reset(seed=0)[0]) in env.action_space
    for name, task in agent.tasks.items():
        assert task.demonstrations.num_episodes <= 4
        assert task.expert.mean == json.loads((tmp_path / "mine" / "config.json").read_text())["tasks"][name]["expert"]["mean"]


@pytest.mark.parametrize("missing", [{"ckpt_path": "a.ckpt"}, {"output": "folder"}])
def test_both_paths_are_needed(tmp_path, missing):
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    exporter = GatoTrainer(max_steps=1, precision="32-true", default_root_dir=tmp_path, **quiet)
    with pytest.raises(UserError, match="export needs --ckpt_path and --output"):
        exporter.export(None, None, **missing)


def test_the_card_has_the_scores_and_their_intervals():
    one = {"task": "a", "mean_return": 1.0, "random_return": 0.0, "expert_return": 2.0, "score": 0.5}
    report = {"steps": 3, "tokens_seen": 1000, "wall_seconds": 60.0, "device": "cpu", "precision": "32-true", "text": {}}
    report["control"] = [{**one, "score_interval": [0.5, 0.4, 0.6]}]
    told = card("mine", {"state_dict": {"w": torch.zeros(10)}}, "# python run.py fit\n", report)
    assert "| a | 1.00 | 0.00 | 2.00 | 0.50 | 0.40 to 0.60 |" in told
    assert "Trained by `python run.py fit`." in told
    assert "10 parameters" in told
