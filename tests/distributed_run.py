"""Train a few steps of the method; started by test_distributed.py, alone or by torchrun."""

import sys

import torch
from mmengine import Config

from xaicovid_mm.engine import CTRunner
from xaicovid_mm.engine.launch import prepare_launch


def main(store, work_dir, per_rank, gate, launcher):
    torch.set_num_threads(1)
    cfg = Config.fromfile('configs/quick/semi_vgg.py')
    widths = (2, 3, 4, 4, 4)
    cfg.model.backbone.widths = cfg.model.decode_head.in_channels = widths
    cfg.model.cls_head.in_channels = widths[2:]
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
    cfg.default_hooks.pseudo_label.labeler.update(gate=gate)
    prepare_launch(cfg, launcher)
    runner = CTRunner.from_cfg(cfg)
    runner.train()
    model = getattr(runner.model, 'module', runner.model)
    torch.save(model.state_dict(), f'{work_dir}/rank{runner.rank}.pt')


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
