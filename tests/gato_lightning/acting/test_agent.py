"""Acting: cached equals computed anew, many lanes equal one, the window slides exactly, only valid ids are drawn."""

import dataclasses
import string

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from gato_lightning.acting.agent import ActingSettings, Agent
from gato_lightning.acting.sampling import choose
from gato_lightning.errors import UserError
from gato_lightning.model.gato import Gato
from gato_lightning.sequences.sequence import collate, slots_of
from gato_lightning.sequences.tasks import ControlTask, Reference
from gato_lightning.tokens.episode import Episode, stack
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Kind, Vocabulary

GREEDY = ActingSettings(prompt="start", prompt_length=20, temperature=0.0)


@pytest.fixture
def task(store, image_tokenizer):
    def make_env(render_mode=None) -> gymnasium.Env:
        raise AssertionError("not needed here")

    reference = Reference(1.0, 2)
    return ControlTask("t", "d", make_env, image_tokenizer, store, None, reference, reference)


def observations(task, lanes: int, steps: int):
    task.tokenizer.observation_space.seed(0)
    return [[task.tokenizer.observation_space.sample() for _ in range(lanes)] for _ in range(steps)]


def recomputed(model, task, prompt, history, observation) -> list[int]:
    """The greedy action of the whole context in one pass without a cache, token by token."""
    tokenizer = task.tokenizer
    step = slots_of(tokenizer.encode_observations(stack(tokenizer.observation_space, [observation]), 1))
    context = [*prompt, *(part for done in history for part in done), *step]
    drawn: list[int] = []
    for first, count in tokenizer.action_ids.tolist():
        action = [type(step[0]).of_tokens(drawn, tokenizer.action_kinds[: len(drawn)])]
        length = sum(len(part.ids) for part in context) + len(drawn)
        batch = collate([context + action], length, Vocabulary())
        # All of it is one segment, counted through.
        batch = dataclasses.replace(batch, position=torch.arange(length)[None], segment=torch.ones(1, length, dtype=torch.long))
        drawn.append(int(choose(model, model(batch)[:, -1], first, count, 0.0, torch.zeros(1))))
    return drawn


@pytest.mark.parametrize("timesteps", [1, 2, 3, None])
def test_cached_actions_equal_recomputed_ones_while_the_window_slides(tiny_model, task, timesteps):
    task = dataclasses.replace(task, timesteps=timesteps)
    policy = Agent(tiny_model, 2, GREEDY, seed=0)
    for lane in range(2):
        policy.reset(lane, task, seed=lane)
    prompts = [list(policy._episodes[lane].pending) for lane in range(2)]
    assert all(sum(len(part.ids) for part in prompt) in (10, 20) for prompt in prompts)
    for now in observations(task, 2, 14):
        actions = policy.act(dict(enumerate(now)))
        for lane in range(2):
            done = policy._episodes[lane].history[:-1]  # the window as it was when the action was drawn
            expected = recomputed(tiny_model, task, prompts[lane], done, now[lane])
            np.testing.assert_array_equal(actions[lane], np.array(expected))
            assert timesteps is None or len(done) < timesteps
            used = sum(
                len(part.ids) for part in [*prompts[lane], *(p for step in policy._episodes[lane].history for p in step)]
            )
            assert used <= tiny_model.config.context_length


def test_lanes_do_not_touch_each_other(tiny_model, task):
    settings = dataclasses.replace(GREEDY, prompt_length=10)
    together, alone = Agent(tiny_model, 4, settings, 0), Agent(tiny_model, 1, settings, 0)
    for lane in range(4):
        together.reset(lane, task, seed=lane)
    alone.reset(0, task, seed=2)
    for now in observations(task, 4, 6):
        np.testing.assert_array_equal(together.act(dict(enumerate(now)))[2], alone.act({0: now[2]})[0])


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_lanes_of_different_tasks_share_a_cache(tiny_model, task, text, temperature):
    arm = TimestepTokenizer(spaces.Box(-1, 1, (5,)), spaces.Box(-1, 1, (4,)), Vocabulary(), text)
    switch = TimestepTokenizer(spaces.Discrete(9), spaces.Discrete(3), Vocabulary(), text)
    tasks = [task, *(dataclasses.replace(task, name=str(one), tokenizer=one) for one in (arm, switch, arm, switch))]
    settings = dataclasses.replace(GREEDY, prompt="none", temperature=temperature)
    together = Agent(tiny_model, 5, settings, 0)
    alone = [Agent(tiny_model, 1, settings, 0) for _ in tasks]
    for lane, one in enumerate(tasks):
        together.reset(lane, one, seed=lane)
        alone[lane].reset(0, one, seed=lane)
        one.tokenizer.observation_space.seed(lane)
    for step in range(6):
        # Not every lane acts in every step.
        now = {lane: one.tokenizer.observation_space.sample() for lane, one in enumerate(tasks) if (lane + step) % 3}
        for lane, action in together.act(now).items():
            np.testing.assert_array_equal(action, alone[lane].act({0: now[lane]})[0])


def test_a_lane_that_cannot_act_leaves_the_others_alone(tiny_model, task, text):
    note = TimestepTokenizer(spaces.Text(2000), spaces.Discrete(3), Vocabulary(), text)
    talk = TimestepTokenizer(spaces.Discrete(2), spaces.Dict(say=spaces.Text(9), turn=spaces.Discrete(2)), Vocabulary(), text)
    tasks = [dataclasses.replace(task, name=name, tokenizer=one) for name, one in (("note", note), ("talk", talk))]
    policy, alone = (Agent(tiny_model, lanes, dataclasses.replace(GREEDY, prompt="none"), 0) for lanes in (4, 1))
    for lane, one in enumerate((tasks[0], tasks[0], tasks[1], task)):
        policy.reset(lane, one, seed=lane)
    alone.reset(0, tasks[0], seed=0)
    picture = observations(task, 1, 1)[0][0]
    for step in range(3):
        acted = policy.act({0: f"step {step}", 1: "far too long " * 90, 2: 1, 3: picture | {"x": np.full(3, np.nan)}})
        assert acted[0] == alone.act({0: f"step {step}"})[0]
        assert "tokens is longer than the context of 128" in str(acted[1])
        assert acted[2] in talk.action_space
        assert "observation.x, timestep 0" in str(acted[3])
    assert all(isinstance(acted[lane], UserError) for lane in (1, 3))
    assert isinstance(policy.act({1: "far too long " * 90})[1], UserError), "also when none can act"


LETTERS = string.ascii_letters + " .,'"
SPOKEN = {
    "text": spaces.Text(40, charset=LETTERS),
    "short": spaces.Text(3, min_length=2, charset="ab"),
    "two": spaces.Dict(a=spaces.Text(30, charset=LETTERS), b=spaces.Text(30, charset=LETTERS)),
    "mixed": spaces.Dict(say=spaces.Text(30, charset=LETTERS), turn=spaces.Discrete(3), push=spaces.Box(-1, 1, (2,))),
    "tuple": spaces.Tuple([spaces.MultiBinary(2), spaces.Text(20, charset=LETTERS)]),
    "silent": spaces.MultiDiscrete([3, 4]),
}


def speakers(task, text, observation) -> list[ControlTask]:
    """A task of each kind of action, some of them texts."""
    made = {name: TimestepTokenizer(observation, space, Vocabulary(), text) for name, space in SPOKEN.items()}
    return [dataclasses.replace(task, name=name, tokenizer=tokenizer) for name, tokenizer in made.items()]


@torch.no_grad()
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_context_of_text_actions_is_what_training_would_show_of_the_episode(
    unsure_model, task, text, temperature, monkeypatch
):
    """Token for token, and so are the states that actions are drawn from; in lanes whose texts end at different places."""
    tasks = speakers(task, text, spaces.Discrete(9))
    policy = Agent(unsure_model, len(tasks), ActingSettings("none", temperature=temperature, max_text_tokens=6), seed=0)
    drawn_from = []
    extend = policy._streams.extend
    monkeypatch.setattr(policy._streams, "extend", lambda chunks: drawn_from.append(extend(chunks)) or drawn_from[-1])
    for lane, one in enumerate(tasks):
        policy.reset(lane, one, seed=lane)
    seen, done = [[[] for _ in tasks] for _ in range(2)]
    for step in range(5):
        now = {lane: (step + lane) % 9 for lane in range(len(tasks))}
        for lane, action in policy.act(now).items():
            assert tasks[lane].tokenizer.action_space.contains(action)
            seen[lane].append(now[lane])
            done[lane].append(action)
    assert len({len(said) for said in done[0]}) > 1, "texts of several lengths"
    for lane, one in enumerate(tasks):
        columns = stack(one.tokenizer.observation_space, seen[lane]), stack(one.tokenizer.action_space, done[lane])
        shown = slots_of(one.tokenizer.encode_episode(Episode(*columns, np.zeros(5, np.float32), "expert")))
        acted = [np.concatenate([part.ids for part in step]) for step in policy._episodes[lane].history]
        for step, ids in zip(shown, acted, strict=True):
            np.testing.assert_array_equal(step.ids, ids)
        length = sum(len(step.ids) for step in shown)
        batch = collate([shown], length, Vocabulary())
        batch = dataclasses.replace(batch, position=torch.arange(length)[None], segment=torch.ones(1, length, dtype=torch.long))
        states = unsure_model(batch)[0]
        separators = (batch.kinds[0] == Kind.SEPARATOR).nonzero()[:, 0]
        torch.testing.assert_close(torch.stack([each[lane] for each in drawn_from]), states[separators], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("timesteps", [1, 3, None])
def test_lanes_that_write_do_not_touch_each_other_while_their_windows_slide(unsure_model, task, text, timesteps):
    tasks = [dataclasses.replace(one, timesteps=timesteps) for one in speakers(task, text, spaces.Text(99, charset=LETTERS))]
    settings = ActingSettings("none", temperature=1.0, max_text_tokens=12)
    together = Agent(unsure_model, len(tasks), settings, 0)
    alone = [Agent(unsure_model, 1, settings, 0) for _ in tasks]
    for lane, one in enumerate(tasks):
        together.reset(lane, one, seed=lane)
        alone[lane].reset(0, one, seed=lane)
    for step in range(12):
        now = {lane: "a word " * (1 + (step + lane) % 7) for lane in range(len(tasks))}
        for lane, action in together.act(now).items():
            by_itself = alone[lane].act({0: now[lane]})[0]
            assert str(action) == str(by_itself)
            history = together._episodes[lane].history
            assert timesteps is None or len(history) <= timesteps
            assert sum(len(part.ids) for done in history[:-1] for part in done) < unsure_model.config.context_length


def test_a_text_ends_where_the_context_does(unsure_model, task, text):
    """An observation that leaves room for a token or two gets an action of so many, not a fault."""
    words = spaces.Text(2000, charset=LETTERS)
    tokenizer = TimestepTokenizer(words, words, Vocabulary(), text)
    policy = Agent(unsure_model, 1, ActingSettings("none", max_text_tokens=500), seed=0)
    policy.reset(0, dataclasses.replace(task, tokenizer=tokenizer), seed=0)
    for left in (0, 1, 2, 50, 1):
        observation = " a" * (unsure_model.config.context_length - 2 - left)
        acted = policy.act({0: observation})[0]
        if left:
            assert acted in words
            assert len(policy._episodes[0].history[-1][1].ids) <= max(left, 2)
        else:
            assert "tokens is longer than the context of 128" in str(acted)


def test_an_observation_of_more_than_the_local_positions_is_refused_with_both_lengths(tiny_config, text):
    model = Gato(dataclasses.replace(tiny_config, context_length=1024)).eval()
    wide = TimestepTokenizer(spaces.Text(2000), spaces.Discrete(3), Vocabulary(), text)
    just = TimestepTokenizer(spaces.Box(-1, 1, (512,)), spaces.Discrete(3), Vocabulary(), text)
    reference = Reference(1.0, 2)
    policy = Agent(model, 2, dataclasses.replace(GREEDY, prompt="none"), 0)
    for lane, one in enumerate((wide, just)):
        policy.reset(lane, ControlTask(str(lane), "d", None, one, None, None, reference, reference), seed=0)
    words = " a" * 512  # and one for the space before them
    assert len(text.encode(words)) == 513
    acted = policy.act({0: words, 1: np.zeros(512, np.float32)})
    assert str(acted[0]) == "an observation of 513 tokens is longer than the 512 local positions"
    assert acted[1] in range(3)


def test_a_prompt_goes_where_an_observation_needs_its_room(tiny_model, task, text):
    """As in training; the action is that of an episode without a prompt, and no position is taken twice."""
    note = TimestepTokenizer(spaces.Text(2000), spaces.Discrete(3), Vocabulary(), text)
    noted = dataclasses.replace(task, tokenizer=note)
    prompted, bare = (
        Agent(tiny_model, 1, dataclasses.replace(GREEDY, prompt=prompt, prompt_length=30), 0) for prompt in ("start", "none")
    )
    for policy in (prompted, bare):
        policy.reset(0, noted, seed=2)
    assert prompted._episodes[0].prompt_length >= 10
    for words in (110, 5, 5):
        observation = "a " * words
        assert prompted.act({0: observation}) == bare.act({0: observation})


def test_a_reset_lane_forgets(tiny_model, task):
    used, fresh = Agent(tiny_model, 1, GREEDY, 0), Agent(tiny_model, 1, GREEDY, 0)
    used.reset(0, task, seed=5)
    for now in observations(task, 1, 3):
        used.act({0: now[0]})
    used.reset(0, task, seed=1)
    fresh.reset(0, task, seed=1)
    for now in observations(task, 1, 3):
        np.testing.assert_array_equal(used.act({0: now[0]})[0], fresh.act({0: now[0]})[0])


def test_only_ids_of_the_action_space_are_drawn(tiny_model, task):
    policy = Agent(tiny_model, 8, dataclasses.replace(GREEDY, temperature=5.0), 0)
    for lane in range(8):
        policy.reset(lane, task, seed=lane)
    for now in observations(task, 8, 4):
        actions = policy.act(dict(enumerate(now)))
        assert all(task.tokenizer.action_space.contains(np.asarray(action, np.int64)) for action in actions.values())


@pytest.mark.parametrize("prompt", ["start", "end", "none"])
def test_prompts_are_whole_timesteps_of_a_demonstration(tiny_model, task, prompt):
    policy = Agent(tiny_model, 1, ActingSettings(prompt, prompt_length=30), 0)
    store = task.demonstrations
    for seed in range(12):
        policy.reset(0, task, seed)
        if prompt == "none":
            assert policy._episodes[0].pending == []
            continue
        [slots] = policy._episodes[0].pending
        starts = [np.asarray(store.first_slot)[t] for t in range(store.num_timesteps)]
        begin = next(s for s in starts if np.array_equal(store.ids[s : s + len(slots.ids)], slots.ids))
        step = starts.index(begin)
        end = step + len(slots.ids) // 10
        border = step if prompt == "start" else end
        assert border in store.first_timestep
        assert end - step <= 3


def test_prompts_are_as_long_as_in_training_unless_told_otherwise(tiny_model, task):
    def slots(trained, wanted):
        policy = Agent(tiny_model, 1, ActingSettings(prompt_length=wanted), 0)
        policy.reset(0, dataclasses.replace(task, prompt_length=trained), seed=3)
        [prompt] = policy._episodes[0].pending
        return len(prompt.ids)

    assert slots(trained=10, wanted=None) == 10 == slots(trained=20, wanted=10)
    assert slots(trained=20, wanted=None) == 20 == slots(trained=10, wanted=20)


def test_prompts_come_from_successful_demonstrations(tiny_model, task):
    # The store's returns are 0, 1, 18 and 9; the first number of an observation is the episode's index / 10.
    task = dataclasses.replace(task, expert=Reference(18.0, 2), random=Reference(0.0, 2))
    assert task.successful.tolist() == [2]
    best_of_poor = dataclasses.replace(task, expert=Reference(1000.0, 2))
    assert best_of_poor.successful.tolist() == [2]
    policy = Agent(tiny_model, 1, ActingSettings("start", prompt_length=10), 0)
    first = int(task.demonstrations.first_slot[task.demonstrations.first_timestep[2]])
    for seed in range(5):
        policy.reset(0, task, seed)
        [slots] = policy._episodes[0].pending
        np.testing.assert_array_equal(slots.ids, task.demonstrations.ids[first : first + len(slots.ids)])


def test_temperature_draws_by_the_softmax(tiny_model):
    states = torch.randn(1, 32).expand(4000, 32)
    generator = torch.Generator().manual_seed(0)
    ids = choose(tiny_model, states, 10, 3, 1.0, torch.rand(4000, generator=generator))
    share = torch.bincount(ids - 10, minlength=3) / 4000
    expected = tiny_model.logits(states[0])[10:13].softmax(-1)
    torch.testing.assert_close(share, expected, atol=0.03, rtol=0)
