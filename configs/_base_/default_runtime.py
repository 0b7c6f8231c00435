"""What every run shares: names, hooks by key, safe checkpoints."""

custom_imports = dict(imports=['xaicovid_mm.registry'])
default_scope = 'xaicovid_mm'
runner_type = 'CTRunner'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=10),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='SafeCheckpointHook', interval=1, max_keep=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    finite_loss=dict(type='FiniteLossHook'),
    run_summary=dict(type='RunSummaryHook'),
    progress_bar=dict(type='ProgressBarHook'),  # in a terminal alone
    sync_buffers=dict(type='SyncBuffersHook'),  # batch norm: validation and resume on all ranks
)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
randomness = dict(seed=0, deterministic=False)
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
log_processor = dict(by_epoch=True, window_size=10)
log_level = 'INFO'
load_from = None
resume = False
