"""Import mmcv's transformer without its warning about compiled operators, which we do not use."""

import importlib
import warnings

with warnings.catch_warnings():
    warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeformableAttention``')
    importlib.import_module('mmcv.cnn.bricks.transformer')  # mmpretrain and mmseg import it
