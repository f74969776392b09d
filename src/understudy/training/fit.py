"""fit: the only training loop, on any hardware. It knows plans, parts and terms; no method, model or corpus."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import DistributedType
from torch import nn

from understudy.methods.method import Method
from understudy.process.progress import progress
from understudy.training.loop import Batches, History, Loop
from understudy.training.loop import Diverged as Diverged
from understudy.training.loop import Scores as Scores
from understudy.training.plan import Plan as Plan


def fit(
    method: Method,
    train: Batches,
    *,
    plan: Plan,
    seed: int,
    out: Path | None = None,
    validate: Callable[[], Scores] | None = None,
    accelerator: Accelerator | None = None,
    save_every: float = 30.0,
    quiet: bool = False,
) -> History:
    """Train every player of `method`; afterwards its student, in evaluation mode, carries the selected weights.

    With `validate` (called in evaluation mode after each epoch) those of the best epoch, the first of equals; otherwise the last.
    A term is divided by its count over all batches of an update and all processes. To know the counts before the backward pass,
    `plan.accumulate` > 1 runs each batch forward once more without gradient: about a third more time, and a live teacher answers
    twice. An update in which no row counts moves nothing (no weight decay, no moments, no `after_step`); the schedule goes on.

    `out` gets log.jsonl, and a checkpoint after every `save_every` seconds of training and at Ctrl-C or SIGTERM. Started again on
    the same `out`, the fit goes on from there and ends bit for bit as if nothing had happened (CPU, same number of threads).
    Checkpoints stay until `checkpoint.remove(out)`. Devices, processes, mixed precision and trackers are the accelerator's.

    Raises Diverged, a ValueError, for a loss or score that is not finite, ValueError for a checkpoint of another run, or groups
    that do not fit the parts.
    """
    if plan.patience is not None and validate is None:
        warnings.warn(f"plan.patience={plan.patience} has no effect without validation; every epoch is trained")
    if len(train) == 0:
        raise ValueError("there is no training batch; the train split, or its labelled part, is empty")
    accelerator = accelerator or Accelerator()
    with prepared(method, accelerator) as ready:
        loop = Loop(method, ready, train, plan, seed, out, validate, accelerator, save_every)
        loop.resume()
        with progress(loop.title, total=loop.steps, quiet=quiet or not accelerator.is_main_process) as tell, loop.asking():
            loop.run(tell)
    return loop.finish()


@contextmanager
def prepared(method: Method, accelerator: Accelerator) -> Iterator[nn.Module]:
    """The method on its device and, where asked for, spread over processes or in mixed precision; as it was, afterwards."""
    if accelerator.distributed_type in (DistributedType.FSDP, DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM):
        raise ValueError(f"fit does not shard models ({accelerator.distributed_type}); launch with plain data parallelism")
    method.to(accelerator.device)
    if accelerator.num_processes == 1 and accelerator.mixed_precision == "no":
        yield method
        return
    # A part, or a batch without some modality, leaves parameters unused; which ones changes from batch to batch.
    accelerator.ddp_handler = accelerator.ddp_handler or DistributedDataParallelKwargs(find_unused_parameters=True)  # pyright: ignore
    ready = accelerator.prepare_model(method)
    try:
        yield ready
    finally:
        accelerator.unwrap_model(ready, keep_fp32_wrapper=False)
        accelerator.free_memory()
