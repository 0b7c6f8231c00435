"""Train a few steps of the method; started by test_distributed.py, alone or by torchrun.

Writes what a rank has at the end: its weights, its L_u by step and which of its slices gave
evidence.
"""

import sys

import torch
from mmengine import Config
from mmengine.dist import get_rank

from xaicovid_mm.classes import COVID
from xaicovid_mm.engine import CTRunner
from xaicovid_mm.engine.launch import launched, leave_process
from xaicovid_mm.explain.pseudo_labeler import PseudoLabeler
from xaicovid_mm.registry import TASK_UTILS

EVIDENCE = []


@TASK_UTILS.register_module()
class OpenLabeler(PseudoLabeler):
    """Takes the evidence of every slice of every rank."""

    def takes_evidence(self):
        return True

    def sources(self, model, images, labels=None, evidence_from=None):
        classes = torch.full((len(images),), COVID if self.takes_evidence() else 0)
        sources = super().sources(model, images, classes, 'label')
        EVIDENCE.extend(sources['evidence'].tolist())
        return sources


@TASK_UTILS.register_module()
class FirstRankLabeler(OpenLabeler):
    """Takes evidence on rank 0 only, and leaves an empty mask elsewhere."""

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, 'non_target': 'zero'})

    def takes_evidence(self):
        return get_rank() == 0


@TASK_UTILS.register_module()
class LeakyLabeler(OpenLabeler):
    """Leaves gradients behind on the parameters, as ``.backward()`` would."""

    def sources(self, model, images, labels=None, evidence_from=None):
        model.cls_head(model.backbone(images)).sum().backward()
        return super().sources(model, images, labels, evidence_from)


def main(store, work_dir, per_rank, labeler, launcher):
    torch.set_num_threads(1)
    cfg = Config.fromfile('configs/quick/semi_vgg.py')
    cfg.model.backbone.widths = (2, 3, 4, 4, 4)
    cfg.work_dir, cfg.log_level = work_dir, 'ERROR'
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.update(store=store, split='default')
        loader.update(num_workers=0, persistent_workers=False)
    cfg.train_dataloader.batch_size = 2 * per_rank
    cfg.train_dataloader.sampler.update(
        labelled_per_batch=per_rank, unlabelled_per_batch=per_rank, batches_per_epoch=2
    )
    cfg.train_cfg.update(max_epochs=2, val_interval=1)
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.0002)
    cfg.param_scheduler = None
    cfg.default_hooks.pop('pseudo_label_audit')
    cfg.default_hooks.cam_loss_start.begin = 0
    cfg.default_hooks.pseudo_label.update(start_epoch=0, start_when=None)
    cfg.default_hooks.pseudo_label.labeler.type = labeler
    with launched(cfg, launcher):
        runner = CTRunner.from_cfg(cfg)
        runner.train()
        model = getattr(runner.model, 'module', runner.model)
        losses = runner.message_hub.get_scalar('train/loss_u').data[0].tolist()
        left = dict(weights=model.state_dict(), evidence=EVIDENCE, loss_u=losses)
        torch.save(left, f'{work_dir}/rank{runner.rank}.pt')
    leave_process(launcher)


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
