"""The advice is one loss for any answers, runs as printed, and says nothing that the tables do not."""

import ast
import itertools
import json
import re
from pathlib import Path

import pytest
import torch

import rankbook as rb
from rankbook import experiments
from rankbook.advice import LOSSES, QUESTIONS, RULES, START, advise, pack, rows
from rankbook.advice.against import AGAINST, Against, compared, verdicts
from rankbook.advice.answer import PIXELS, facts, find, holds
from rankbook.advice.board import short, shown, standing, told
from rankbook.advice.rules import NEAR
from rankbook.archive import REPOSITORY
from rankbook.experiments.batch_losses import rs_at_k
from rankbook.experiments.studies import studies
from rankbook.experiments.tables import stored_table

EVIDENCE, COSTS, BOARD = (stored_table(name) for name in ("evidence", "bench_cuda", "leaderboard"))
BOOK = pack(EVIDENCE, COSTS, BOARD)
ANSWERS = [
    dict(zip([question["name"] for question in QUESTIONS], values, strict=True))
    for values in itertools.product(*([value for value, _ in question["options"]] for question in QUESTIONS))
]


def by(loss, rival, metric):
    return find(EVIDENCE, loss, rival, metric)["verdict"]


def test_exactly_one_rule_holds_for_any_answers():
    counts = {sum(holds(rule, facts(answers)) for rule in RULES) for answers in ANSWERS}
    assert counts == {1}
    assert {holds(rule, facts(answers)) for rule in RULES for answers in ANSWERS} == {True, False}


def test_every_rule_and_note_is_reached():
    for part in ("rules", "notes"):
        assert all(any(holds(one, facts(answers)) for answers in ANSWERS) for one in BOOK[part])


def test_questions_that_are_not_asked_change_nothing():
    for answers in ANSWERS:
        if answers["train"] == "scores":
            shown = {question["name"] for question in QUESTIONS if holds({"when": question.get("when", {})}, answers)}
            assert shown == {"metric", "train"}
            assert advise(BOOK, answers) == advise(BOOK, {**START, **{name: answers[name] for name in shown}})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: "-".join([*rule["when"]["metric"], *rule["when"]["train"], rule["loss"]]))
def test_the_code_of_a_rule_runs_and_has_a_gradient(rule):
    if "pytorch_metric_learning" in rule["code"]:
        pytest.importorskip("pytorch_metric_learning")
    names = {"rb": rb}
    exec(rule["code"], names)
    assert rule["loss"] in rule["code"]
    rng = torch.Generator().manual_seed(0)
    if rule["loss"] in {"as_loss", "SpearmanLoss"}:
        inputs = torch.randn(3, 20, generator=rng)
        target = torch.randint(0, 2, (3, 20), generator=rng)
    else:
        inputs = torch.nn.functional.normalize(torch.randn(16, 8, generator=rng), dim=1)
        target = torch.arange(16) // 4
        target = torch.stack([target, target // 2], 1) if "yes" in rule["when"].get("graded", ()) else target
    inputs.requires_grad_()
    names["loss_fn"](inputs, target).backward()
    assert inputs.grad.abs().max() > 1e-4


def test_the_knobs_of_a_rule_are_those_that_the_studies_chose():
    chosen = {name: study.results().chosen for name, study in studies().items()}
    code = {rule["loss"]: rule["code"] for rule in RULES if "embeddings" in rule["when"]["train"]}
    assert f"beta={chosen['smooth_ap']['multi-similarity']['beta']:g})" in code["MultiSimilarityLoss"]
    for study, loss, name in (("smooth_ap", "Smooth-AP", "SmoothAPLoss"), ("hierarchies", "smooth NDCG", "SmoothNDCGLoss")):
        assert f"{name}(tau={chosen[study][loss]['tau']:g})" in code[name]
    assert f"tau_score={rs_at_k().tau_score:g})" in code["RecallAtKLoss"]
    sup = studies()["hierarchies"].contenders["SupH-AP"].make(chosen["hierarchies"]["SupH-AP"]["tau"])
    assert f"tau={sup.tau:g}, rho={sup.rho:.0f}, delta={sup.delta:g})" in code["SupHAPLoss"]


def test_what_a_rule_claims_is_what_the_table_says():
    study, tree = studies()["smooth_ap"], studies()["hierarchies"]
    assert 2 * study.task.classes * study.task.per_class == NEAR
    for metric in ("AP", "mAP@R", "R@1"):  # "ahead of every loss of ranks"
        assert all(by("multi-similarity", rival, metric) == "ahead" for rival in ("Smooth-AP", "SupAP", "smooth NDCG"))
    for metric in ("H-AP", "NDCG"):  # "ahead of every loss beside it", "on NDCG too"
        assert all(by("SupH-AP", rival, metric) == "ahead" for rival in tree.contenders if rival != "SupH-AP")
        assert by("smooth NDCG", "Smooth-AP", metric) == "ahead"
    for metric in ("AP", "R@1"):  # "it costs AP on the class", and the note
        assert by("SupH-AP", "Smooth-AP", metric) == by("SupH-AP", "smooth NDCG", metric) == "behind"


def test_a_line_that_is_missing_is_named():
    about = (EVIDENCE[["loss", "rival"]] == "SupAP").any(axis=1) & (EVIDENCE["metric"] == "mAP@R")
    with pytest.raises(KeyError, match="no evidence for multi-similarity against SupAP by mAP@R"):
        pack(EVIDENCE[~about], COSTS, BOARD)


def test_evidence_is_read_both_ways():
    one, other = find(EVIDENCE, "SupAP", "Smooth-AP", "AP"), find(EVIDENCE, "Smooth-AP", "SupAP", "AP")
    assert (one["mean"], one["low"], one["high"]) == (-other["mean"], -other["high"], -other["low"])
    assert {one["verdict"], other["verdict"]} == {"ahead", "behind"}
    both = {"multi-similarity", "Smooth-AP"}
    lines = EVIDENCE[EVIDENCE["loss"].isin(both) & EVIDENCE["rival"].isin(both) & (EVIDENCE["metric"] == "AP")]
    assert lines["seeds"].nunique() > 1 and lines["data"].nunique() > 1  # the most seeds, on the set of the rules
    for way in (tuple(both), tuple(both)[::-1]):
        assert (find(EVIDENCE, *way, "AP")["seeds"], find(EVIDENCE, *way, "AP")["data"]) == (lines["seeds"].max(), "emoji")


def test_what_the_rules_speak_of_is_one_network():
    """A study of another network has lines of the same losses on the same set, and they are not mixed."""
    assert PIXELS in studies() and {"pixels"} == {*BOARD.loc[BOARD["study"] == PIXELS, "network"]}
    others = EVIDENCE[EVIDENCE["study"] == PIXELS]
    line = others.iloc[0]
    turned = EVIDENCE.assign(mean=EVIDENCE["mean"].where(EVIDENCE["study"] != PIXELS, 9.0))
    for evidence in (EVIDENCE, turned, turned.iloc[::-1]):
        assert abs(find(evidence, line["loss"], line["rival"], line["metric"])["mean"]) < 1


def test_the_cost_is_that_of_the_nearest_batch():
    line = COSTS[(COSTS["what"] == "RecallAtKLoss") & (COSTS["size"] == "B=4096, d=512")].iloc[0]
    said = advise(BOOK, {**START, "metric": "recall", "classes": "1024", "per_class": "4"})
    assert said["cost"] == [4096, line["milliseconds"], line["megabytes"]]
    assert advise(BOOK, {**START, "metric": "recall"})["cost"][0] == 1024
    assert advise(BOOK, START)["cost"] == []


def test_every_loss_has_its_line():
    assert sorted(LOSSES) == sorted(rb.losses.__all__), "a public loss without a line in rankbook/advice/losses.py"
    assert {facts.board for facts in LOSSES.values()} - {""} <= {*BOARD["loss"]}
    table = {row[0]: row for row in rows(BOOK, EVIDENCE, BOARD)}
    assert table["SmoothAPLoss"][4] == short(BOARD, "Smooth-AP") != "" and table["ROADMAPLoss"][4] == short(BOARD, "ROADMAP")
    assert table["SupRecallLoss"][3:] == ["6.4 ms, 72 MB", "not measured"]
    for name in ("ListNetLoss", "ListMLELoss"):  # in no study and not timed
        assert table[name][3:] == [f"not timed; holds {LOSSES[name].holds}", "not measured"]


def test_a_loss_that_a_study_trains_is_not_called_unmeasured():
    """By what the studies import and build, not by what the advice says of them."""
    folder = Path(experiments.__file__).parent
    trained = {
        alias.name
        for path in (*folder.glob("*.py"), *folder.glob("studies/*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "rankbook.losses"
        for alias in node.names
    }
    assert {"RankNetLoss", "SpearmanLoss", "PairwiseHashLoss"} < trained
    table = {row[0]: row[4] for row in rows(BOOK, EVIDENCE, BOARD)}
    assert {name for name, said in table.items() if said == "not measured"} & trained == set()


@pytest.mark.parametrize("name", AGAINST)
def test_what_a_loss_is_measured_against_is_its_study_s_reference(name):
    """The contender is built of the loss, the metric is the one that chose, and the rival has its own name or that of the page."""
    public = getattr(rb, name)
    for question in AGAINST[name]:
        for study_name, loss, rival in question.lines:
            study = studies()[study_name]
            contender = study.contenders[loss]
            built = contender.make(**{knob: values[0] for knob, values in contender.grid.items()})
            parts = [*built.modules()] + [one for part in built.modules() for one in vars(part).values()]
            assert any(isinstance(one, public) for one in parts), (loss, name)
            assert question.metric == study.choose_by
            assert rival == study.reference or rival in study.contenders
    said = verdicts(EVIDENCE, question)
    assert set(said) <= {"ahead", "tied", "behind"} and all(said.values())


def test_a_verdict_is_what_the_interval_says():
    question = AGAINST["SupHAPLoss"][0]
    for study in ("hierarchies", "hierarchical_retrieval"):
        for data, lines in EVIDENCE[(EVIDENCE["study"] == study) & (EVIDENCE["metric"] == "H-AP")].groupby("data"):
            (line,) = (one for one in lines.to_dict("records") if {one["loss"], one["rival"]} == {"SupH-AP", "Smooth-AP"})
            low = line["low"] if line["loss"] == "SupH-AP" else -line["high"]
            name = {"emoji": "emoji", "cub": "birds", "grocery": "groceries"}[data]
            assert (name in verdicts(EVIDENCE, question)["ahead"]) == (low > 0)
    other = Against("H-AP", "Smooth-AP", "SupH-AP", tuple((study, rival, loss) for study, loss, rival in question.lines))
    assert compared(EVIDENCE, other) == "H-AP against SupH-AP: ahead on birds, behind on emoji and groceries"
    with pytest.raises(KeyError, match="no evidence for SupH-AP against nobody by H-AP in hierarchies"):
        verdicts(EVIDENCE, Against("H-AP", "SupH-AP", "nobody", (("hierarchies", "SupH-AP", "nobody"),)))


def test_a_standing_is_what_the_leaderboard_says():
    """Counted here by a loop over its lines."""
    for loss, metric in {rule["board"] for rule in RULES if "board" in rule}:
        for network, one in standing(BOARD, loss, metric).items():
            good, behind_on, losses = [], [], set()
            for line in BOARD.to_dict("records"):
                if line["network"] == network and line["metric"] == metric:
                    losses.add(line["loss"])
                    if line["loss"] == loss:
                        (behind_on if line["behind_high"] < 0 else good).append(line["data"])
            assert (one["good"], one["behind"], one["losses"]) == (good, behind_on, len(losses))
            assert f"by {shown(metric)}: best or tied with the best on {len(good)} of {len(good) + len(behind_on)} set" in told(
                BOARD, loss, metric
            )


def test_every_rule_that_was_measured_on_several_sets_says_so():
    told_by_rule = {rule["loss"]: rule["standing"] for rule in BOOK["rules"]}
    assert all(told_by_rule[loss] for loss in ("MultiSimilarityLoss", "SmoothAPLoss", "RecallAtKLoss"))
    tree = advise(BOOK, {**START, "metric": "H-AP", "graded": "yes"})["standing"]
    assert "SupH-AP against Smooth-AP by H-AP: ahead on emoji and groceries, behind on birds." in tree and "Half and half" in tree
    assert "squared error" in told_by_rule["SpearmanLoss"]
    assert told(BOARD, "nothing", "mAP@R") == short(BOARD, "nothing") == ""


def test_a_chapter_that_a_rule_names_is_one():
    titles = set()
    for path in (REPOSITORY / "book").glob("*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        titles |= {*re.findall(r"^# (.+)$", "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"), re.M)}
    named = {
        title for one in (*BOOK["rules"], *BOOK["notes"]) for title in re.findall(r'chapter "([^"]+)"', json.dumps(one).replace('\\"', '"'))
    }
    assert {"Hierarchical retrieval", "Recall@k on large batches", "Ranking by a score: memorability"} <= named <= titles
