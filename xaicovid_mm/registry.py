"""Our registries. Components register themselves when ``locations`` is imported, on first use."""

from mmengine import registry as root
from mmengine.registry import Registry

MODELS = Registry('model', parent=root.MODELS, locations=['xaicovid_mm.models'])
DATASETS = Registry('dataset', parent=root.DATASETS, locations=['xaicovid_mm.datasets'])
TRANSFORMS = Registry(
    'transform', parent=root.TRANSFORMS, locations=['xaicovid_mm.datasets.transforms']
)
DATA_SAMPLERS = Registry(
    'data sampler', parent=root.DATA_SAMPLERS, locations=['xaicovid_mm.datasets.samplers']
)
HOOKS = Registry('hook', parent=root.HOOKS, locations=['xaicovid_mm.engine.hooks'])
METRICS = Registry('metric', parent=root.METRICS, locations=['xaicovid_mm.evaluation.metrics'])
RUNNERS = Registry('runner', parent=root.RUNNERS, locations=['xaicovid_mm.engine'])
OPTIM_WRAPPERS = Registry(
    'optimizer wrapper',
    parent=root.OPTIM_WRAPPERS,
    locations=['xaicovid_mm.engine.mixed_precision'],
)
WEIGHT_INITIALIZERS = Registry(
    'weight initializer', parent=root.WEIGHT_INITIALIZERS, locations=['xaicovid_mm.models']
)
VISBACKENDS = Registry(
    'vis_backend', parent=root.VISBACKENDS, locations=['xaicovid_mm.engine.vis_backend']
)
TASK_UTILS = Registry(
    'task util',
    parent=root.TASK_UTILS,
    locations=['xaicovid_mm.explain', 'xaicovid_mm.datasets'],
)

# We register nothing in these, but without a child of our scope mmengine warns at every build.
_PASSED_ON = [
    Registry(parent.name, parent=parent, scope='xaicovid_mm')
    for parent in (
        root.LOOPS,
        root.LOG_PROCESSORS,
        root.OPTIMIZERS,
        root.OPTIM_WRAPPER_CONSTRUCTORS,
        root.PARAM_SCHEDULERS,
        root.EVALUATOR,
        root.VISUALIZERS,
        root.MODEL_WRAPPERS,
        root.RUNNER_CONSTRUCTORS,
        root.FUNCTIONS,
        root.INFERENCERS,
    )
]
