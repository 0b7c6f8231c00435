from .diagnosis_metric import DiagnosisMetric
from .infection_metric import InfectionMetric
from .lung_metric import LungMetric

__all__ = ['DiagnosisMetric', 'InfectionMetric', 'LungMetric']
