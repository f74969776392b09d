"""MAD: weights by hand, what counts where, its controls, its experts and their adaptive stage, and whole runs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import understudy as us
import vl_toy
from understudy.batches.batch import Batch
from understudy.batches.loader import Loader
from understudy.corpus import Corpus, make_split
from understudy.methods import MAD, Supervised
from understudy.methods.mad_experts import ExpertHeads
from understudy.methods.mad_weights import agreement, confidences, relative, trust, truth
from understudy.methods.method import Method
from understudy.models.experts import Experts
from understudy.models.fusion import Beside
from understudy.models.model import Model
from understudy.players.options import whole_options
from understudy.tasks import Classification, Task
from understudy.teachers.stored import Stored
from understudy.teachers.teacher import Frozen
from understudy.teachers.writer import write_store
from understudy.training.plan import Plan
from vl_toy import ANSWERS, CHOICE, CLASSES, NUMBER, stored, student_of, teacher_of

TASKS = {"classification": CLASSES, "choice": CHOICE, "multilabel": ANSWERS, "regression": NUMBER}
EVERY = pytest.mark.parametrize("kind", TASKS)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> dict[str, Corpus]:
    folder = tmp_path_factory.mktemp("mad")
    return {kind: vl_toy.corpus_of(folder / kind, task) for kind, task in TASKS.items()}


@pytest.fixture(scope="module")
def answers(corpora, tmp_path_factory) -> dict[str, Stored]:
    folder = tmp_path_factory.mktemp("answers")
    return {kind: Stored(stored(folder / kind, each, teacher_of(each))) for kind, each in corpora.items()}


def batch_of(corpus: Corpus, method: Method, *, labelled: list[int] | None = None, rows: int = 24) -> Batch:
    loader = Loader(corpus, range(rows), method.views(), task=corpus.task, batch_size=rows, labelled=labelled, shuffle=False)
    return next(iter(loader.batches(0)))


def figures(method: Method, batch: Batch) -> dict[str, tuple[float, float]]:
    return {name: (float(t.total.detach()), float(t.count)) for name, t in method(batch).items()}


def trained(method: Method, corpus: Corpus, *, steps: int = 4) -> dict[str, torch.Tensor]:
    method.train()
    optimiser = torch.optim.AdamW([{"params": g.parameters} for g in method.groups()], lr=1e-2)
    rows = Loader(corpus, range(24), method.views(), task=corpus.task, batch_size=6, seed=0)
    for step, batch in zip(range(steps), rows.batches(0), strict=False):
        method.step = step
        optimiser.zero_grad()
        torch.stack([t.total / t.count.clamp(min=1) for t in method(batch).values()]).sum().backward()
        optimiser.step()
    return {key: value.detach().clone() for key, value in method.student.state_dict().items()}


@EVERY
def test_weight_zero_is_plain_training_bit_for_bit_and_else_it_is_not(kind, corpora, answers):
    corpus = corpora[kind]
    plain = trained(Supervised(student_of(corpus)), corpus)
    off = trained(MAD(student_of(corpus), answers[kind], weight=0.0), corpus)
    on = trained(MAD(student_of(corpus), answers[kind]), corpus)
    assert plain.keys() == off.keys() == on.keys()
    assert all(torch.equal(plain[key], off[key]) for key in plain)
    assert not all(torch.equal(plain[key], on[key]) for key in plain)


@EVERY
@pytest.mark.parametrize("selection", ["topk", "sampled"])
def test_stored_answers_teach_what_the_frozen_teacher_teaches(kind, selection, corpora, answers):
    corpus = corpora[kind]
    found = []
    for teacher in (Frozen(teacher_of(corpus)), answers[kind]):
        torch.manual_seed(0)
        method = MAD(student_of(corpus), teacher, selection=selection).eval()
        found.append(figures(method, batch_of(corpus, method)))
    assert found[0].keys() == found[1].keys() == {"supervised", "text_vector", "image_vector", "text_tokens"}
    for name, (total, count) in found[0].items():
        assert found[1][name] == (pytest.approx(total, rel=1e-4), count)
        assert total > 0
    assert found[0]["text_vector"][1] == (72 if kind == "choice" else 24), "of choices, each text counts"


@pytest.mark.parametrize("kind", ["classification", "choice"])
@pytest.mark.parametrize("regions", ["topk", "random"])
def test_regions_of_the_picture_are_taught_live_or_stored_alike(kind, regions, corpora, tmp_path):
    """The student's picture has four patches, the teacher's sixteen."""
    corpus, found = corpora[kind], []
    teacher = teacher_of(corpus, patch=2)
    for given in (Frozen(teacher), Stored(stored(tmp_path / "store", corpus, teacher))):
        torch.manual_seed(0)
        method = MAD(student_of(corpus, patch=4), given, regions=regions).eval()
        found.append(figures(method, batch_of(corpus, method)))
    assert found[0].keys() == {"supervised", "text_vector", "image_vector", "text_tokens", "image_tokens"}
    for name, (total, count) in found[0].items():
        assert found[1][name] == (pytest.approx(total, rel=1e-4), count)
        assert total > 0
    method.zero_grad()
    method(batch_of(corpus, method))["image_tokens"].total.backward()
    assert any(p.grad is not None and p.grad.any() for p in method.student.encoders["image"].parameters())


def test_regions_need_a_picture_whose_patches_are_known(corpora, answers, tmp_path):
    corpus = corpora["classification"]
    with pytest.raises(ValueError, match="encoder of image has none"):
        MAD(student_of(corpus), Frozen(teacher_of(corpus, patch=2)), regions="topk")
    with pytest.raises(ValueError, match="holds no tokens of a picture"):
        MAD(student_of(corpus, patch=4), answers["classification"], regions="topk")
    with pytest.raises(ValueError, match="0 pictures together"):
        MAD(student_of(corpus, modalities=("text",)), Frozen(teacher_of(corpus, patch=2)), regions="topk")
    options = whole_options("mad", {"regions": "topk"})
    assert MAD.tokens(**options) == "located"
    assert MAD.tokens(**options | {"regions": "none"}) == "text"
    assert MAD.tokens(**options | {"regions": "none", "selection": "none"}) is False


def test_confidences_by_hand():
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 3.0, 0.0]])
    p = logits.softmax(dim=1)
    assert torch.allclose(truth(CLASSES, logits, torch.tensor([0, 2])), torch.stack([p[0, 0], p[1, 2]]))
    assert torch.allclose(truth(CHOICE, logits, torch.tensor([0, 2])), torch.stack([p[0, 0], p[1, 2]]))
    assert agreement(CLASSES, logits, torch.tensor([0, 2])).tolist() == [1, 0]
    number = replace(NUMBER, mean=1.0, scale=2.0)
    assert truth(number, torch.tensor([[0.5]]), torch.tensor([3.0])).item() == pytest.approx(np.exp(-0.5))
    soft = torch.tensor([[0.9, 0.0, 0.0, 0.3], [0.0, 0.0, 0.0, 0.0]])
    given = torch.tensor([[0.0, 9.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    expected = (0.9 * 0.5 + 0.3 * torch.tensor(1.0).sigmoid().item()) / 1.2
    assert truth(ANSWERS, given, soft).tolist() == pytest.approx([expected, 0.0])
    assert agreement(ANSWERS, given, soft).tolist() == [0.0, 0.0]


def test_relative_confidence_says_where_to_learn_and_not_how_much():
    c = torch.tensor([[0.9, 0.02], [0.3, 0.06], [0.0, 0.5], [0.6, 0.0]])
    said = torch.tensor([[True, True], [True, True], [False, True], [True, False]])
    found = relative(c, said)
    for teacher in (0, 1):
        assert found[said[:, teacher], teacher].mean().item() == pytest.approx(1.0)
    assert (found[1, 0] / found[0, 0]).item() == pytest.approx(1 / 3), "rows keep their order and their ratios"
    assert relative(0.01 * c, said).allclose(found), "how sure a teacher is on the whole does not matter"
    nothing = relative(torch.zeros(2, 2), torch.zeros(2, 2, dtype=torch.bool))
    assert nothing.isfinite().all()
    assert not nothing.any()


def test_trust_is_shared_among_those_that_speak():
    c = torch.tensor([[0.9, 0.1], [0.4, 0.4], [0.8, 0.3], [0.5, 0.5]])
    said = torch.tensor([[True, True], [True, True], [True, False], [False, False]])
    alpha = torch.softmax(c / 0.5, dim=1)
    found = trust(c, said, weighting="softmax", temperature=0.5)
    assert torch.allclose(found[0], alpha[0] * c[0])
    assert found[1].tolist() == pytest.approx([0.2, 0.2]), "uniform where confidences are equal"
    assert found[2].tolist() == pytest.approx([0.8, 0.0])
    assert found[3].tolist() == [0, 0]
    one = torch.ones(4, 2)
    assert torch.allclose(trust(one, said, weighting="softmax", temperature=0.1).sum(dim=1), torch.tensor([1.0, 1.0, 1.0, 0.0]))
    assert trust(c, said, weighting="uniform", temperature=0.1)[0].tolist() == pytest.approx([0.45, 0.05])


def test_no_gradient_reaches_the_teacher_through_distance_or_confidence(corpora):
    corpus = corpora["classification"]
    teacher = teacher_of(corpus)
    method = MAD(student_of(corpus), Frozen(teacher))
    torch.stack([t.total for t in method(batch_of(corpus, method)).values()]).sum().backward()
    assert all(p.grad is None for p in teacher.parameters())
    said, sure = confidences("truth", CLASSES, batch_of(corpus, method), method.teacher(batch_of(corpus, method)), ["text"])
    assert not sure.requires_grad
    assert said.any()


@pytest.mark.parametrize(
    ("confidence", "expected"), [("relative", 8), ("truth", 8), ("agreement", 8), ("none", 24), ("constant", 24)]
)
def test_unlabelled_rows_count_where_the_confidence_needs_no_label(confidence, expected, corpora, answers):
    corpus = corpora["classification"]
    method = MAD(student_of(corpus), answers["classification"], confidence=confidence)
    method.meet(corpus.ids.tolist(), corpus.target, np.arange(24) < 8)
    terms = figures(method, batch_of(corpus, method, labelled=list(range(8))))
    assert {count for name, (_, count) in terms.items() if name != "supervised"} == {expected}


def test_a_row_without_a_picture_learns_from_the_text_alone(corpora, answers):
    corpus, teacher = corpora["classification"], answers["classification"]
    method = MAD(student_of(corpus), teacher, confidence="none", score="pooled").eval()
    batch = batch_of(corpus, method)
    said, sure = confidences("none", CLASSES, batch, teacher(batch), ["text", "image"])
    alpha = trust(sure, said, weighting="softmax", temperature=0.5)
    here = torch.stack([batch.present["text"], batch.present["image"]], dim=1)
    assert torch.equal(said, here)
    assert torch.equal(alpha, here / here.sum(dim=1, keepdim=True))
    assert (~here).any(dim=0).all()
    lacks = [row for row in range(24) if not here[row, 1]]
    alone = batch_of(corpus, method)
    alone.present["image"][:] = False
    answer, answered = teacher(batch).features["image.pooled"], figures(method, batch)
    assert (answer[lacks] == 0).all()
    assert answered["image_vector"][0] > 0
    terms = method.pulled(batch, method.student(batch), replace(teacher(batch), features=blind(teacher(batch).features)))
    assert float(terms["image_vector"].total.detach()) == 0


def blind(features):
    return {name: x * 0 if name.startswith("image") else x for name, x in features.items()}


def test_the_constant_control_is_the_mean_over_labelled_rows(corpora, answers):
    corpus, teacher = corpora["classification"], answers["classification"]
    method, labelled = MAD(student_of(corpus), teacher, confidence="constant"), np.arange(24) % 3 == 0
    method.meet(corpus.ids.tolist(), corpus.target, labelled)
    batch = batch_of(corpus, method)
    said, sure = confidences("truth", CLASSES, batch, teacher(batch), ["text", "image"])
    rows = said & torch.from_numpy(labelled)[:, None]
    expected = [float(sure[rows[:, m], m].mean()) for m in range(2)]
    assert method.constant == pytest.approx(expected)
    live = MAD(student_of(corpus), Frozen(teacher_of(corpus)), confidence="constant")
    with pytest.raises(ValueError, match="stored answers"):
        live.meet(corpus.ids.tolist(), corpus.target, labelled)


def test_random_and_top_k_teach_equally_many_tokens(corpora, answers):
    corpus, teacher = corpora["classification"], answers["classification"]
    kept = []
    for selection in ("topk", "random", "sampled"):
        method = MAD(student_of(corpus), teacher, selection=selection)
        batch = batch_of(corpus, method)
        student, said = method.student(batch), teacher(batch)
        ours, theirs = (next(t for t in each.tokens.values() if t.spans is not None) for each in (student, said))
        both = batch.present["text"] & batch.present["image"]
        drawn = torch.rand(ours.mask.shape)
        kept.append(method.terms["text_tokens"].aligned(both, ours, theirs, said, drawn)[1].sum(dim=1))
    assert torch.equal(kept[0], kept[1])
    assert torch.equal(kept[0], kept[2])
    assert kept[0].max() > 1


def test_players_that_do_not_suit_are_refused(corpora, answers, tmp_path):
    corpus = corpora["classification"]
    student, whole = student_of(corpus), teacher_of(corpus)
    text, image = (Frozen(teacher_of(corpus, modalities=(m,))) for m in ("text", "image"))
    with pytest.raises(ValueError, match="text alone; use score 'pooled'"):
        MAD(student, text)
    MAD(student, text, score="pooled")
    MAD(student, text, selection="random")
    with pytest.warns(UserWarning, match="does not read the text"):
        MAD(student, image)
    with pytest.raises(ValueError, match="0 texts"):
        MAD(student_of(corpus, modalities=("image",)), Frozen(whole))
    with pytest.raises(ValueError, match="fusion 'experts'"):
        MAD(student, Frozen(student_of(corpus)))
    other = vl_toy.built(corpus, ("image",), vocabulary=265, width=5) | vl_toy.built(corpus, ("text",), vocabulary=265, width=6)
    widths = {m: e.width for m, e in other.items()}
    apart = Model(CLASSES, other, fusion=Beside(widths), head=Experts(CLASSES, widths))
    with pytest.raises(ValueError, match=r"image are not in the space of text \(5 and 6"):
        MAD(student, Frozen(apart))
    rows = Loader(corpus, range(3), Frozen(whole).views, task=CLASSES, batch_size=3, shuffle=False)
    bare = write_store(tmp_path / "bare", Frozen(whole), rows, corpus=corpus.fingerprint)
    with pytest.raises(ValueError, match="tokens=True"):
        MAD(student, Stored(bare))
    with pytest.raises(ValueError, match="likeliest class"):
        MAD(student_of(corpora["regression"]), answers["regression"], confidence="agreement")
    with pytest.raises(ValueError, match="class prompts"):
        MAD.check(CLASSES, {"classes": 3}, **whole_options("mad", {}))
    for refused in ("concat", "single_stream"):
        with pytest.raises(ValueError, match="fusion 'experts'"):
            MAD.check_players({"text": "text"}, {"text": "text"}, refused, {}, **whole_options("mad", {}))
    with pytest.raises(ValueError, match="text alone"):
        MAD.check_players({"text": "text"}, {"text": "text"}, "experts", {}, **whole_options("mad", {}))
    several = {"question": "text", "caption": "text", "image": "image"}
    for options in ({}, {"selection": "none", "adaptive": True}):
        with pytest.raises(ValueError, match="reads 2 texts, question and caption; name one"):
            MAD.check_players({"question": "text"}, several, "experts", {}, **whole_options("mad", options))
    MAD.check_players({"question": "text"}, several, "experts", {}, **whole_options("mad", {"selection": "none"}))
    for alone in ({"text": "text"}, {"image": "image", "sound": "audio"}):
        with pytest.raises(ValueError, match="adaptive=True brings a text and another modality together"):
            MAD.check_players({"text": "text"}, alone, "experts", {}, **whole_options("mad", {"adaptive": True}))


@pytest.mark.parametrize("published", [{"text": "minilm", "image": "vit"}, {"text": "minilm"}, {"image": "clip"}])
def test_tokens_are_not_scored_in_a_space_of_another_model(published):
    read = {"text": "text", "image": "image"}
    with pytest.raises(ValueError, match="no space is common to both; use score 'pooled'"):
        MAD.check_players(read, read, "experts", published, **whole_options("mad", {}))
    for options in ({"score": "pooled"}, {"selection": "random"}, {"selection": "none"}, {"adaptive": True}):
        MAD.check_players(read, read, "experts", published, **whole_options("mad", options))
    for one in ({}, {"text": "clip", "image": "clip"}):
        MAD.check_players(read, read, "experts", one, **whole_options("mad", {}))


def test_a_student_that_joins_late_is_taught_its_encoder_s_tokens(corpora, answers):
    corpus = corpora["classification"]
    method = MAD(student_of(corpus, stream=False), answers["classification"])
    assert method.terms["text_tokens"].projection.in_features == 8
    assert method.terms["text_vector"].projection.in_features == 6
    assert trained(method, corpus)


def head_loss(lead: ExpertHeads, batch: Batch) -> float:
    return sum(float(t.total.detach() / t.count) for t in lead(batch).values())


@EVERY
@pytest.mark.parametrize("adaptive", [False, True])
def test_experts_learn_and_their_encoders_move_only_where_they_may(kind, adaptive, corpora):
    corpus = corpora[kind]
    teacher = teacher_of(corpus)
    before = {key: value.clone() for key, value in teacher.state_dict().items()}
    lead = MAD.lead(teacher, **whole_options("mad", {"adaptive": adaptive}))
    assert isinstance(lead, ExpertHeads)
    batch = batch_of(corpus, lead)
    first = head_loss(lead, batch)
    trained(lead, corpus, steps=4)
    trained(lead, corpus, steps=4)
    assert adaptive or head_loss(lead.eval(), batch) < first
    moved = {key for key, value in teacher.state_dict().items() if not torch.equal(value, before[key])}
    assert any(key.startswith("head") for key in moved)
    assert any(key.startswith("encoders") for key in moved) == adaptive
    assert [g.pretrained for g in lead.groups()] == ([False, True] if adaptive else [False])


@EVERY
def test_frozen_encoders_are_asked_once_and_remembered_as_they_answered(kind, corpora, monkeypatch):
    corpus = corpora[kind]
    lead = ExpertHeads(teacher_of(corpus)).train()
    batch = batch_of(corpus, lead, labelled=list(range(12)))
    first = figures(lead, batch)
    monkeypatch.setattr(lead, "play", None)
    assert figures(lead, batch) == {name: (pytest.approx(total), count) for name, (total, count) in first.items()}


@pytest.mark.parametrize("kind", ["classification", "choice", "multilabel"])
def test_nothing_of_an_unlabelled_row_reaches_the_adaptive_stage(kind, corpora):
    corpus = corpora[kind]
    lead = ExpertHeads(teacher_of(corpus), adaptive=True).eval()

    def gradients(batch: Batch) -> list[torch.Tensor]:
        lead.zero_grad()
        torch.stack([t.total / t.count.clamp(min=1) for t in lead(batch).values()]).sum().backward()
        return [p.grad.clone() for p in lead.parameters() if p.grad is not None]

    batch = batch_of(corpus, lead, labelled=list(range(9)))
    expected = gradients(batch)
    for views in batch.inputs.values():
        for fields in views.values():
            for name, values in fields.items():
                if values.is_floating_point():
                    values[9:] = values[9:].flip(0) * 7 + 1
                elif name == "ids":
                    values[9:] = values[9:].flip(0)
    batch.target[9:] = 1
    for one, two in zip(gradients(batch), expected, strict=True):
        torch.testing.assert_close(one, two)


def test_entailment_rows_alone_are_pairs(corpora):
    corpus = corpora["classification"]
    lead = ExpertHeads(teacher_of(corpus), adaptive=True)
    batch = batch_of(corpus, lead)
    both = batch.present["text"] & batch.present["image"]
    assert figures(lead, batch)["text_image"][1] == float((both & (batch.target == 0)).sum())
    lead.student.task = Classification(classes=("a", "b", "c"))
    assert figures(lead, batch)["text_image"][1] == float(both.sum())


def test_the_right_choice_is_the_pair(corpora):
    corpus = corpora["choice"]
    lead = ExpertHeads(teacher_of(corpus), adaptive=True)
    text, image, target = torch.randn(4, 3, 5), torch.randn(4, 3, 5), torch.tensor([2, 0, 1, 2])
    ours, theirs = lead.pair(text, image, target)
    assert torch.equal(ours, torch.stack([text[row, t] for row, t in enumerate(target.tolist())]))
    assert torch.equal(theirs, torch.stack([image[row, t] for row, t in enumerate(target.tolist())]))


def test_teachers_that_cannot_be_led_are_refused(corpora):
    corpus = corpora["classification"]
    with pytest.raises(ValueError, match="fusion 'experts'"):
        MAD.lead(student_of(corpus), **whole_options("mad", {}))
    with pytest.raises(ValueError, match="one text and other modalities"):
        MAD.lead(teacher_of(corpus, modalities=("text",)), **whole_options("mad", {"adaptive": True}))


@pytest.mark.parametrize("kind", ["classification", "choice"])
def test_whole_runs_share_their_teachers(kind, tmp_path):
    task: Task = TASKS[kind]
    corpus = vl_toy.corpus_of(tmp_path / "corpus", task, rows=60)
    corpus.save_split(make_split(corpus, name="main", labelled=20, seed=0))
    settings = {"student": ["text", "image"], "fusion": "single_stream", "teacher_fusion": "experts", "method": "mad"}
    settings |= {"sizes": {"width": 16}, "plan": Plan(epochs=2, batch_size=16), "seeds": 1, "report": False}
    naive = us.distill(corpus, **settings, options={"selection": "none", "confidence": "none"}, out=tmp_path / "naive")
    shared = {"teachers_of": naive.folder, "plain_of": naive.folder}
    mad = us.distill(corpus, **settings, **shared, options={"confidence": "constant"}, out=tmp_path / "mad")
    assert {"answers", "answers_with_tokens"} <= {path.name for path in (mad.folder / "teacher" / "seed-0").iterdir()}
    one, two = (run.predictions("plain")[0].values for run in (naive, mad))
    assert np.array_equal(one, two)
    assert not np.array_equal(*(run.predictions("distilled")[0].values for run in (naive, mad)))
    models = {system: mad.model(system, seed=0) for system in ("plain", "distilled")}
    assert list(models["plain"].state_dict()) == list(models["distilled"].state_dict())
    assert str(models["plain"]) == str(models["distilled"])
    assert not any(isinstance(module, Experts) for module in nn.ModuleList(list(models.values())).modules())
    with pytest.raises(ValueError, match="fusion 'experts'"):
        us.distill(corpus, **settings | {"teacher_fusion": "concat"}, out=tmp_path / "refused")
