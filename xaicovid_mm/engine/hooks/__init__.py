from .cam_loss_start_hook import CAMLossStartHook
from .finite_loss_hook import FiniteLossHook
from .pseudo_class_hook import PseudoClassHook
from .pseudo_label_audit_hook import PseudoLabelAuditHook
from .pseudo_label_hook import PseudoLabelHook
from .pseudo_label_monitor_hook import PseudoLabelMonitorHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = [
    'CAMLossStartHook',
    'FiniteLossHook',
    'PseudoClassHook',
    'PseudoLabelAuditHook',
    'PseudoLabelHook',
    'PseudoLabelMonitorHook',
    'SafeCheckpointHook',
]
