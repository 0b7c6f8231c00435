from .diagnosis_metric import DiagnosisMetric
from .explanation_metric import ExplanationMetric
from .infection_metric import InfectionMetric
from .lung_metric import LungMetric

__all__ = ['DiagnosisMetric', 'ExplanationMetric', 'InfectionMetric', 'LungMetric']
