from pathlib import Path

from callbacks.text_samples import TextSamples, split_opening
from tests.callbacks.fits import logged, mixture, module, trainer


def test_a_fit_logs_continuations_of_held_out_openings(tmp_path: Path):
    samples = TextSamples(every_n_steps=2, samples=2, opening_words=5, max_new_tokens=4)
    tasks = mixture()
    trainer(tmp_path, 3, samples).fit(module(), tasks)
    held_out = [text for (text,) in tasks.tasks["prose"].datamodule.generation().references]
    assert set(samples.written) == {"prose"}
    for opening, _, rest in samples.written["prose"]:
        assert f"{opening} {rest}" in held_out
    assert [event.step for event in logged(tmp_path).Tensors("samples/prose/text_summary")] == [2, 3]


def test_an_opening_is_so_many_words_or_half_of_a_short_text():
    assert split_opening("one two  three\nfour five six seven", 3) == ("one two  three", "four five six seven")
    assert split_opening("one two three four", 10) == ("one two", "three four")
    assert split_opening("one", 10) == ("one", "")
