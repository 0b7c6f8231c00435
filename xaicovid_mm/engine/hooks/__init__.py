from .averaged_teacher_hook import AveragedTeacherHook
from .cam_loss_start_hook import CAMLossStartHook
from .evidence_fit_hook import EvidenceFitHook
from .finite_loss_hook import FiniteLossHook
from .oracle_label_hook import OracleLabelHook
from .progress_bar_hook import ProgressBarHook
from .pseudo_class_hook import PseudoClassHook
from .pseudo_label_audit_hook import PseudoLabelAuditHook
from .pseudo_label_hook import PseudoLabelHook
from .pseudo_label_monitor_hook import PseudoLabelMonitorHook
from .run_summary_hook import RunSummaryHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .uni_match_hook import UniMatchHook

__all__ = [
    'AveragedTeacherHook',
    'CAMLossStartHook',
    'EvidenceFitHook',
    'FiniteLossHook',
    'OracleLabelHook',
    'ProgressBarHook',
    'PseudoClassHook',
    'PseudoLabelAuditHook',
    'PseudoLabelHook',
    'PseudoLabelMonitorHook',
    'RunSummaryHook',
    'SafeCheckpointHook',
    'UniMatchHook',
]
