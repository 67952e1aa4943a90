"""The readers of memorability: tiny folders in the public layouts, with the damage that real copies show."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat

import rankbook as rb

HEAD = "video,short-term_memorability,nb_short-term_annotations,long-term_memorability,nb_long-term_annotations"
LINES = ["video10.webm,0.950,34,0.900,10", "video2.webm,0.700,33,0.500,8", "video3.webm,0.700,35,,0"]
CAPTIONS = ["video10.webm\tcouple-on-a-picnic", "video2.webm\tblack-and-white-cats", "video3.webm\towl-in-a-tree", "video7.webm\tno-score"]


def write_videomem(root, lines=(HEAD, *LINES), captions=CAPTIONS):
    """As it comes: a byte-order mark and CRLF."""
    (root / "ground-truth_dev-set.csv").write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    (root / "dev-set_video-captions.txt").write_bytes(("\r\n".join(captions) + "\r\n\r\n").encode())
    return root


def write_lamem(root, lines=("00000002.jpg 0.720000", "00000001.jpg 0.640000"), name="train_1"):
    (root / "splits").mkdir(exist_ok=True), (root / "images").mkdir(exist_ok=True)
    (root / "splits" / f"{name}.txt").write_bytes("\r\n".join(lines).encode())
    for at, color in ((1, "tan"), (2, "navy")):
        Image.new("RGB", (40, 30), color).save(root / "images" / f"0000000{at}.jpg")
    return root


HALVES = np.random.default_rng(0).random((2, 25, 3)).round(3)


def write_lnsim(root, halves=HALVES):
    (root / "Image_data").mkdir(exist_ok=True), (root / "Random_splits").mkdir(exist_ok=True)
    for name in ("0010", "0002", "0003"):
        Image.new("RGB", (40, 30), "tan").save(root / "Image_data" / f"{name}.jpg")
    for at, half in enumerate(halves, 1):
        savemat(root / "Random_splits" / f"subject_hrs{at}.mat", {f"subject_hrs{at}": half})
    return root


def write_features(path, names, x, key="video"):
    np.savez(path, **{key: np.array(names), "X": np.asarray(x)})


def test_videomem_reads_what_the_file_says(tmp_path):
    data = rb.datasets.videomem(write_videomem(tmp_path))
    expected = torch.tensor([[0.95, 0.9], [0.7, 0.5], [0.7, torch.nan]])
    assert torch.allclose(data.targets, expected, equal_nan=True) and data.targets.dtype == torch.float32
    assert data.table["video"].tolist() == ["video10.webm", "video2.webm", "video3.webm"]
    assert data.inputs.tolist() == data.table["caption"].tolist() == ["couple on a picnic", "black and white cats", "owl in a tree"]
    assert data.table["short_annotations"].tolist() == [34, 33, 35] and data.table["long_annotations"].tolist() == [10, 8, 0]
    scored = data[~data.targets[:, 1].isnan()]
    assert len(scored) == 2 and scored.inputs.tolist() == ["couple on a picnic", "black and white cats"]


def test_a_video_without_a_caption_is_named(tmp_path):
    with pytest.warns(UserWarning, match=r"2 of 3 videos in .* have no caption: video10.webm, video3.webm"):
        data = rb.datasets.videomem(write_videomem(tmp_path, captions=["video2.webm\tblack-and-white-cats", "video3.webm\t"]))
    assert data.inputs.tolist() == ["", "black and white cats", ""]


def test_the_same_line_twice_is_no_matter(tmp_path):
    data = rb.datasets.videomem(write_videomem(tmp_path, (HEAD, *LINES, LINES[0]), [*CAPTIONS, CAPTIONS[0]]))
    assert len(data) == 3


def test_features_stand_in_for_the_captions(tmp_path):
    write_videomem(tmp_path)
    write_features(tmp_path / "net.npz", ["video3.webm", "other.webm", "video10.webm"], np.float16([[3, 3], [0, 0], [1, 1]]))
    with pytest.warns(UserWarning, match="1 of 3 samples have no features in .*net.npz and are left out: video2.webm"):
        data = rb.datasets.videomem(tmp_path, features="net.npz")
    assert data.inputs.tolist() == [[1, 1], [3, 3]] and data.inputs.dtype == torch.float32
    assert data.table["video"].tolist() == ["video10.webm", "video3.webm"]
    assert torch.allclose(data.targets[:, 0], torch.tensor([0.95, 0.7]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lines": ("video,score", "video1.webm,0.5")}, "must have the columns video,short-term_memorability"),
        ({"lines": ("",)}, "must have the columns"),
        ({"lines": (HEAD,)}, "at least one video, got none; .*after registration"),
        ({"lines": (HEAD, LINES[0], "video2.webm,0.7,33,0.5")}, "line 3 of .* must have a video and 4 numbers"),
        (
            {"lines": (HEAD, "video2.webm,n/a,33,0.5,8")},
            "short-term_memorability must be a number from 0 to 1, or empty, got 'n/a' in line 2",
        ),
        ({"lines": (HEAD, "video2.webm,0.7,33,95,8")}, "long-term_memorability must be a number from 0 to 1, or empty, got '95' in line 2"),
        ({"lines": (HEAD, "video2.webm,0.7,many,0.5,8")}, "how many people were asked must be a whole number, got 'many' in line 2"),
        ({"lines": (HEAD, *LINES, LINES[0].replace("0.950", "0.951"))}, "says two things of video10.webm, in lines 2 and 5"),
        ({"captions": [*CAPTIONS, "video2.webm\twhite-cats"]}, "says two things of video2.webm, in lines 2 and 5"),
    ],
)
def test_a_file_that_says_something_else_is_refused(tmp_path, changes, said):
    with pytest.raises(ValueError, match=said):
        rb.datasets.videomem(write_videomem(tmp_path, **changes))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    write_videomem(tmp_path)
    (tmp_path / "dev-set_video-captions.txt").write_bytes(b"video10.webm\t\xff\xfe")
    with pytest.raises(ValueError, match="must be text in UTF-8"):
        rb.datasets.videomem(tmp_path)


@pytest.mark.parametrize(
    ("names", "x", "said"),
    [
        (["video9.webm"], [[1.0]], "it knows none, only names such as video9.webm"),
        (["video2.webm", "video2.webm"], [[1.0], [2.0]], "must have each name once, got 2 names of which 1 differ"),
        (["video2.webm"], [1.0], r"must hold names \[m\] and numbers X \[m, d\]"),
        (["video2.webm"], [[np.nan]], "must hold finite features, but those of video2.webm are not"),
        ([None], [[1.0]], "is damaged: Object arrays"),
    ],
)
def test_features_of_something_else_are_refused(tmp_path, names, x, said):
    write_videomem(tmp_path)
    write_features(tmp_path / "net.npz", names, x)
    with pytest.raises(ValueError, match=said):
        rb.datasets.videomem(tmp_path, features="net.npz")


def test_features_that_are_missing_are_told_how_to_make(tmp_path):
    """By the column that this table has."""
    with pytest.raises(FileNotFoundError, match=r'must hold net\.npz.*np\.savez\(path, video=samples\.table\["video"\]'):
        rb.datasets.videomem(write_videomem(tmp_path), features="net.npz")


def test_features_that_are_cut_are_refused(tmp_path):
    write_videomem(tmp_path)
    write_features(tmp_path / "net.npz", ["video2.webm"], [[1.0]])
    (tmp_path / "net.npz").write_bytes((tmp_path / "net.npz").read_bytes()[:100])
    with pytest.raises(ValueError, match=r"net\.npz is damaged"):
        rb.datasets.videomem(tmp_path, features="net.npz")


def test_lamem_reads_a_split(tmp_path):
    data = rb.datasets.lamem(write_lamem(tmp_path), size=8)
    assert torch.allclose(data.targets, torch.tensor([0.72, 0.64])) and data.table["image"].tolist() == ["00000002.jpg", "00000001.jpg"]
    navy, tan = data.inputs[torch.tensor([0, 1])].mean((2, 3))
    assert navy[2] > navy[0] and tan[0] > tan[2], "the pictures are in the order of the scores"
    write_lamem(tmp_path, ["00000001.jpg 0.64"], "test_3")
    assert len(rb.datasets.lamem(tmp_path, "test", split=3)) == 1
    write_features(tmp_path / "net.npz", ["00000001.jpg", "00000002.jpg"], [[1.0], [2.0]], "image")
    assert rb.datasets.lamem(tmp_path, features="net.npz").inputs.tolist() == [[2.0], [1.0]]


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"part": "validation"}, ValueError, "part must be"),
        ({"split": 6}, ValueError, "split must be"),
        ({"split": 2}, FileNotFoundError, r"root must hold splits/train_2.txt.*memorability.csail.mit.edu"),
    ],
)
def test_lamem_refuses_other_parts(tmp_path, arguments, kind, said):
    with pytest.raises(kind, match=said):
        rb.datasets.lamem(write_lamem(tmp_path), **arguments)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["00000001.jpg"], "line 1 of .* must be a picture and its score"),
        (["00000001.jpg 72"], "the score must be a number from 0 to 1"),
        (["00000001.jpg 0.7", "00000001.jpg 0.8"], "says two things of 00000001.jpg, in lines 1 and 2"),
        ([], "at least one picture"),
    ],
)
def test_lamem_refuses_other_lines(tmp_path, lines, said):
    with pytest.raises(ValueError, match=said):
        rb.datasets.lamem(write_lamem(tmp_path, lines))


def test_lnsim_reads_both_halves(tmp_path):
    data = rb.datasets.lnsim(write_lnsim(tmp_path), size=8)
    assert data.table["image"].tolist() == ["0002.jpg", "0003.jpg", "0010.jpg"], "the order of the columns is that of the names"
    assert data.targets.shape == (3, 2, 25) and data.inputs[[0]].shape == (1, 3, 8, 8)
    for picture in range(3):
        for half in range(2):
            for split in (0, 24):
                assert data.targets[picture, half, split].item() == pytest.approx(HALVES[half, split, picture])


def test_lnsim_in_one_file_is_the_same(tmp_path):
    folder = rb.datasets.lnsim(write_lnsim(tmp_path))
    np.savez(tmp_path / "lnsim.npz", name=["0002.jpg", "0003.jpg", "0010.jpg"], half1=HALVES[0], half2=HALVES[1], X=np.eye(3, 4))
    packed = rb.datasets.lnsim(tmp_path)
    assert torch.equal(packed.targets, folder.targets) and torch.equal(packed.inputs, torch.eye(3, 4))


@pytest.mark.parametrize(
    ("halves", "said"),
    [
        (HALVES[:, :, :2], r"for the 3 pictures, got \(25, 2\) and \(25, 2\)"),
        ([HALVES[0], HALVES[1, :4]], r"got \(25, 3\) and \(4, 3\)"),
        (HALVES * 100, "scores from 0 to 1"),
        (HALVES * np.nan, "scores from 0 to 1"),
    ],
)
def test_lnsim_refuses_other_tables(tmp_path, halves, said):
    with pytest.raises(ValueError, match=said):
        rb.datasets.lnsim(write_lnsim(tmp_path, halves))


def test_lnsim_refuses_a_damaged_table(tmp_path):
    path = write_lnsim(tmp_path) / "Random_splits" / "subject_hrs2.mat"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match="must be a file of MATLAB"):
        rb.datasets.lnsim(tmp_path)


@pytest.mark.parametrize("reader", [rb.datasets.videomem, rb.datasets.lamem, rb.datasets.lnsim])
def test_what_is_missing_is_named_with_where_to_ask(reader, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"root must hold .*; .*(registration|memorability.csail.mit.edu|GitHub)"):
        reader(tmp_path)
    with pytest.raises(NotADirectoryError, match=r"root must be a folder, such as .*missing"):
        reader(tmp_path / "elsewhere")
    (tmp_path / "a").touch()
    with pytest.raises(NotADirectoryError, match="a file"):
        reader(tmp_path / "a")
    with pytest.raises(TypeError, match="root must be a path"):
        reader(None)
