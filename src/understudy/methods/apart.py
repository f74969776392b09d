"""Apart: how a teacher of late fusion is trained: each modality's expert on its labels alone, as if there were no other.

Ours. Late fusion itself is as old as the field (decision-level fusion: Baltrusaitis, Ahuja, Morency, IEEE TPAMI 2019, section 6).
"""

from understudy.batches.batch import Batch
from understudy.methods.method import Group, Method, Terms
from understudy.models.experts import LOGITS, POOLED, Late
from understudy.models.model import Model
from understudy.objectives.objective import only, over


class Apart(Method):
    """The task's loss of each expert, over the labelled rows that have its modality; each is clipped by itself."""

    needs_labels = True

    def __init__(self, teacher: Model) -> None:
        super().__init__()
        if not isinstance(teacher.head, Late):
            raise ValueError(f"{teacher.name} has no expert for each modality; build it with fusion 'late'")
        self.student = teacher

    def groups(self) -> list[Group]:
        found = []
        head, published = self.student.head, {id(p) for p in self.student.published()}
        assert isinstance(head, Late)
        for modality in self.student.modalities:
            own = [*self.student.encoders[modality].parameters(), *head.heads[modality].parameters()]
            for old in (True, False):
                some = [p for p in own if p.requires_grad and (id(p) in published) == old]
                found += [Group(modality, some, pretrained=old)] if some else []
        return found

    def forward(self, batch: Batch, part: str = "main") -> Terms:
        said, task, terms = self.play("student", batch).features, self.student.task, {}
        target = only(batch.labelled, batch.target)
        for modality in self.student.modalities:
            # 0 where it is absent, or hidden by modality dropout.
            rows = batch.labelled & said[modality + POOLED].detach().any(dim=1)
            terms[modality] = over(rows, task.loss(only(rows, said[modality + LOGITS]).float(), target), batch.weight)
        return terms
