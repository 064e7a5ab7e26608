"""The commands that write, on a checkpoint that a real fit left."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.acting.writer import Writer
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from run import main
from tests.callbacks.fits import mixture, module, trainer

SHORT = DecodingSettings(4)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fit")
    fit = trainer(folder, 1)
    fit.fit(module(), mixture())
    fit.save_checkpoint(folder / "logs" / "last.ckpt")
    return folder / "logs" / "last.ckpt"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_trained_model_writes_the_same_about_a_file_its_bytes_and_its_pixels(checkpoint: Path, photo: Path):
    writer = Writer.from_checkpoint(checkpoint)
    same = writer.caption([str(photo), photo, photo.read_bytes(), np.asarray(Image.open(photo))], SHORT)
    assert len(set(same)) == 1
    assert set(writer.images) == {"emoji", "scenes"}
    with pytest.raises(UserError, match="unknown task with images 'emojis'; did you mean emoji"):
        writer.caption([photo], SHORT, task="emojis")
    with pytest.raises(UserError, match="1 images and 2 questions"):
        writer.answer([photo], ["a", "b"])
    assert writer.generate(["Document 3 says", "x"], SHORT) == [
        writer.generate([one], SHORT)[0] for one in ("Document 3 says", "x")
    ]


@pytest.mark.parametrize("resize", ["fit", "keep"])
def test_images_of_different_sizes_are_written_about_side_by_side(checkpoint: Path, resize):
    writer = Writer.from_checkpoint(checkpoint)
    writer.images = {"photos": ("captions", ImageSettings(resize, 48, 48))}
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((32, 48), (48, 20), (32, 48))]
    assert writer.caption(pictures, SHORT) == [writer.caption([one], SHORT)[0] for one in pictures]
    asked = ["what is it?", "and this one over there?", "it?"]
    alone = [writer.answer([one], [question], SHORT)[0] for one, question in zip(pictures, asked, strict=True)]
    assert writer.answer(pictures, asked, SHORT) == alone


def test_an_image_of_more_patches_than_the_context_is_refused(checkpoint: Path):
    writer = Writer.from_checkpoint(checkpoint)
    writer.images = {"photos": ("captions", ImageSettings("keep"))}
    with pytest.raises(UserError, match="a prompt of 514 tokens leaves no room for a text in a context of 64"):
        writer.caption([np.zeros((16, 16 * 513, 3), np.uint8)], SHORT)


def test_commands_print_what_the_model_writes(checkpoint: Path, photo: Path, capsys, monkeypatch):
    writer = Writer.from_checkpoint(checkpoint)
    monkeypatch.chdir(checkpoint.parent.parent)
    main(["caption", str(photo), str(photo), "--max_new_tokens", "4"])  # the newest checkpoint below logs
    [text] = writer.caption([photo], SHORT)
    shown = capsys.readouterr()
    assert shown.out == f"{photo}: {text}\n" * 2
    assert "logs/last.ckpt" in shown.err
    main(["answer", str(photo), "what is it?", "--ckpt_path", str(checkpoint), "--beams=2", "--max_new_tokens=4"])
    assert capsys.readouterr().out == writer.answer([photo], ["what is it?"], DecodingSettings(4, beams=2))[0] + "\n"


def test_chat_reads_lines_shows_pictures_and_survives_a_wrong_name(checkpoint: Path, photo: Path, capsys, monkeypatch):
    lines = ["/image nowhere.png", "what is this", f"/image {photo}", "and this", "/quit", "never read"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))
    main(["chat", "--ckpt_path", str(checkpoint), "--max_new_tokens", "3"])
    shown = capsys.readouterr()
    assert "nowhere.png: no such file" in shown.err
    assert shown.out.endswith("\n")
    assert shown.out.strip()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["caption"], "images"),
        (["caption", "nowhere.png", "--ckpt_path", "CHECKPOINT"], "image nowhere.png: no such file"),
        (["caption", "a.png", "--temperature=-1", "--ckpt_path", "CHECKPOINT"], "temperature: -1.0, expected"),
        (["caption", "a.png"], "no checkpoint below logs"),
        (["chat", "--ckpt_path", "nowhere.ckpt"], "nowhere.ckpt does not exist"),
        (["tokenizer", "nowhere"], "text source nowhere"),
        (["tokenizer"], "missing: texts"),
        (["caption", "photo.jpg", "--seed", "-1"], "seed: -1"),
    ],
)
def test_a_mistake_ends_with_one_line(checkpoint: Path, tmp_path: Path, capsys, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main([str(checkpoint) if arg == "CHECKPOINT" else arg for arg in args])
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_another_tokenizer_than_the_checkpoints_is_refused(checkpoint: Path, tmp_path: Path):
    from tests.gato_lightning.tokens.test_tokenizer_training import words

    (tmp_path / "a.txt").write_text("\n".join(" ".join(words(12_000)[i : i + 12]) for i in range(0, 12_000, 12)))
    main(["tokenizer", str(tmp_path), "--output", str(tmp_path / "own.model")])
    with pytest.raises(UserError, match=r"own.model: not the one that the checkpoint was trained with \(sha256 [0-9a-f]{12}"):
        Writer.from_checkpoint(checkpoint, str(tmp_path / "own.model"))
